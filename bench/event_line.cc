#include "bench/event_line.h"

#include <charconv>
#include <chrono>
#include <cstdio>
#include <string>
#include <utility>

namespace bench {
namespace {

using std::chrono::days;
using std::chrono::milliseconds;
using std::chrono::sys_days;

constexpr int64_t kMsPerMinute = 60'000;
constexpr int64_t kMsPerDay = 86'400'000;

void AppendUnicodeEscape(std::string& out, uint32_t unit) {
  char escape[16];
  std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(unit));
  out += escape;
}

/// The code point that starts at `text[at]`; moves `at` behind it.
uint32_t ReadCodePoint(std::string_view text, size_t& at) {
  const auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<uint8_t>(text[i])); };
  const uint32_t first = byte(at++);
  const int more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
  uint32_t point = more == 0 ? first : first & (0x3fU >> more);
  for (int i = 0; i < more; ++i) point = (point << 6) | (byte(at++) & 0x3fU);
  return point;
}

std::string FormatLocalTime(int64_t epoch_ms, std::string_view zone, bool with_ms) {
  const int64_t day = (epoch_ms >= 0 ? epoch_ms : epoch_ms - (kMsPerDay - 1)) / kMsPerDay;
  const int64_t in_day = epoch_ms - day * kMsPerDay;
  const std::chrono::year_month_day date{sys_days{days{day}}};
  char buffer[64];
  int length = std::snprintf(
      buffer, sizeof buffer, "%04d-%02u-%02uT%02d:%02d:%02d", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      static_cast<int>(in_day / 3'600'000), static_cast<int>(in_day / kMsPerMinute % 60),
      static_cast<int>(in_day / 1000 % 60));
  std::string text(buffer, static_cast<size_t>(length));
  if (with_ms) {
    length = std::snprintf(buffer, sizeof buffer, ".%03d", static_cast<int>(in_day % 1000));
    text.append(buffer, static_cast<size_t>(length));
  }
  return text.append(zone);
}

std::string WriteTime(int64_t time_ms, RandomSource& random) {
  if (random.Percent(30)) return std::to_string(time_ms);
  if (random.Percent(5)) {
    return '"' + FormatLocalTime(time_ms + 120 * kMsPerMinute, "+02:00", true) + '"';
  }
  const bool needs_ms = time_ms % 1000 != 0;
  return '"' + FormatLocalTime(time_ms, "Z", needs_ms || random.Percent(50)) + '"';
}

bool IsPlainInteger(std::string_view id) {
  if (id.empty() || id.size() > 15 || (id.front() == '0' && id.size() > 1)) return false;
  return id.find_first_not_of("0123456789") == std::string_view::npos;
}

std::string WriteId(std::string_view id, RandomSource& random, bool ascii_only) {
  if (IsPlainInteger(id) && random.Percent(10)) return std::string(id);
  return QuoteJson(id, ascii_only);
}

std::string WriteTargets(const EventDraft& draft, RandomSource& random, bool ascii_only) {
  std::string list = "[";
  for (const std::string& target : draft.targets) {
    if (list.size() > 1) list += ',';
    list += WriteId(target, random, ascii_only);
  }
  return list + ']';
}

std::string WriteObject(const EventObject& object, RandomSource& random, bool ascii_only) {
  std::string text = "{";
  if (!object.type.empty()) text += "\"type\":" + QuoteJson(object.type, ascii_only) + ',';
  text += "\"id\":" + WriteId(object.id, random, ascii_only);
  if (!object.title.empty()) text += ",\"title\":" + QuoteJson(object.title, ascii_only);
  return text + '}';
}

constexpr std::string_view kUnknownFields[][2] = {
    {"client", R"({"app":"ios","build":[1,2,{"x":null}]})"},
    {"trace_id", R"("0af7651916cd43dd8448eb211c80319c")"},
    {"weight", "-1.5e3"},
    {"version", "null"},
};

}  // namespace

std::string QuoteJson(std::string_view text, bool ascii_only) {
  std::string out = "\"";
  for (size_t at = 0; at < text.size();) {
    const size_t start = at;
    const uint32_t point = ReadCodePoint(text, at);
    if (point == '"' || point == '\\') {
      out += '\\';
      out += static_cast<char>(point);
    } else if (point == '\n') {
      out += "\\n";
    } else if (point == '\t') {
      out += "\\t";
    } else if (point < 0x20) {
      AppendUnicodeEscape(out, point);
    } else if (point == '/' && ascii_only) {
      out += "\\/";
    } else if (point < 0x80 || !ascii_only) {
      out += text.substr(start, at - start);
    } else if (point < 0x10000) {
      AppendUnicodeEscape(out, point);
    } else {
      AppendUnicodeEscape(out, 0xd800 + ((point - 0x10000) >> 10));
      AppendUnicodeEscape(out, 0xdc00 + ((point - 0x10000) & 0x3ff));
    }
  }
  return out + '"';
}

std::string WriteEventLine(const EventDraft& draft, RandomSource& random) {
  const bool ascii_only = random.Percent(20);
  std::vector<std::pair<std::string_view, std::string>> fields;
  if (!draft.id.empty()) fields.emplace_back("id", WriteId(draft.id, random, ascii_only));
  fields.emplace_back("type", QuoteJson(draft.type, false));
  fields.emplace_back("actor", WriteId(draft.actor, random, ascii_only));
  if (draft.targets.size() == 1 && random.Percent(85)) {
    fields.emplace_back("target", WriteId(draft.targets[0], random, ascii_only));
  } else {
    fields.emplace_back("targets", WriteTargets(draft, random, ascii_only));
  }
  if (draft.object) fields.emplace_back("object", WriteObject(*draft.object, random, ascii_only));
  if (draft.text) fields.emplace_back("text", QuoteJson(*draft.text, ascii_only));
  if (!draft.undo_of.empty()) {
    fields.emplace_back("undo_of", WriteId(draft.undo_of, random, ascii_only));
  }
  fields.emplace_back("time", WriteTime(draft.time_ms, random));
  if (random.Percent(5)) {
    const auto& unknown = kUnknownFields[random.Below(std::size(kUnknownFields))];
    fields.emplace_back(unknown[0], std::string(unknown[1]));
  }
  if (random.Percent(25)) random.Shuffle(fields);

  const std::string_view blank = random.Percent(10) ? " " : "";
  std::string line = "{";
  for (const auto& [name, value] : fields) {
    if (line.size() > 1) line.append(",").append(blank);
    line.append("\"").append(name).append("\":").append(blank).append(value);
  }
  return line + '}';
}

std::string FormatIsoTime(int64_t epoch_ms) { return FormatLocalTime(epoch_ms, "Z", true); }

std::optional<int64_t> ParseTime(std::string_view text) {
  int64_t epoch_ms = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), epoch_ms);
  if (error == std::errc() && end == text.data() + text.size()) return epoch_ms;

  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, ms = 0;
  char last = 0;
  const std::string copy(text);
  const int with_ms = std::sscanf(copy.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d.%3d%c", &year, &month,
                                  &day, &hour, &minute, &second, &ms, &last);
  if (with_ms != 8) {
    ms = 0;
    if (std::sscanf(copy.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d%c", &year, &month, &day, &hour, &minute,
                    &second, &last) != 7) {
      return std::nullopt;
    }
  }
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (last != 'Z' || !date.ok()) return std::nullopt;
  const int64_t days_ms =
      static_cast<int64_t>(sys_days(date).time_since_epoch().count()) * kMsPerDay;
  return days_ms + ((hour * 60 + minute) * 60 + second) * int64_t{1000} + ms;
}

}  // namespace bench
