#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace stages {

/// What makes two notifications of one kind, actor and recipient the same row of the inbox.
enum class IdentityRule : uint8_t {
  /// Nothing else: one row for the actor.
  kActor,
  /// The object's id, "" without one.
  kObject,
  /// The object's id; without one the event's own id.
  kObjectOrEvent,
  /// The event's id: each event is its own row.
  kEvent,
};

/// A kind of event. Kinds are data: what differs between them is in this table and nowhere else.
struct EventKind {
  std::string_view name;
  /// The event type that takes this kind back; "" when nothing does.
  std::string_view undo_name;
  IdentityRule identity = IdentityRule::kActor;
  /// Whether somebody is told of what they did to themselves.
  bool delivered_to_actor = false;
  /// Texts of the notification, best first: the first whose placeholders all have a value counts,
  /// else the text is empty. {actor}, {text}, {object.type}, {object.title}; {name|default} has a
  /// value always; {a name} puts "a" or "an" before the value.
  std::span<const std::string_view> templates;
};

/// A `type` as an event has it.
struct EventType {
  const EventKind* kind = nullptr;
  bool is_undo = false;
};

/// All kinds, in a fixed order.
std::span<const EventKind> EventKinds();

/// The kind that an event type names; `kind` is nullptr when it is unknown.
EventType FindEventType(std::string_view name);

/// The kind of that name; nullptr when it is unknown.
const EventKind* FindEventKind(std::string_view name);

/// Values for the placeholders; empty means missing.
struct TemplateValues {
  std::string_view actor;
  std::string_view text;
  std::string_view object_type;
  std::string_view object_title;
};

/// Renders the notification's text, e.g. "Bruno started following you.".
std::string RenderMessage(const EventKind& kind, const TemplateValues& values);

}  // namespace stages
