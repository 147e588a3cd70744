#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/status.h"
#include "pipeline/engine_config.h"
#include "pipeline/engine_shared.h"
#include "pipeline/global_table_loader.h"
#include "pipeline/kafka_client.h"
#include "pipeline/position_watch.h"
#include "pipeline/state_directory.h"
#include "pipeline/store_registry.h"
#include "pipeline/stream_thread.h"
#include "pipeline/task_registry.h"
#include "pipeline/topic_setup.h"
#include "pipeline/topology.h"
#include "state/task_state.h"

namespace support {

/// An engine without threads: the parts of pipeline::Engine, started in its order and stepped by
/// hand. One object is one process; destroying it without Stop() is its crash.
///
/// Threads: one.
class SteppedEngine {
 public:
  /// `config` names the instance; `topics` are the topology's and the dead letters, the changelogs
  /// are added. All references outlive this.
  SteppedEngine(const pipeline::Topology& topology, pipeline::EngineConfig config,
                std::vector<pipeline::TopicSpec> topics, int32_t default_partitions,
                pipeline::KafkaClients& clients, const base::Clock& clock,
                state::TaskStates& states = state::RocksdbTaskStates());

  /// Makes the topics, locks the state directory and reads the global tables to their end.
  /// Errors: Unavailable: call again.
  base::Status Start();

  /// One turn of everything there is. REQUIRES: Start() was ok.
  /// Errors: what would end the process.
  base::Result<pipeline::Turn> RunOnce();

  /// As on SIGTERM.
  void Stop();

  /// Every thread is in the group and all its tasks run.
  bool Ready() const;

  pipeline::StoreRegistry& stores() { return stores_; }
  const pipeline::TaskRegistry& tasks() const { return tasks_; }
  pipeline::PositionWatch& positions() { return positions_; }
  base::Metrics& metrics() { return metrics_; }
  int32_t PartitionCount(const std::string& topic) const;

 private:
  base::Status SetUpTopics();
  base::Status ReadGlobalTables();

  const pipeline::Topology& topology_;
  const pipeline::EngineConfig config_;
  const std::vector<pipeline::TopicSpec> topics_;
  const int32_t default_partitions_;
  pipeline::KafkaClients& clients_;
  const base::Clock& clock_;
  state::TaskStates& states_;
  base::Metrics metrics_;
  state::SharedMemory memory_;
  pipeline::StoreRegistry stores_;
  pipeline::TaskRegistry tasks_;
  pipeline::PositionWatch positions_;
  std::optional<pipeline::StateDirectory> directory_;
  std::optional<pipeline::EngineShared> shared_;
  std::map<std::string, pipeline::TopicDescription> described_;
  std::vector<std::unique_ptr<pipeline::GlobalTableLoader>> global_tables_;
  std::vector<std::unique_ptr<pipeline::StreamThread>> threads_;
};

}  // namespace support
