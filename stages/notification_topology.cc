#include "stages/notification_topology.h"

#include <string>

#include "pipeline/stream_thread_metrics.h"
#include "stages/apply_action.h"
#include "stages/enrich_actor.h"
#include "stages/event.h"
#include "stages/heartbeat.h"
#include "stages/inbox_action.h"
#include "stages/inbox_repair.h"
#include "stages/inbox_rows.h"
#include "stages/received_notification.h"
#include "stages/refusal.h"
#include "stages/route_to_recipients.h"
#include "stages/user.h"
#include "stages/write_inbox.h"

namespace stages {
namespace {

/// After rows came back from the changelog: the index of unread rows is not in there, and the last
/// rows may have come without their head.
pipeline::RestoreRepair RepairOfInbox() {
  return {RecipientGroupOf,
          [](std::string_view group, const pipeline::StoreLookupFunction& stores) {
            return RebuildUnread(group, stores(kInboxStore), stores(kInboxUnreadStore));
          }};
}

}  // namespace

NotificationCounters CountIn(base::Metrics& metrics) {
  const auto trimmed = [&metrics](const char* kind) {
    return metrics.AddCounter("herald_inbox_rows_trimmed_total",
                              "Rows that limits of number and age removed from inboxes.",
                              {{"kind", kind}});
  };
  for (const std::string_view reason : refusal::kAll) {
    pipeline::DeadLetterCounter(metrics, std::string(reason));
  }
  return {metrics.AddCounter("herald_unknown_actors_total",
                             "Events whose actor is not among the users."),
          {trimmed("item"), trimmed("tombstone")}};
}

pipeline::Topology BuildNotificationTopology(const Topics& topics, const InboxLimits& limits,
                                             const NotificationCounters& counters) {
  pipeline::TopologyBuilder builder;

  // Who is told of what: stateless but for the users, any number of partitions.
  auto users = builder.GlobalTable<User>(topics.users);
  builder.Source<Event>("decode-event", topics.events)
      .Process<EnrichActor>("enrich-actor", users, counters.unknown_actors)
      .Process<RouteToRecipients>("route-to-recipients")
      .Sink("notifications", topics.notifications);

  // What each recipient has: all of one recipient is in one partition, so in one task.
  auto inbox =
      builder.Store(std::string(kInboxStore), {.changelog = true, .repair = RepairOfInbox()});
  auto unread = builder.Store(std::string(kInboxUnreadStore), {.changelog = false});
  builder.Source<ReceivedNotification>("decode-notification", topics.notifications)
      .Process<WriteInbox>("write-inbox", inbox, unread, limits, counters.trimmed);
  builder.Source<InboxAction>("decode-action", topics.inbox_actions)
      .Process<ApplyAction>("apply-action", inbox, unread, counters.trimmed);

  // Nobody's event on the same way, to measure it: the same threads, consumers and transactions. Last,
  // so that the tasks above keep their numbers. The newest heartbeat is worth no changelog.
  if (topics.has_heartbeats()) {
    builder.Source<Heartbeat>("decode-heartbeat", topics.heartbeats)
        .Process<ForwardHeartbeat>("forward-heartbeat")
        .Sink("heartbeat-echoes", topics.heartbeat_echoes);
    auto heartbeats = builder.Store(std::string(kHeartbeatStore), {.changelog = false});
    builder.Source<Heartbeat>("decode-heartbeat-echo", topics.heartbeat_echoes)
        .Process<RecordHeartbeat>("record-heartbeat", heartbeats);
  }

  return builder.Build();
}

}  // namespace stages
