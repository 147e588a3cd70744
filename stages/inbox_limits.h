#pragma once

#include <cstddef>
#include <cstdint>

namespace stages {

/// How much of an inbox is kept; the oldest rows go first.
struct InboxLimits {
  /// Rows of one recipient at most. REQUIRES: > 0.
  size_t items_max = 100'000;
  /// Rows whose `time` is longer ago go, in milliseconds; 0: never.
  int64_t age_max_ms = 0;
};

/// Tombstones (undone or never seen identities) of one recipient at most, and how long they are
/// kept by the clock of the records. An undo that comes later than its event by more than that may
/// find its event forgotten.
inline constexpr uint64_t kTombstonesMax = 1'000;
inline constexpr int64_t kTombstoneAgeMsMax = int64_t{7} * 24 * 3'600'000;

}  // namespace stages
