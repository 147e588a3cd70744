#pragma once

#include <chrono>
#include <cstdint>

namespace base {

/// The only source of time: everything that asks for it takes a Clock, so that tests move it by hand.
///
/// Threads: any.
class Clock {
 public:
  virtual ~Clock() = default;

  /// Wall clock, milliseconds since 1970-01-01T00:00:00Z. May jump.
  virtual int64_t NowMs() const = 0;

  /// Never goes back; for intervals and deadlines.
  virtual std::chrono::nanoseconds Monotonic() const = 0;

  /// CPU time that this process has used so far.
  virtual std::chrono::nanoseconds ProcessCpu() const { return std::chrono::nanoseconds(0); }
};

/// The machine's clocks.
class SystemClock : public Clock {
 public:
  int64_t NowMs() const override;
  std::chrono::nanoseconds Monotonic() const override;
  std::chrono::nanoseconds ProcessCpu() const override;

  /// Waits, for the retry of a call into a library that gives no sign when it would succeed.
  /// Whoever can be told waits on a condition instead.
  void Pause(std::chrono::nanoseconds time) const;

  /// One for the whole process.
  static const SystemClock& Instance();
};

/// Stands still until it is moved. Threads: one at a time.
class ManualClock : public Clock {
 public:
  explicit ManualClock(int64_t now_ms) : start_ms_(now_ms), now_ms_(now_ms) {}

  int64_t NowMs() const override { return now_ms_; }
  std::chrono::nanoseconds Monotonic() const override {
    return std::chrono::milliseconds(now_ms_ - start_ms_);
  }
  void Advance(std::chrono::milliseconds by) { now_ms_ += by.count(); }

 private:
  int64_t start_ms_;
  int64_t now_ms_;
};

}  // namespace base
