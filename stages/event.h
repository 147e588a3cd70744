#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "pipeline/record.h"
#include "pipeline/serde.h"
#include "stages/event_kinds.h"

namespace stages {

/// Limits of a raw event.
inline constexpr size_t kEventBytesMax = size_t{1} << 20;
inline constexpr size_t kEventTargetsMax = 10'000;
inline constexpr size_t kTextBytesMax = 4096;
inline constexpr size_t kTitleBytesMax = 1024;
inline constexpr size_t kObjectTypeBytesMax = 256;
inline constexpr size_t kTypeBytesMax = 256;
/// How far `time` may be ahead of the record's timestamp.
inline constexpr int64_t kTimeAheadMsMax = 24 * 3'600'000;

/// What an event is about. A member that the event does not have is nullopt.
struct EventObject {
  std::optional<std::string> type;
  std::optional<std::string> id;
  std::optional<std::string> title;
};

/// A raw event: somebody did something to others.
struct Event {
  /// The producer's id; without one "h-" and a hash of the record and its place, so that a replay
  /// has the same id.
  std::string id;
  EventType type;
  std::string actor;
  /// As the event names them: repeats and the actor may be among them. Never empty.
  std::vector<std::string> targets;
  std::optional<EventObject> object;
  std::optional<std::string> text;
  /// The id of the event that an undo takes back; "" when not given.
  std::string undo_of;
  /// Milliseconds since the epoch.
  int64_t time_ms = 0;
};

class EventDecoder;

}  // namespace stages

/// Reads JSON; docs/formats.md describes the fields.
template <>
struct pipeline::Serde<stages::Event> {
  Serde();
  ~Serde();
  Serde(Serde&&) noexcept;
  Serde& operator=(Serde&&) noexcept;

  base::Result<stages::Event> Decode(const RawRecord& record);

 private:
  std::unique_ptr<stages::EventDecoder> decoder_;
};
