#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/status.h"
#include "pipeline/record.h"
#include "pipeline/serde.h"
#include "stages/event.h"
#include "stages/event_kinds.h"
#include "stages/identity.h"

namespace stages {

/// The `v` of the JSON.
inline constexpr int64_t kNotificationVersion = 1;
/// Bytes of a record on `notifications` at most.
inline constexpr size_t kNotificationBytesMax = size_t{1} << 20;
/// Bytes of the rendered text at most: an event's text or title with a name and a type around it.
inline constexpr size_t kMessageBytesMax = 8192;
/// Of a topic's name; Kafka's own limit.
inline constexpr size_t kTopicBytesMax = 249;

/// Somebody as `users` had them when the event came by; the rest is nullopt for one who was not
/// there.
struct NotificationActor {
  std::string id;
  std::optional<std::string> name;
  std::optional<std::string> handle;
  std::optional<std::string> avatar_url;
};

/// The event that a notification was made from.
struct NotificationSource {
  std::string topic;
  base::Partition partition;
  base::Offset offset;
};

/// One person is told of one event; or, with `retracted`, no longer told of it.
struct Notification {
  Identity identity;
  /// For a retraction the kind that is taken back. Never nullptr.
  const EventKind* kind = nullptr;
  bool retracted = false;
  std::string recipient;
  NotificationActor actor;
  std::optional<EventObject> object;
  std::optional<std::string> text;
  /// The text rendered for people.
  std::string message;
  int64_t time_ms = 0;
  NotificationSource source;
};

/// The id of a notification: "<identity in hex>-<time in ms>", of unreserved URL characters.
std::string NotificationId(const Identity& identity, int64_t time_ms);

/// False when `id` is not a notification's.
bool ParseNotificationId(std::string_view id, Identity& identity, int64_t& time_ms);

class NotificationDecoder;

}  // namespace stages

/// JSON of topic `notifications`; docs/formats.md describes the fields.
template <>
struct pipeline::Serde<stages::Notification> {
  Serde();
  ~Serde();
  Serde(Serde&&) noexcept;
  Serde& operator=(Serde&&) noexcept;

  base::Result<stages::Notification> Decode(const RawRecord& record);
  /// Its `source`; nullopt when it has none that can be read.
  std::optional<RecordPlace> OriginOf(const RawRecord& record);
  static void Encode(const stages::Notification& notification, std::string& value);

 private:
  std::unique_ptr<stages::NotificationDecoder> decoder_;
};
