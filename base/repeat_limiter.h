#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace base {

/// Decides which of many equal log lines are written: kLinesMax of a kind within kInterval, counted
/// from the first; the others are counted, and told once the interval is over.
///
/// It knows kKindsMax kinds at most. When there are more, the one that began first is told and
/// forgotten, so a flood of ever new messages is not held back, but takes no memory either.
///
/// Threads: one at a time.
class RepeatLimiter {
 public:
  static constexpr int kLinesMax = 10;
  static constexpr std::chrono::seconds kInterval{30};
  static constexpr size_t kKindsMax = 256;

  /// A kind of line, some of which were left out.
  struct LeftOut {
    std::string message;
    std::string component;
    int level = 0;
    uint64_t lines = 0;
  };

  /// True: write this line. `file` and `line` name the place in the code, `component` and `level`
  /// come back in LeftOut.
  bool Take(std::string_view file, uint32_t line, std::string_view message,
            std::string_view component, int level, std::chrono::nanoseconds now);

  /// What was left out of the intervals that are over at `now`, or of all; each once.
  std::vector<LeftOut> TakeLeftOut(std::chrono::nanoseconds now, bool all = false);

  size_t kinds() const { return kinds_.size(); }

 private:
  struct Kind {
    std::chrono::nanoseconds began{0};
    int written = 0;
    LeftOut left_out;
  };

  void MakeRoom();

  std::unordered_map<uint64_t, Kind> kinds_;
  /// Of kinds that were forgotten.
  std::vector<LeftOut> forgotten_;
  /// Before this no interval ends in which a line was left out.
  std::chrono::nanoseconds next_end_ = std::chrono::nanoseconds::max();
};

}  // namespace base
