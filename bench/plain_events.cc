#include "bench/plain_events.h"

#include <string_view>

namespace bench {
namespace {

constexpr int64_t kStepMs = 5;
constexpr uint64_t kObjectsOfAUser = 100;
constexpr std::string_view kTitles[] = {"My weekend getaway!", "Sunset", "Ten things to see",
                                        "First day at work"};
constexpr std::string_view kTexts[] = {"Great seeing you yesterday!", "Look at this",
                                       "Who was it that said so?", "Thank you so much"};
constexpr std::string_view kNames[] = {"Emma", "Bruno", "Rick", "Lena", "Ada", "Linus"};

std::string UserId(size_t index) { return std::to_string(index + 1); }

}  // namespace

std::string PlainEvents::NextLine() {
  const int64_t time_ms = options_.start_time_ms + static_cast<int64_t>(lines_++) * kStepMs;
  const size_t recipient =
      options_.first_user_percent > 0 && random_.Percent(options_.first_user_percent)
          ? 0
          : recipients_.DrawRecipient(random_);
  size_t actor = random_.Below(options_.users - 1);
  if (actor >= recipient) ++actor;  // nobody is notified of their own doings

  const uint64_t kind = random_.Below(100);
  std::string line = kind < 60 ? "{\"type\":\"like\"" : "{\"type\":\"mention\"";
  if (kind >= 80) line = "{\"type\":\"follow\"";
  line += ",\"actor\":\"" + UserId(actor) + "\",\"target\":\"" + UserId(recipient) + "\"";
  if (kind < 80) {
    const uint64_t object = random_.Below(kObjectsOfAUser);
    line += R"(,"object":{"type":"post","id":"p)" + UserId(recipient) + "-" +
            std::to_string(object) + "\"";
    if (kind < 60) line += ",\"title\":\"" + std::string(kTitles[object % 4]) + "\"";
    line += "}";
  }
  if (kind >= 60 && kind < 80) line += ",\"text\":\"" + std::string(kTexts[kind % 4]) + "\"";
  return line + ",\"time\":" + std::to_string(time_ms) + "}";
}

std::string PlainUserLine(size_t index) {
  const std::string id = UserId(index);
  return "{\"id\":\"" + id + "\",\"name\":\"" + std::string(kNames[index % 6]) + " " + id +
         "\",\"handle\":\"user_" + id + "\",\"avatar_url\":null}";
}

}  // namespace bench
