#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace simulation {

/// What came of one seed.
struct Outcome {
  /// Empty when all was as the model says.
  std::vector<std::string> problems;
  /// Crashes by the step at which they happened.
  std::map<std::string, int> crashes;
  /// Troubles of other kinds by name, to see that they happen at all.
  std::map<std::string, int> troubles;
  int turns = 0;
  /// Records put on `events` and `inbox-actions`.
  int events = 0;
};

/// Runs the real topology with real databases on the twin under everything that the seed has in
/// store: crashes at client calls, lost answers, late markers, expired members, databases that fell
/// back or were lost. Then lets it come to rest and compares it with the plain model.
///
/// The same seed does the same. Threads: any.
Outcome Simulate(uint64_t seed);

/// The steps at which a crash must have been tried, under one guarantee or the other.
std::vector<std::string> CrashSteps();

}  // namespace simulation
