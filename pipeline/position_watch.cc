#include "pipeline/position_watch.h"

#include <utility>
#include <vector>

namespace pipeline {

uint64_t PositionWatch::Wait(const base::TopicPartition& tp, base::Offset offset,
                             Callback callback) {
  Outcome known = Outcome::kMoved;
  uint64_t number = 0;
  {
    const base::MutexLock lock(mutex_);
    const auto it = positions_.find(tp);
    if (it != positions_.end() && it->second <= offset) {
      if (waits_count_ >= kWaitsMax) return 0;
      ++waits_count_;
      waits_[tp].emplace(offset, Waiting{++last_number_, std::move(callback)});
      return last_number_;
    }
    if (it != positions_.end()) known = Outcome::kPassed;
    number = ++last_number_;
  }
  callback(known);
  return number;
}

void PositionWatch::Cancel(uint64_t wait) {
  // Its captures may be the last owners of something: let go of them without the lock.
  Callback cancelled;
  const base::MutexLock lock(mutex_);
  for (auto& [tp, waits] : waits_) {
    for (auto it = waits.begin(); it != waits.end(); ++it) {
      if (it->second.number != wait) continue;
      cancelled = std::move(it->second.callback);
      waits.erase(it);
      --waits_count_;
      return;
    }
  }
}

std::optional<base::Offset> PositionWatch::Position(const base::TopicPartition& tp) const {
  const base::MutexLock lock(mutex_);
  const auto it = positions_.find(tp);
  if (it == positions_.end()) return std::nullopt;
  return it->second;
}

void PositionWatch::Committed(const base::TopicPartition& tp, base::Offset position) {
  std::vector<Callback> passed;
  {
    const base::MutexLock lock(mutex_);
    positions_[tp] = position;
    const auto waits = waits_.find(tp);
    if (waits == waits_.end()) return;
    const auto end = waits->second.lower_bound(position);
    for (auto it = waits->second.begin(); it != end; ++it) {
      passed.push_back(std::move(it->second.callback));
    }
    waits->second.erase(waits->second.begin(), end);
    waits_count_ -= passed.size();
  }
  for (const Callback& callback : passed) callback(Outcome::kPassed);
}

void PositionWatch::Gone(const base::TopicPartition& tp) {
  std::multimap<base::Offset, Waiting> waits;
  {
    const base::MutexLock lock(mutex_);
    positions_.erase(tp);
    const auto it = waits_.find(tp);
    if (it == waits_.end()) return;
    waits = std::move(it->second);
    waits_.erase(it);
    waits_count_ -= waits.size();
  }
  for (const auto& [offset, waiting] : waits) waiting.callback(Outcome::kMoved);
}

}  // namespace pipeline
