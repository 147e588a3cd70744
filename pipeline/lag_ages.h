#pragma once

#include <chrono>
#include <cstdint>
#include <map>

#include "base/ids.h"

namespace pipeline {

/// For how long what waits in a partition has been waiting, as far as looks from time to time tell.
///
/// The record that waits longest is not known before it is read. The one before it is: what waits came
/// after it. But a partition in which nothing happened for an hour is not an hour behind when a record
/// comes, so it is no longer either than since the last look at which nothing waited.
///
/// Threads: one.
class LagAges {
 public:
  /// One look at a partition at `now_ms` (wall clock): so many records wait, and the last that was
  /// processed has this timestamp (0: none was yet). Returns the age; 0 when nothing waits.
  std::chrono::milliseconds Look(const base::TopicPartition& tp, int64_t records,
                                 int64_t last_timestamp_ms, int64_t now_ms);
  /// Forgets the partitions that were not looked at since the last call.
  void EndRound();

 private:
  struct Known {
    int64_t first_seen_ms = 0;
    /// The last look at which nothing waited; below 0: there was none.
    int64_t caught_up_ms = -1;
    bool seen = true;
  };
  std::map<base::TopicPartition, Known> known_;
};

}  // namespace pipeline
