#include "tests/simulation/simulation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <iostream>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/log.h"

namespace simulation {
namespace {

constexpr uint64_t kSeeds = 200;
/// With fewer seeds not every step can be expected to have been crashed at.
constexpr uint64_t kSeedsForCoverage = 200;
constexpr size_t kFailuresReported = 5;
constexpr unsigned kThreadsMax = 4;

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

/// Runs seeds 1 … n, or one alone, on as many threads as there are processors.
class SeedRunner {
 public:
  void Run(uint64_t first, uint64_t last) {
    next_ = first;
    std::vector<std::jthread> threads;
    const unsigned count = std::min(kThreadsMax, std::max(1U, std::thread::hardware_concurrency()));
    for (unsigned i = 0; i < count; ++i) {
      threads.emplace_back([this, last] {
        for (uint64_t seed = next_++; seed <= last; seed = next_++) Take(seed, Simulate(seed));
      });
    }
  }

  size_t failures() const { return failures_; }
  const std::map<std::string, int>& crashes() const { return crashes_; }
  const std::map<std::string, int>& troubles() const { return troubles_; }

 private:
  void Take(uint64_t seed, const Outcome& outcome) {
    const std::lock_guard lock(mutex_);
    for (const auto& [step, times] : outcome.crashes) crashes_[step] += times;
    for (const auto& [name, times] : outcome.troubles) troubles_[name] += times;
    if (outcome.problems.empty() || ++failures_ > kFailuresReported) return;
    std::string report;
    for (const std::string& problem : outcome.problems) report += "\n  " + problem;
    ADD_FAILURE() << "seed " << seed << " after " << outcome.turns
                  << " turns (HERALD_SIMULATION_SEED=" << seed << " runs it alone):" << report;
  }

  std::atomic<uint64_t> next_ = 1;
  std::mutex mutex_;
  size_t failures_ = 0;
  std::map<std::string, int> crashes_;
  std::map<std::string, int> troubles_;
};

std::string Table(const std::map<std::string, int>& counts) {
  std::string text;
  for (const auto& [name, times] : counts) text += "  " + name + " " + std::to_string(times) + "\n";
  return text;
}

TEST(CrashSimulation, EndsWithTheInboxesAndTopicsOfAPlainModel) {
  const uint64_t one = FromEnvironment("HERALD_SIMULATION_SEED", 0);
  const uint64_t seeds = FromEnvironment("HERALD_SIMULATION_SEEDS", kSeeds);
  if (one == 0) base::SetLogLevel(base::LogLevel::kError);
  SeedRunner runner;
  runner.Run(one == 0 ? 1 : one, one == 0 ? seeds : one);
  EXPECT_EQ(runner.failures(), 0U);
  std::cout << "crashes:\n" << Table(runner.crashes()) << "troubles:\n" << Table(runner.troubles());
  if (one != 0 || seeds < kSeedsForCoverage) return;
  for (const std::string& step : CrashSteps()) {
    EXPECT_TRUE(runner.crashes().contains(step)) << "never crashed at " << step;
  }
  for (const char* trouble :
       {"a call fails", "brokers away", "changelog compacted", "commit lost, aborted",
        "crashed while readers acted", "reader acted", "commit lost, committed",
        "commit lost, undecided", "fell back", "late return", "log tails lost", "member expired",
        "member expired alive", "nothing to replay", "one database fell back", "something replayed",
        "state lost", "stopped", "transactions expired"}) {
    EXPECT_TRUE(runner.troubles().contains(trouble)) << "never happened: " << trouble;
  }
}

TEST(CrashSimulation, DoesTheSameWithTheSameSeed) {
  base::SetLogLevel(base::LogLevel::kError);
  for (const uint64_t seed : {3U, 10U}) {
    const Outcome first = Simulate(seed);
    const Outcome again = Simulate(seed);
    EXPECT_EQ(first.turns, again.turns);
    EXPECT_EQ(first.crashes, again.crashes);
    EXPECT_EQ(first.troubles, again.troubles);
  }
}

}  // namespace
}  // namespace simulation
