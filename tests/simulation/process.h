#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "pipeline/stream_thread.h"
#include "pipeline/topology.h"
#include "tests/simulation/plan.h"
#include "tests/simulation/watched_states.h"
#include "tests/support/fake_kafka.h"
#include "tests/support/stepped_engine.h"

namespace simulation {

/// Thrown out of a client call: the process is no more.
struct SimulatedCrash {
  std::string step;
};

/// Where a process is to crash: at the n-th time that it comes to a step, or at whatever it does
/// after so many steps without.
struct CrashPoint {
  std::string step;
  int occurrence = 1;
  int steps_max = 0;
};

/// One incarnation of Herald, stepped by hand. Everything that it holds in memory dies with it.
class Process {
 public:
  /// All references outlive it.
  Process(const Plan& plan, const std::string& instance, const std::filesystem::path& directory,
          state::TaskStates& states, support::FakeCluster& cluster, const base::Clock& clock);

  /// Throws SimulatedCrash there, out of Start(), RunOnce() or Stop().
  void CrashAt(const CrashPoint& point);

  /// The next time that it comes to this step, `meanwhile` happens: the call takes its time.
  void LingerAt(const std::string& step, std::function<void()> meanwhile);

  /// Reaches the cluster first, if it was not reached yet.
  base::Result<pipeline::Turn> RunOnce();
  void Stop() { engine_.Stop(); }

  bool Ready() const { return started_ && engine_.Ready(); }
  support::FakeClients& clients() { return clients_; }
  WatchedStates& states() { return states_; }
  support::SteppedEngine& engine() { return engine_; }

 private:
  void OnStep(std::string_view step);

  const pipeline::Topology topology_;
  support::FakeClients clients_;
  WatchedStates states_;
  support::SteppedEngine engine_;
  bool started_ = false;
  std::string linger_at_;
  std::function<void()> meanwhile_;
  CrashPoint crash_point_;
  bool armed_ = false;
};

/// The topics of the simulation: made before the first process, whose engine checks them.
void CreateTopics(const Plan& plan, support::FakeCluster& cluster);

}  // namespace simulation
