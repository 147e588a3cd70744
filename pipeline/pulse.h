#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "base/clock.h"

namespace pipeline {

/// Notices that the whole process stood still (SIGSTOP, a debugger, a machine that swaps; not a machine
/// that was suspended, whose clock stood still as well): somebody beats it all the time, and when it was not beaten for longer than the group
/// waits for a sign of life, others may have what this process still believes to be its own.
///
/// Threads: Beat() from one, the rest from any.
class Pulse {
 public:
  /// `limit`: the group's session time-out.
  Pulse(const base::Clock& clock, std::chrono::nanoseconds limit)
      : clock_(clock), limit_(limit), last_beat_ns_(clock.Monotonic().count()) {}

  /// True while a standstill has not been seen to: what this process has may be another's.
  bool Stale() const {
    return clock_.Monotonic().count() - last_beat_ns_.load(std::memory_order_acquire) >
           limit_.count();
  }

  /// Tells `on_standstill` first when there was one; only then does it beat on, so that in between
  /// nobody takes what is old for new.
  template <typename OnStandstill>
  void Beat(const OnStandstill& on_standstill) {
    if (Stale()) {
      standstills_.fetch_add(1, std::memory_order_acq_rel);
      on_standstill();
    }
    last_beat_ns_.store(clock_.Monotonic().count(), std::memory_order_release);
  }

  uint64_t standstills() const { return standstills_.load(std::memory_order_acquire); }

 private:
  const base::Clock& clock_;
  const std::chrono::nanoseconds limit_;
  std::atomic<int64_t> last_beat_ns_;
  std::atomic<uint64_t> standstills_{0};
};

}  // namespace pipeline
