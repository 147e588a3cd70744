#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>

#include "base/ids.h"
#include "base/mutex.h"

namespace pipeline {

/// Waits of other threads for a task to commit past a record; for HTTP: "my action is in the
/// inbox".
///
/// Stream threads say how far their tasks have committed, and when a task is no longer theirs.
/// Threads: any.
class PositionWatch {
 public:
  enum class Outcome {
    /// The record's effects are committed and readers see them.
    kPassed,
    /// The task is not here, or left while we waited: nobody here knows.
    kMoved,
  };
  /// Called once, on the thread that brings the outcome, maybe before Wait() returns; must not
  /// block.
  using Callback = std::function<void(Outcome)>;

  /// Waits at the same time at most.
  static constexpr size_t kWaitsMax = 10'000;

  /// Calls `callback` when the task that reads `tp` has committed past `offset`. Returns a number
  /// for Cancel(); 0, without a call, when there are too many waits.
  uint64_t Wait(const base::TopicPartition& tp, base::Offset offset, Callback callback);
  /// Afterwards the callback is not called any more, unless it is being called right now.
  void Cancel(uint64_t wait);

  /// Up to where the task that reads `tp` has committed; nullopt: it is not here.
  std::optional<base::Offset> Position(const base::TopicPartition& tp) const;

  /// Everything of `tp` before `position` is committed and can be read here.
  void Committed(const base::TopicPartition& tp, base::Offset position);
  /// The task that reads `tp` is not here any more.
  void Gone(const base::TopicPartition& tp);

 private:
  struct Waiting {
    uint64_t number = 0;
    Callback callback;
  };
  mutable base::Mutex mutex_;
  uint64_t last_number_ GUARDED_BY(mutex_) = 0;
  std::map<base::TopicPartition, base::Offset> positions_ GUARDED_BY(mutex_);
  std::map<base::TopicPartition, std::multimap<base::Offset, Waiting>> waits_ GUARDED_BY(mutex_);
  size_t waits_count_ GUARDED_BY(mutex_) = 0;
};

}  // namespace pipeline
