#include "stages/iso_time.h"

#include <chrono>

#include "base/check.h"

namespace stages {
namespace {

constexpr int64_t kMsPerDay = 86'400'000;
constexpr int64_t kMsPerMinute = 60'000;

/// Takes exactly `count` digits off the front; -1 when there are not so many.
int TakeDigits(std::string_view& text, size_t count) {
  if (text.size() < count) return -1;
  int number = 0;
  for (size_t i = 0; i < count; ++i) {
    if (text[i] < '0' || text[i] > '9') return -1;
    number = number * 10 + (text[i] - '0');
  }
  text.remove_prefix(count);
  return number;
}

bool Take(std::string_view& text, char expected) {
  if (!text.starts_with(expected)) return false;
  text.remove_prefix(1);
  return true;
}

/// Milliseconds of ".25"; a comma is ISO 8601 too. -1 when malformed.
int64_t TakeFraction(std::string_view& text) {
  if (!Take(text, '.') && !Take(text, ',')) return 0;
  int64_t ms = 0;
  int64_t unit = 100;
  size_t digits = 0;
  for (; digits < text.size() && text[digits] >= '0' && text[digits] <= '9'; ++digits) {
    ms += unit * (text[digits] - '0');
    unit /= 10;
  }
  text.remove_prefix(digits);
  return digits > 0 ? ms : -1;
}

/// Minutes east of Greenwich, from "Z", "+02:00", "+0200" or "+02".
std::optional<int64_t> TakeOffset(std::string_view& text) {
  if (Take(text, 'Z') || Take(text, 'z')) return 0;
  const bool east = text.starts_with('+');
  if (!east && !text.starts_with('-')) return std::nullopt;
  text.remove_prefix(1);
  const int hours = TakeDigits(text, 2);
  int minutes = 0;
  if (!text.empty()) {
    (void)Take(text, ':');
    minutes = TakeDigits(text, 2);
  }
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return std::nullopt;
  const int64_t offset = hours * 60 + minutes;
  return east ? offset : -offset;
}

void AppendPadded(std::string& out, int number, int digits) {
  char text[8];
  for (int i = digits - 1; i >= 0; --i) {
    text[i] = static_cast<char>('0' + number % 10);
    number /= 10;
  }
  out.append(text, static_cast<size_t>(digits));
}

}  // namespace

std::optional<int64_t> ParseIsoTime(std::string_view text) {
  const int year = TakeDigits(text, 4);
  if (!Take(text, '-')) return std::nullopt;
  const int month = TakeDigits(text, 2);
  if (!Take(text, '-')) return std::nullopt;
  const int day = TakeDigits(text, 2);
  if (!Take(text, 'T') && !Take(text, 't') && !Take(text, ' ')) return std::nullopt;
  const int hour = TakeDigits(text, 2);
  if (!Take(text, ':')) return std::nullopt;
  const int minute = TakeDigits(text, 2);
  if (!Take(text, ':')) return std::nullopt;
  const int second = TakeDigits(text, 2);
  const int64_t fraction_ms = TakeFraction(text);
  const std::optional<int64_t> offset = TakeOffset(text);
  if (year < 0 || month < 0 || day < 0 || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
      second < 0 || second > 59 || fraction_ms < 0 || !offset || !text.empty()) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  const int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  const int64_t time_ms = days * kMsPerDay + (hour * 60 + minute - *offset) * kMsPerMinute +
                          second * int64_t{1000} + fraction_ms;
  if (time_ms < kTimeMsMin || time_ms > kTimeMsMax) return std::nullopt;
  return time_ms;
}

void AppendIsoTime(std::string& out, int64_t time_ms) {
  CHECK(time_ms >= kTimeMsMin && time_ms <= kTimeMsMax, "a time that cannot be written");
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

}  // namespace stages
