#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The JSON of floor_rows, by hand: events in, notifications out and in again. docs/formats.md says
/// what the fields mean; what leads to a dead letter there is only counted here.
namespace bench {

using FloorIdentity = std::array<char, 16>;

/// Where a record came from.
struct FloorPlace {
  std::string_view topic;
  int32_t partition = 0;
  int64_t offset = 0;
  int64_t timestamp_ms = 0;
};

enum class FloorKind : uint8_t { kFollow, kLike, kMention, kMessage };

/// Views are valid until the reader's next call.
struct FloorEvent {
  FloorKind kind = FloorKind::kFollow;
  bool undo = false;
  std::string_view id;
  std::string_view actor;
  std::string_view undo_of;
  std::vector<std::string_view> targets;
  bool has_object = false;
  std::optional<std::string_view> object_type;
  std::optional<std::string_view> object_id;
  std::optional<std::string_view> object_title;
  std::optional<std::string_view> text;
  int64_t time_ms = 0;
};

/// What a notification says of a user, written once.
struct FloorUser {
  /// The value of "actor".
  std::string json;
  /// For the message, escaped.
  std::string name;
};

/// A notification as the inbox needs it. Views are valid until the reader's next call.
struct FloorNotification {
  FloorIdentity identity{};
  int64_t time_ms = 0;
  bool retracted = false;
  std::string_view recipient;
  std::string_view json;
};

/// Reads with simdjson. Memory is kept for the next text. Threads: one.
class FloorReader {
 public:
  FloorReader();
  ~FloorReader();
  FloorReader(const FloorReader&) = delete;
  FloorReader& operator=(const FloorReader&) = delete;

  /// Each returns false for what it cannot use.
  bool ReadEvent(std::string_view json, const FloorPlace& place, FloorEvent& event);
  bool ReadUser(std::string_view key, std::string_view json, FloorUser& user);
  /// `notification.json` is `json` itself.
  bool ReadNotification(std::string_view key, std::string_view json,
                        FloorNotification& notification);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Writes the notifications of one event after the other. Threads: one.
class FloorWriter {
 public:
  /// `actor` is nullptr for one who is not among the users.
  void StartEvent(const FloorEvent& event, const FloorUser* actor, const FloorPlace& place);

  /// The notification for one recipient; valid until the next call.
  const std::string& Write(const FloorEvent& event, std::string_view recipient);

 private:
  std::string identity_fields_;
  size_t identity_mark_ = 0;
  /// Behind the recipient all notifications of an event are the same.
  std::string rest_;
  std::string json_;
};

}  // namespace bench
