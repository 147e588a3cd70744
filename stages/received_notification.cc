#include "stages/received_notification.h"

#include <simdjson.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "stages/event.h"
#include "stages/event_kinds.h"
#include "stages/field_values.h"
#include "stages/hex.h"
#include "stages/iso_time.h"
#include "stages/json_text.h"
#include "stages/user.h"

namespace stages {
namespace {

/// Goes through a text of which the next piece is always known, and remembers whether it was there.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  bool ok() const { return ok_; }
  bool done() const { return ok_ && rest_.empty(); }

  bool Skip(std::string_view expected) {
    if (!rest_.starts_with(expected)) return false;
    rest_.remove_prefix(expected.size());
    return true;
  }
  void Expect(std::string_view expected) { ok_ = ok_ && Skip(expected); }

  /// A string without escapes, of at most so many bytes.
  std::string_view String(size_t bytes_max) {
    Expect("\"");
    if (!ok_) return {};
    const std::string_view text = rest_.substr(0, PlainLength(rest_));
    rest_.remove_prefix(text.size());
    ok_ = text.size() <= bytes_max;
    Expect("\"");
    return text;
  }
  /// A string with the escapes that Serde<Notification> writes and no others, of at most so many
  /// bytes without them; or null.
  void OptionalText(size_t bytes_max) {
    if (ok_ && !Skip("null")) Text(bytes_max);
  }
  void Text(size_t bytes_max) {
    Expect("\"");
    size_t bytes = 0;
    while (ok_) {
      const size_t plain = PlainLength(rest_);
      rest_.remove_prefix(plain);
      bytes += plain;
      if (!rest_.starts_with('\\')) break;
      ok_ = SkipEscape();
      ++bytes;
    }
    ok_ = ok_ && bytes <= bytes_max;
    Expect("\"");
  }
  void FilledString(size_t bytes_max) { ok_ = !String(bytes_max).empty() && ok_; }

  /// Digits as they are written for this number: no zeros before, no plus.
  int64_t Number(int64_t min, int64_t max) {
    if (!ok_) return 0;
    int64_t number = 0;
    const char* const begin = rest_.data();
    const auto [end, error] = std::from_chars(begin, begin + rest_.size(), number);
    const auto length = static_cast<size_t>(end - begin);
    const std::string_view digits = rest_.substr(rest_.starts_with('-') ? 1 : 0);
    ok_ = error == std::errc() && number >= min && number <= max &&
          (!digits.starts_with('0') || length == 1);
    rest_.remove_prefix(length);
    return number;
  }
  /// So many bytes as they are.
  std::string_view Bytes(size_t count) {
    ok_ = ok_ && rest_.size() >= count;
    if (!ok_) return {};
    const std::string_view bytes = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return bytes;
  }

 private:
  /// Of a quote, a backslash, a line feed, a carriage return, a tab, or another control character.
  bool SkipEscape() {
    constexpr std::string_view kUnicode = "\\u00";
    if (rest_.size() >= 2 && std::string_view("\"\\nrt").find(rest_[1]) != std::string_view::npos) {
      rest_.remove_prefix(2);
      return true;
    }
    std::array<uint8_t, 1> character{};
    if (!rest_.starts_with(kUnicode) || !FromHex(rest_.substr(kUnicode.size(), 2), character)) {
      return false;
    }
    rest_.remove_prefix(kUnicode.size() + 2);
    const auto c = static_cast<char>(character[0]);
    return character[0] < 0x20 && c != '\n' && c != '\r' && c != '\t';
  }

  std::string_view rest_;
  bool ok_ = true;
};

constexpr int64_t kAnyMin = std::numeric_limits<int64_t>::min();
constexpr int64_t kAnyMax = std::numeric_limits<int64_t>::max();
constexpr size_t kIsoTimeBytes = std::string_view("2026-11-21T05:00:00.000Z").size();

void ReadObject(Reader& in) {
  if (in.Skip("null")) return;
  in.Expect("{\"type\":");
  in.OptionalText(kObjectTypeBytesMax);
  in.Expect(",\"id\":");
  in.OptionalText(kIdBytesMax);
  in.Expect(",\"title\":");
  in.OptionalText(kTitleBytesMax);
  in.Expect("}");
}

}  // namespace

bool ReadAsWritten(std::string_view json, std::string_view key, ReceivedNotification& received) {
  if (json.size() > kNotificationBytesMax) return false;
  Reader in(json);
  in.Expect("{\"v\":1,\"id\":\"");
  const std::string_view identity = in.Bytes(2 * sizeof(Identity::bytes));
  in.Expect("-");
  received.time_ms = in.Number(kTimeMsMin, kTimeMsMax);
  in.Expect("\",\"type\":");
  const std::string_view type = in.String(kTypeBytesMax);
  received.retracted = in.Skip(",\"retracted\":true");
  in.Expect(",\"recipient\":");
  received.recipient = in.String(kIdBytesMax);
  in.Expect(",\"actor\":{\"id\":");
  in.FilledString(kIdBytesMax);
  in.Expect(",\"name\":");
  in.OptionalText(kUserNameBytesMax);
  in.Expect(",\"handle\":");
  in.OptionalText(kUserHandleBytesMax);
  in.Expect(",\"avatar_url\":");
  in.OptionalText(kUserAvatarUrlBytesMax);
  in.Expect("},\"object\":");
  ReadObject(in);
  in.Expect(",\"text\":");
  in.OptionalText(kTextBytesMax);
  in.Expect(",\"message\":");
  in.Text(kMessageBytesMax);
  in.Expect(",\"time\":\"");
  const std::string_view time = in.Bytes(kIsoTimeBytes);
  in.Expect("\",\"source\":{\"topic\":");
  in.String(kTopicBytesMax);
  in.Expect(",\"partition\":");
  in.Number(0, std::numeric_limits<int32_t>::max());
  in.Expect(",\"offset\":");
  in.Number(kAnyMin, kAnyMax);
  in.Expect("}}");
  if (!in.done() || received.recipient.empty() || received.recipient != key) return false;
  if (!FromHex(identity, received.identity.bytes)) return false;
  const EventKind* const kind = FindEventKind(type);
  if (kind == nullptr || kind->name != type) return false;
  std::string expected_time;
  expected_time.reserve(kIsoTimeBytes);
  AppendIsoTime(expected_time, received.time_ms);
  if (expected_time != time) return false;
  received.json = json;
  return simdjson::validate_utf8(json.data(), json.size());
}

ReceivedNotification AsReceived(const Notification& notification, std::string& json) {
  json.clear();
  pipeline::Serde<Notification>::Encode(notification, json);
  return {notification.identity, notification.retracted, notification.time_ms,
          notification.recipient, json};
}

class NotificationReceiver {
 public:
  base::Result<ReceivedNotification> Decode(const pipeline::RawRecord& record) {
    ReceivedNotification received;
    if (record.value && record.key && ReadAsWritten(*record.value, *record.key, received)) {
      return received;
    }
    base::Result<Notification> notification = serde_.Decode(record);
    if (!notification.ok()) return notification.status();
    received = AsReceived(*notification, json_);
    received.recipient = *record.key;  // decoded as the same
    return received;
  }

  std::optional<pipeline::RecordPlace> OriginOf(const pipeline::RawRecord& record) {
    return serde_.OriginOf(record);
  }

 private:
  pipeline::Serde<Notification> serde_;
  std::string json_;
};

}  // namespace stages

namespace pipeline {

using stages::ReceivedNotification;

Serde<ReceivedNotification>::Serde()
    : receiver_(std::make_unique<stages::NotificationReceiver>()) {}
Serde<ReceivedNotification>::~Serde() = default;
Serde<ReceivedNotification>::Serde(Serde&&) noexcept = default;
Serde<ReceivedNotification>& Serde<ReceivedNotification>::operator=(Serde&&) noexcept = default;

base::Result<ReceivedNotification> Serde<ReceivedNotification>::Decode(const RawRecord& record) {
  return receiver_->Decode(record);
}

std::optional<RecordPlace> Serde<ReceivedNotification>::OriginOf(const RawRecord& record) {
  return receiver_->OriginOf(record);
}

}  // namespace pipeline
