#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/metrics.h"
#include "pipeline/crash_ledger.h"
#include "pipeline/engine_config.h"
#include "pipeline/kafka_client.h"
#include "pipeline/position_watch.h"
#include "pipeline/pulse.h"
#include "pipeline/store_registry.h"
#include "pipeline/task_registry.h"
#include "pipeline/topology.h"
#include "state/task_state.h"

namespace pipeline {

class StandbyTasks;
class StateDirectory;

/// What the stream threads of one engine have in common. All of it outlives them; `partition_counts`
/// and `topic_ids` do not change while they run.
struct EngineShared {
  const Topology& topology;
  const EngineConfig& config;
  KafkaClients& clients;
  const base::Clock& clock;
  base::Metrics& metrics;
  StateDirectory& directory;
  state::SharedMemory& memory;
  state::TaskStates& states;
  StoreRegistry& stores;
  TaskRegistry& tasks;
  PositionWatch& positions;
  /// Of every source, sink, changelog and dead-letter topic.
  std::map<std::string, int32_t, std::less<>> partition_counts;
  /// Kafka's ids of the incarnations of the same topics.
  std::map<std::string, std::string, std::less<>> topic_ids = {};
  /// nullptr: crashes are not counted.
  CrashLedger* crashes = nullptr;
  /// nullptr: nobody looks for standstills.
  const Pulse* pulse = nullptr;
  /// nullptr: there are no warm copies.
  StandbyTasks* standbys = nullptr;

  /// "<prefix><application id>-<store>-changelog"
  std::string ChangelogTopic(std::string_view store) const {
    return config.topic_prefix + config.application_id + "-" + std::string(store) + "-changelog";
  }
};

}  // namespace pipeline
