#include "pipeline/lag_ages.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace pipeline {

std::chrono::milliseconds LagAges::Look(const base::TopicPartition& tp, int64_t records,
                                        int64_t last_timestamp_ms, int64_t now_ms) {
  const auto [it, first] = known_.try_emplace(tp);
  Known& known = it->second;
  known.seen = true;
  if (first) known.first_seen_ms = now_ms;
  if (records <= 0) {
    known.caught_up_ms = now_ms;
    return std::chrono::milliseconds(0);
  }
  const int64_t since = last_timestamp_ms > 0 ? last_timestamp_ms : known.first_seen_ms;
  return std::chrono::milliseconds(
      std::max<int64_t>(0, now_ms - std::max(since, known.caught_up_ms)));
}

void LagAges::EndRound() {
  for (auto it = known_.begin(); it != known_.end();) {
    it = std::exchange(it->second.seen, false) ? std::next(it) : known_.erase(it);
  }
}

}  // namespace pipeline
