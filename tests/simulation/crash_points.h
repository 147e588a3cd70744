#pragma once

#include <random>
#include <string>
#include <vector>

#include "tests/simulation/plan.h"
#include "tests/simulation/process.h"

namespace simulation {

/// The steps of commit, that is where a crash has most to break.
std::vector<std::string> CommitSteps(bool exactly_once);
/// All steps that a process comes to.
std::vector<std::string> AllSteps(bool exactly_once);

/// Where the next process of this plan is to crash. `first`: it makes the topics.
CrashPoint DrawCrashPoint(std::mt19937_64& random, const Plan& plan, bool first);

}  // namespace simulation
