#include "stages/notification_topology.h"

#include <string>

#include "stages/apply_action.h"
#include "stages/enrich_actor.h"
#include "stages/event.h"
#include "stages/inbox_action.h"
#include "stages/inbox_repair.h"
#include "stages/inbox_rows.h"
#include "stages/received_notification.h"
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

pipeline::Topology BuildNotificationTopology(const Topics& topics, const InboxLimits& limits,
                                             base::Counter unknown_actors) {
  pipeline::TopologyBuilder builder;

  // Who is told of what: stateless but for the users, any number of partitions.
  auto users = builder.GlobalTable<User>(topics.users);
  builder.Source<Event>("decode-event", topics.events)
      .Process<EnrichActor>("enrich-actor", users, unknown_actors)
      .Process<RouteToRecipients>("route-to-recipients")
      .Sink("notifications", topics.notifications);

  // What each recipient has: all of one recipient is in one partition, so in one task.
  auto inbox =
      builder.Store(std::string(kInboxStore), {.changelog = true, .repair = RepairOfInbox()});
  auto unread = builder.Store(std::string(kInboxUnreadStore), {.changelog = false});
  builder.Source<ReceivedNotification>("decode-notification", topics.notifications)
      .Process<WriteInbox>("write-inbox", inbox, unread, limits);
  builder.Source<InboxAction>("decode-action", topics.inbox_actions)
      .Process<ApplyAction>("apply-action", inbox, unread);

  return builder.Build();
}

}  // namespace stages
