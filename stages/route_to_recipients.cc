#include "stages/route_to_recipients.h"

#include <algorithm>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

namespace stages {
namespace {

constexpr std::string_view kNameOfUnknown = "Someone";
/// Up to here comparing with each is quicker than a hash set.
constexpr size_t kTargetsCompared = 16;

std::string_view ViewOf(const std::optional<std::string>& text) {
  return text ? std::string_view(*text) : std::string_view();
}

/// Drops repeats and, if it must not be told, the actor; keeps the order.
void KeepRecipients(const Event& event, std::vector<std::string>& targets) {
  if (!event.type.kind->delivered_to_actor) std::erase(targets, event.actor);
  if (targets.size() <= kTargetsCompared) {
    auto end = targets.begin();
    for (auto it = targets.begin(); it != targets.end(); ++it) {
      if (std::find(targets.begin(), end, *it) != end) continue;
      if (end != it) *end = std::move(*it);
      ++end;
    }
    targets.erase(end, targets.end());
    return;
  }
  std::unordered_set<std::string> seen;
  std::erase_if(targets, [&](const std::string& target) { return !seen.insert(target).second; });
}

/// Takes texts and object out of the event.
Notification MakeNotification(EnrichedEvent& enriched, const pipeline::RecordMetadata& metadata) {
  Event& event = enriched.event;
  Notification notification;
  notification.kind = event.type.kind;
  notification.retracted = event.type.is_undo;
  notification.actor.id = std::move(event.actor);
  if (const User* user = enriched.actor.get()) {
    notification.actor.name = user->name;
    notification.actor.handle = user->handle;
    notification.actor.avatar_url = user->avatar_url;
  }
  notification.object = std::move(event.object);
  notification.text = std::move(event.text);
  TemplateValues values;
  values.actor = ViewOf(notification.actor.name);
  if (values.actor.empty()) values.actor = kNameOfUnknown;
  values.text = ViewOf(notification.text);
  if (notification.object) {
    values.object_type = ViewOf(notification.object->type);
    values.object_title = ViewOf(notification.object->title);
  }
  notification.message = RenderMessage(*event.type.kind, values);
  notification.time_ms = event.time_ms;
  notification.source = {std::string(metadata.topic), metadata.partition, metadata.offset};
  return notification;
}

}  // namespace

void RouteToRecipients::StartIdentity(const Event& event) {
  identity_.Rewind(0);
  identity_.Add(event.type.kind->name);
  identity_.Add(event.actor);
  const std::string_view object_id = event.object ? ViewOf(event.object->id) : "";
  // The id of the event itself, or of the one that is taken back.
  const std::string_view event_id =
      event.type.is_undo && !event.undo_of.empty() ? event.undo_of : event.id;
  switch (event.type.kind->identity) {
    case IdentityRule::kActor:
      break;
    case IdentityRule::kObject:
      identity_.Add("object");
      identity_.Add(object_id);
      break;
    case IdentityRule::kObjectOrEvent:
      identity_.Add(object_id.empty() ? "event" : "object");
      identity_.Add(object_id.empty() ? event_id : object_id);
      break;
    case IdentityRule::kEvent:
      identity_.Add("event");
      identity_.Add(event_id);
      break;
  }
}

base::Status RouteToRecipients::Process(pipeline::Record<EnrichedEvent> record,
                                        pipeline::Context<Notification>& context) {
  std::vector<std::string> recipients = std::move(record.value.event.targets);
  KeepRecipients(record.value.event, recipients);
  if (recipients.empty()) return base::Status::Ok();
  StartIdentity(record.value.event);
  Notification notification = MakeNotification(record.value, record.metadata);
  const size_t mark = identity_.Mark();
  const auto forward = [&](Notification told, std::string recipient) {
    identity_.Rewind(mark);
    identity_.Add(recipient);
    told.identity = identity_.Finish();
    told.recipient = recipient;
    return context.Forward({std::move(recipient), std::move(told), record.metadata});
  };
  // One by one, for an event may have ten thousand: the engine limits what comes of it.
  for (size_t i = 0; i + 1 < recipients.size(); ++i) {
    RETURN_IF_ERROR(forward(notification, std::move(recipients[i])));
  }
  return forward(std::move(notification), std::move(recipients.back()));
}

}  // namespace stages
