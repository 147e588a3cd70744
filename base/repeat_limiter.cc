#include "base/repeat_limiter.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace base {
namespace {

/// Of a message, for the line that tells the count.
constexpr size_t kMessageBytesMax = 200;

uint64_t KeyOf(std::string_view file, uint32_t line, std::string_view message) {
  const std::hash<std::string_view> hash;
  return hash(file) * 0x9E3779B97F4A7C15 + hash(message) * 31 + line;
}

}  // namespace

bool RepeatLimiter::Take(std::string_view file, uint32_t line, std::string_view message,
                         std::string_view component, int level, std::chrono::nanoseconds now) {
  const uint64_t key = KeyOf(file, line, message);
  auto it = kinds_.find(key);
  if (it != kinds_.end() && now - it->second.began >= kInterval) {
    if (it->second.left_out.lines > 0) forgotten_.push_back(std::move(it->second.left_out));
    kinds_.erase(it);
    it = kinds_.end();
  }
  if (it == kinds_.end()) {
    MakeRoom();
    Kind fresh;
    fresh.began = now;
    it = kinds_.emplace(key, std::move(fresh)).first;
  }
  Kind& kind = it->second;
  if (kind.written < kLinesMax) {
    ++kind.written;
    return true;
  }
  if (kind.left_out.lines++ == 0) {
    kind.left_out.message = message.substr(0, kMessageBytesMax);
    kind.left_out.component = component;
    kind.left_out.level = level;
    next_end_ = std::min(next_end_, kind.began + kInterval);
  }
  return false;
}

void RepeatLimiter::MakeRoom() {
  if (kinds_.size() < kKindsMax) return;
  const auto oldest =
      std::min_element(kinds_.begin(), kinds_.end(), [](const auto& one, const auto& other) {
        return one.second.began < other.second.began;
      });
  if (oldest->second.left_out.lines > 0) forgotten_.push_back(std::move(oldest->second.left_out));
  kinds_.erase(oldest);
}

std::vector<RepeatLimiter::LeftOut> RepeatLimiter::TakeLeftOut(std::chrono::nanoseconds now,
                                                               bool all) {
  std::vector<LeftOut> left_out = std::exchange(forgotten_, {});
  if (!all && now < next_end_) return left_out;
  next_end_ = std::chrono::nanoseconds::max();
  for (auto it = kinds_.begin(); it != kinds_.end();) {
    Kind& kind = it->second;
    const bool any = kind.left_out.lines > 0;
    if (!all && now - kind.began < kInterval) {
      if (any) next_end_ = std::min(next_end_, kind.began + kInterval);
      ++it;
      continue;
    }
    if (any) left_out.push_back(std::move(kind.left_out));
    it = kinds_.erase(it);
  }
  return left_out;
}

}  // namespace base
