#include "bench/floor_json.h"

#include <simdjson.h>
#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstring>

namespace bench {
namespace {

namespace ondemand = simdjson::ondemand;

constexpr std::string_view kHex = "0123456789abcdef";
constexpr std::string_view kKindNames[] = {"follow", "like", "mention", "message"};
constexpr size_t kHexBytes = 2 * sizeof(FloorIdentity);
constexpr size_t kEventTargetsMax = 10'000;
constexpr int64_t kMsPerDay = 86'400'000;

// ---- writing ------------------------------------------------------------------------------------

void AppendNumber(std::string& out, int64_t number) {
  char digits[24];
  const char* const end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out.append(digits, static_cast<size_t>(end - digits));
}

bool NeedsEscape(char c) { return static_cast<uint8_t>(c) < 0x20 || c == '"' || c == '\\'; }

void AppendEscaped(std::string& out, std::string_view text) {
  size_t plain = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (!NeedsEscape(c)) [[likely]]
      continue;
    out.append(text, plain, i - plain);
    plain = i + 1;
    out += '\\';
    if (c == '"' || c == '\\') {
      out += c;
    } else if (c == '\n') {
      out += 'n';
    } else if (c == '\r') {
      out += 'r';
    } else if (c == '\t') {
      out += 't';
    } else {
      out += "u00";
      out += kHex[static_cast<uint8_t>(c) >> 4];
      out += kHex[static_cast<uint8_t>(c) & 15];
    }
  }
  out.append(text, plain);
}

void AppendQuoted(std::string& out, std::string_view text) {
  out += '"';
  AppendEscaped(out, text);
  out += '"';
}

void AppendQuoted(std::string& out, const std::optional<std::string_view>& text) {
  if (text) {
    AppendQuoted(out, *text);
  } else {
    out += "null";
  }
}

void AppendPadded(std::string& out, int number, int digits) {
  char text[4];
  for (int i = digits - 1; i >= 0; --i) {
    text[i] = static_cast<char>('0' + number % 10);
    number /= 10;
  }
  out.append(text, static_cast<size_t>(digits));
}

void AppendTime(std::string& out, int64_t time_ms) {
  const int64_t day = (time_ms >= 0 ? time_ms : time_ms - (kMsPerDay - 1)) / kMsPerDay;
  const int in_day = static_cast<int>(time_ms - day * kMsPerDay);
  const std::chrono::year_month_day date{
      std::chrono::sys_days(std::chrono::days(static_cast<int>(day)))};
  AppendPadded(out, static_cast<int>(date.year()), 4);
  out += '-';
  AppendPadded(out, static_cast<int>(static_cast<unsigned>(date.month())), 2);
  out += '-';
  AppendPadded(out, static_cast<int>(static_cast<unsigned>(date.day())), 2);
  out += 'T';
  AppendPadded(out, in_day / 3'600'000, 2);
  out += ':';
  AppendPadded(out, in_day / 60'000 % 60, 2);
  out += ':';
  AppendPadded(out, in_day / 1000 % 60, 2);
  out += '.';
  AppendPadded(out, in_day % 1000, 3);
  out += 'Z';
}

// ---- identities ---------------------------------------------------------------------------------

void AddField(std::string& fields, std::string_view field) {
  const auto size = static_cast<uint32_t>(field.size());
  for (int shift = 0; shift < 32; shift += 8) fields += static_cast<char>((size >> shift) & 0xff);
  fields += field;
}

FloorIdentity Hash(std::string_view fields) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(fields.data(), fields.size()));
  FloorIdentity identity;
  std::memcpy(identity.data(), canonical.digest, identity.size());
  return identity;
}

void AppendHex(std::string& out, const FloorIdentity& identity) {
  char digits[kHexBytes];
  for (size_t i = 0; i < identity.size(); ++i) {
    const auto byte = static_cast<uint8_t>(identity[i]);
    digits[2 * i] = kHex[byte >> 4];
    digits[2 * i + 1] = kHex[byte & 15];
  }
  out.append(digits, sizeof digits);
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

bool FromHex(std::string_view hex, FloorIdentity& identity) {
  for (size_t i = 0; i < identity.size(); ++i) {
    const int high = HexDigit(hex[2 * i]);
    const int low = HexDigit(hex[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    identity[i] = static_cast<char>(high * 16 + low);
  }
  return true;
}

/// The id of an event that has none.
void MakeEventId(const FloorPlace& place, std::string_view json, std::string& id) {
  std::string fields;
  std::string number;
  AddField(fields, place.topic);
  for (const int64_t each : {int64_t{place.partition}, place.offset, place.timestamp_ms}) {
    number.clear();
    AppendNumber(number, each);
    AddField(fields, number);
  }
  AddField(fields, json);
  id = "h-";
  AppendHex(id, Hash(fields));
}

// ---- reading ------------------------------------------------------------------------------------

bool TakeDigits(std::string_view& text, size_t count, int& number) {
  if (text.size() < count) return false;
  number = 0;
  for (size_t i = 0; i < count; ++i) {
    if (text[i] < '0' || text[i] > '9') return false;
    number = number * 10 + (text[i] - '0');
  }
  text.remove_prefix(count);
  return true;
}

bool Take(std::string_view& text, char expected) {
  if (!text.starts_with(expected)) return false;
  text.remove_prefix(1);
  return true;
}

/// "2026-11-21T05:00:00[.123]" and "Z" or "+02:00".
bool ParseTime(std::string_view text, int64_t& time_ms) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  if (!TakeDigits(text, 4, year) || !Take(text, '-') || !TakeDigits(text, 2, month) ||
      !Take(text, '-') || !TakeDigits(text, 2, day) || !Take(text, 'T') ||
      !TakeDigits(text, 2, hour) || !Take(text, ':') || !TakeDigits(text, 2, minute) ||
      !Take(text, ':') || !TakeDigits(text, 2, second)) {
    return false;
  }
  int64_t ms = 0;
  if (Take(text, '.')) {
    int64_t unit = 100;
    for (; !text.empty() && text[0] >= '0' && text[0] <= '9'; text.remove_prefix(1), unit /= 10) {
      ms += unit * (text[0] - '0');
    }
  }
  int64_t offset_minutes = 0;
  if (!Take(text, 'Z')) {
    const bool east = text.starts_with('+');
    int hours = 0, minutes = 0;
    if (!Take(text, '+') && !Take(text, '-')) return false;
    if (!TakeDigits(text, 2, hours) || !Take(text, ':') || !TakeDigits(text, 2, minutes)) {
      return false;
    }
    offset_minutes = (hours * 60 + minutes) * (east ? 1 : -1);
  }
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!text.empty() || !date.ok()) return false;
  const int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  time_ms = days * kMsPerDay + (hour * 60 + minute - offset_minutes) * 60'000 +
            second * int64_t{1000} + ms;
  return true;
}

bool IsNull(ondemand::value& value) {
  ondemand::json_type type;
  return value.type().get(type) == simdjson::SUCCESS && type == ondemand::json_type::null;
}

bool TakeText(ondemand::value& value, std::optional<std::string_view>& text) {
  if (IsNull(value)) return true;
  std::string_view view;
  if (value.get_string().get(view) != simdjson::SUCCESS) return false;
  text = view;
  return true;
}

/// A string, or an integer as its digits.
bool TakeId(ondemand::value& value, std::string_view& id) {
  ondemand::json_type type;
  if (value.type().get(type) != simdjson::SUCCESS) return false;
  if (type == ondemand::json_type::null) return true;
  if (type == ondemand::json_type::string) {
    return value.get_string().get(id) == simdjson::SUCCESS;
  }
  if (type != ondemand::json_type::number) return false;
  id = value.raw_json_token();
  id = id.substr(0, id.find_last_not_of(" \t\r\n") + 1);
  return id.find_first_not_of("-0123456789") == std::string_view::npos;
}

bool TakeEventTime(ondemand::value& value, int64_t& time_ms) {
  ondemand::json_type type;
  if (value.type().get(type) != simdjson::SUCCESS) return false;
  if (type == ondemand::json_type::null) return true;
  if (type == ondemand::json_type::number)
    return value.get_int64().get(time_ms) == simdjson::SUCCESS;
  std::string_view text;
  return value.get_string().get(text) == simdjson::SUCCESS && ParseTime(text, time_ms);
}

bool TakeTargets(ondemand::value& value, std::vector<std::string_view>& targets) {
  if (IsNull(value)) return true;
  ondemand::array array;
  if (value.get_array().get(array) != simdjson::SUCCESS) return false;
  for (auto next : array) {
    ondemand::value element;
    std::string_view target;
    if (next.get(element) != simdjson::SUCCESS || !TakeId(element, target) || target.empty()) {
      return false;
    }
    targets.push_back(target);
  }
  return true;
}

/// Calls take(name, value) for each member until it says false.
template <typename Take>
bool EachMember(ondemand::object& object, const Take& take) {
  for (auto next : object) {
    ondemand::field member;
    std::string_view name;
    if (std::move(next).get(member) != simdjson::SUCCESS ||
        member.unescaped_key().get(name) != simdjson::SUCCESS || !take(name, member.value())) {
      return false;
    }
  }
  return true;
}

bool AtEnd(ondemand::document& document) {
  const char* rest = nullptr;
  return document.current_location().get(rest) == simdjson::OUT_OF_BOUNDS;
}

bool TakeObject(ondemand::value& value, FloorEvent& event) {
  if (IsNull(value)) return true;
  ondemand::object object;
  if (value.get_object().get(object) != simdjson::SUCCESS) return false;
  event.has_object = true;
  return EachMember(object, [&](std::string_view name, ondemand::value& member) {
    if (name == "type") return TakeText(member, event.object_type);
    if (name == "title") return TakeText(member, event.object_title);
    if (name != "id") return true;
    std::string_view id;
    if (!TakeId(member, id)) return false;
    if (!id.empty()) event.object_id = id;
    return true;
  });
}

bool SetType(std::string_view name, FloorEvent& event) {
  event.undo = name.starts_with("un");
  if (event.undo) name.remove_prefix(2);
  const auto* const kind = std::find(std::begin(kKindNames), std::end(kKindNames), name);
  if (kind == std::end(kKindNames)) return false;
  event.kind = static_cast<FloorKind>(kind - std::begin(kKindNames));
  return !(event.undo && event.kind == FloorKind::kMessage);
}

/// Each target once, and nobody of their own doing unless it is a message.
void KeepRecipients(FloorEvent& event) {
  std::vector<std::string_view>& targets = event.targets;
  if (event.kind != FloorKind::kMessage) std::erase(targets, event.actor);
  auto end = targets.begin();
  for (auto it = targets.begin(); it != targets.end(); ++it) {
    if (std::find(targets.begin(), end, *it) == end) *end++ = *it;
  }
  targets.erase(end, targets.end());
}

}  // namespace

struct FloorReader::Impl {
  /// simdjson reads beyond the end, so the text is copied to where it may.
  bool Start(std::string_view json, ondemand::document& document, ondemand::object& object) {
    const size_t needed = json.size() + simdjson::SIMDJSON_PADDING;
    if (padded.size() < needed) padded.resize(2 * needed);
    std::memcpy(padded.data(), json.data(), json.size());
    return parser.iterate(padded.data(), json.size(), padded.size()).get(document) ==
               simdjson::SUCCESS &&
           document.get_object().get(object) == simdjson::SUCCESS;
  }

  ondemand::parser parser;
  std::string padded;
  std::string made_id;
};

FloorReader::FloorReader() : impl_(std::make_unique<Impl>()) {}
FloorReader::~FloorReader() = default;

bool FloorReader::ReadEvent(std::string_view json, const FloorPlace& place, FloorEvent& event) {
  event.id = event.actor = event.undo_of = {};
  event.targets.clear();
  event.has_object = false;
  event.object_type = event.object_id = event.object_title = event.text = std::nullopt;
  event.time_ms = place.timestamp_ms;
  bool has_type = false;
  ondemand::document document;
  ondemand::object object;
  if (!impl_->Start(json, document, object)) return false;
  const bool read = EachMember(object, [&](std::string_view name, ondemand::value& value) {
    if (name == "id") return TakeId(value, event.id);
    if (name == "type") {
      std::string_view type;
      has_type = value.get_string().get(type) == simdjson::SUCCESS && SetType(type, event);
      return has_type;
    }
    if (name == "actor") return TakeId(value, event.actor);
    if (name == "target") {
      std::string_view target;
      if (!TakeId(value, target)) return false;
      if (!target.empty()) event.targets.push_back(target);
      return true;
    }
    if (name == "targets") return TakeTargets(value, event.targets);
    if (name == "object") return TakeObject(value, event);
    if (name == "text") return TakeText(value, event.text);
    if (name == "undo_of") return TakeId(value, event.undo_of);
    if (name == "time") return TakeEventTime(value, event.time_ms);
    return true;
  });
  if (!read || !AtEnd(document) || !has_type || event.actor.empty() || event.targets.empty() ||
      event.targets.size() > kEventTargetsMax) {
    return false;
  }
  if (event.id.empty()) {
    MakeEventId(place, json, impl_->made_id);
    event.id = impl_->made_id;
  }
  KeepRecipients(event);
  return true;
}

bool FloorReader::ReadUser(std::string_view key, std::string_view json, FloorUser& user) {
  std::optional<std::string_view> name, handle, avatar_url;
  ondemand::document document;
  ondemand::object object;
  if (!impl_->Start(json, document, object) ||
      !EachMember(object, [&](std::string_view member, ondemand::value& value) {
        if (member == "name") return TakeText(value, name);
        if (member == "handle") return TakeText(value, handle);
        if (member == "avatar_url") return TakeText(value, avatar_url);
        return true;
      })) {
    return false;
  }
  user = {};
  user.json = "{\"id\":";
  AppendQuoted(user.json, key);
  user.json += ",\"name\":";
  AppendQuoted(user.json, name);
  user.json += ",\"handle\":";
  AppendQuoted(user.json, handle);
  user.json += ",\"avatar_url\":";
  AppendQuoted(user.json, avatar_url);
  user.json += '}';
  AppendEscaped(user.name, name && !name->empty() ? *name : "Someone");
  return true;
}

bool FloorReader::ReadNotification(std::string_view key, std::string_view json,
                                   FloorNotification& notification) {
  notification.retracted = false;
  notification.recipient = {};
  notification.json = json;
  std::string_view id;
  ondemand::document document;
  ondemand::object object;
  if (!impl_->Start(json, document, object) ||
      !EachMember(object,
                  [&](std::string_view name, ondemand::value& value) {
                    if (name == "id") return value.get_string().get(id) == simdjson::SUCCESS;
                    if (name == "recipient") {
                      return value.get_string().get(notification.recipient) == simdjson::SUCCESS;
                    }
                    if (name == "retracted") {
                      return value.get_bool().get(notification.retracted) == simdjson::SUCCESS;
                    }
                    return true;
                  }) ||
      !AtEnd(document)) {
    return false;
  }
  if (notification.recipient != key || id.size() < kHexBytes + 2 || id[kHexBytes] != '-' ||
      !FromHex(id, notification.identity)) {
    return false;
  }
  const char* const end = id.data() + id.size();
  const auto parsed = std::from_chars(id.data() + kHexBytes + 1, end, notification.time_ms);
  return parsed.ec == std::errc() && parsed.ptr == end;
}

void FloorWriter::StartEvent(const FloorEvent& event, const FloorUser* actor,
                             const FloorPlace& place) {
  const std::string_view object_id = event.object_id.value_or("");
  const std::string_view object_type = event.object_type.value_or("");
  const std::string_view object_title = event.object_title.value_or("");
  const std::string_view text = event.text.value_or("");
  const std::string_view event_id = event.undo && !event.undo_of.empty() ? event.undo_of : event.id;

  identity_fields_.clear();
  AddField(identity_fields_, kKindNames[static_cast<size_t>(event.kind)]);
  AddField(identity_fields_, event.actor);
  if (event.kind == FloorKind::kLike || (event.kind == FloorKind::kMention && !object_id.empty())) {
    AddField(identity_fields_, "object");
    AddField(identity_fields_, object_id);
  } else if (event.kind != FloorKind::kFollow) {
    AddField(identity_fields_, "event");
    AddField(identity_fields_, event_id);
  }
  identity_mark_ = identity_fields_.size();

  rest_ = ",\"actor\":";
  if (actor != nullptr) {
    rest_ += actor->json;
  } else {
    rest_ += "{\"id\":";
    AppendQuoted(rest_, event.actor);
    rest_ += ",\"name\":null,\"handle\":null,\"avatar_url\":null}";
  }
  if (event.has_object) {
    rest_ += ",\"object\":{\"type\":";
    AppendQuoted(rest_, event.object_type);
    rest_ += ",\"id\":";
    AppendQuoted(rest_, event.object_id);
    rest_ += ",\"title\":";
    AppendQuoted(rest_, event.object_title);
    rest_ += "},\"text\":";
  } else {
    rest_ += ",\"object\":null,\"text\":";
  }
  AppendQuoted(rest_, event.text);

  rest_ += ",\"message\":\"";
  if (event.kind != FloorKind::kMessage) {
    rest_ += actor != nullptr ? std::string_view(actor->name) : "Someone";
  }
  switch (event.kind) {
    case FloorKind::kFollow:
      rest_ += " started following you.";
      break;
    case FloorKind::kLike:
      rest_ += " liked your ";
      AppendEscaped(rest_, object_type.empty() ? "post" : object_type);
      rest_ += object_title.empty() ? "." : ": ";
      AppendEscaped(rest_, object_title);
      break;
    case FloorKind::kMention:
      rest_ += " mentioned you";
      if (!object_type.empty()) {
        const bool vowel = std::string_view("aeiou").find(object_type[0]) != std::string_view::npos;
        rest_ += vowel ? " in an " : " in a ";
        AppendEscaped(rest_, object_type);
      }
      rest_ += text.empty() ? "." : ": ";
      AppendEscaped(rest_, text);
      break;
    case FloorKind::kMessage:
      AppendEscaped(rest_, text);
      break;
  }
  rest_ += "\",\"time\":\"";
  AppendTime(rest_, event.time_ms);
  rest_ += "\",\"source\":{\"topic\":\"";
  rest_ += place.topic;
  rest_ += "\",\"partition\":";
  AppendNumber(rest_, place.partition);
  rest_ += ",\"offset\":";
  AppendNumber(rest_, place.offset);
  rest_ += "}}";
}

const std::string& FloorWriter::Write(const FloorEvent& event, std::string_view recipient) {
  identity_fields_.resize(identity_mark_);
  AddField(identity_fields_, recipient);
  json_ = "{\"v\":1,\"id\":\"";
  AppendHex(json_, Hash(identity_fields_));
  json_ += '-';
  AppendNumber(json_, event.time_ms);
  json_ += "\",\"type\":\"";
  json_ += kKindNames[static_cast<size_t>(event.kind)];
  json_ += event.undo ? "\",\"retracted\":true,\"recipient\":" : "\",\"recipient\":";
  AppendQuoted(json_, recipient);
  json_ += rest_;
  return json_;
}

}  // namespace bench
