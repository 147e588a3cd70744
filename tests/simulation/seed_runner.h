#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "tests/simulation/simulation.h"

namespace simulation {

/// Runs many seeds in order on a few threads and adds up what came of them.
class SeedRunner {
 public:
  static constexpr unsigned kThreadsMax = 64;
  static constexpr std::chrono::seconds kReportEvery{10};

  struct Failure {
    uint64_t seed = 0;
    /// What was wrong, line by line.
    std::string text;
  };

  struct Options {
    uint64_t first = 1;
    uint64_t last = 1;
    /// At most kThreadsMax.
    unsigned threads = 1;
    /// No further seed is begun after so many failures.
    size_t failures_max = 5;
    /// Called every kReportEvery and with each failure, on one thread at a time. May be empty.
    std::function<void(const SeedRunner&)> report;
    std::function<void(const Failure&)> failed;
  };

  void Run(const Options& options);

  /// By seed. The first of them is the first failure of all seeds.
  const std::vector<Failure>& failures() const { return failures_; }
  const std::map<std::string, int64_t>& crashes() const { return crashes_; }
  const std::map<std::string, int64_t>& troubles() const { return troubles_; }
  uint64_t seeds() const { return seeds_; }
  uint64_t events() const { return events_; }
  uint64_t turns() const { return turns_; }
  double seconds() const;

  /// The seeds that are under way, 0 for none: to be named when one of them ends this process. May
  /// be read in a signal handler.
  const std::array<std::atomic<uint64_t>, kThreadsMax>& under_way() const { return under_way_; }

 private:
  void Take(uint64_t seed, const Outcome& outcome, const Options& options);

  std::atomic<uint64_t> next_ = 1;
  std::array<std::atomic<uint64_t>, kThreadsMax> under_way_{};
  base::Mutex mutex_;  ///< For the rest, while they run.
  std::chrono::nanoseconds began_{0};
  std::chrono::nanoseconds reported_{0};
  std::vector<Failure> failures_;
  std::map<std::string, int64_t> crashes_;
  std::map<std::string, int64_t> troubles_;
  uint64_t seeds_ = 0;
  uint64_t events_ = 0;
  uint64_t turns_ = 0;
};

/// "  name 12" line by line.
std::string Table(const std::map<std::string, int64_t>& counts);

}  // namespace simulation
