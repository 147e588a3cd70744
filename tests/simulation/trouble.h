#pragma once

#include <map>
#include <random>
#include <string>

#include "tests/simulation/changelog_tails.h"
#include "tests/support/fake_kafka.h"

namespace simulation {

/// Trouble that a process has to live with: calls that fail, answers that are lost, a membership or
/// a transaction that times out, brokers that are away.
class Trouble {
 public:
  Trouble(std::mt19937_64& random, support::FakeCluster& cluster)
      : random_(random), cluster_(cluster) {}

  /// Draws one and orders it. Brokers that are away come back with the next one.
  void Strike(const std::string& instance, support::FakeClients& clients, ChangelogTails& tails);

  /// How often each was ordered.
  const std::map<std::string, int>& counts() const { return counts_; }

 private:
  void FailACall(support::FakeClients& clients);

  std::mt19937_64& random_;
  support::FakeCluster& cluster_;
  std::map<std::string, int> counts_;
};

}  // namespace simulation
