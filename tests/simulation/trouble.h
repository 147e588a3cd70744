#pragma once

#include <map>
#include <random>
#include <string>

#include "base/clock.h"
#include "tests/simulation/changelog_tails.h"
#include "tests/simulation/process.h"
#include "tests/simulation/watched_states.h"
#include "tests/support/fake_kafka.h"

namespace simulation {

/// Trouble that a process has to live with: calls that fail or take long, answers that are lost, a
/// membership or a transaction that times out, brokers that are away, a store that fails.
class Trouble {
 public:
  Trouble(std::mt19937_64& random, support::FakeCluster& cluster, base::ManualClock& clock)
      : random_(random), cluster_(cluster), clock_(clock) {}

  /// Draws one and orders it. Brokers that are away come back with the next one.
  void Strike(const std::string& instance, Process& process, ChangelogTails& tails);

  /// How often each was ordered.
  const std::map<std::string, int>& counts() const { return counts_; }

 private:
  void FailACall(support::FakeClients& clients);
  void LoseAnAnswer(support::FakeClients& clients);
  void SlowDown(const std::string& instance, Process& process);
  void FailTheStore(WatchedStates& states);

  std::mt19937_64& random_;
  support::FakeCluster& cluster_;
  base::ManualClock& clock_;
  std::map<std::string, int> counts_;
};

}  // namespace simulation
