#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/metrics.h"
#include "base/status.h"
#include "pipeline/engine_shared.h"
#include "pipeline/global_table.h"
#include "pipeline/kafka_client.h"
#include "state/task_state.h"

namespace pipeline {

/// Keeps one global table up to date: its own RocksDB with its positions, so that a restart reads
/// only what is new. Values that cannot be decoded are counted and passed over.
///
/// Threads: the engine's global thread; caught_up() after it.
class GlobalTableLoader {
 public:
  /// `topic` as it was found at start; rows of another incarnation of it are thrown away.
  GlobalTableLoader(EngineShared& shared, GlobalTableBase& table, const TopicDescription& topic);

  /// Opens the rows and finds out how far the topic goes.
  /// Errors: Unavailable (try again), Fatal.
  base::Status Open();

  /// Reads and applies one batch. Errors: Unavailable (try again), Fatal.
  base::Status RunOnce();

  /// Everything that was in the topic at Open() has been applied.
  bool caught_up() const;

 private:
  base::Result<std::unique_ptr<state::TaskState>> OpenState();
  base::Status StartReading();
  base::Status Apply(const RecordBatch& batch);
  base::Status Stamp(bool busy);
  base::Status Reread();

  EngineShared& shared_;
  GlobalTableBase& table_;
  const std::string topic_id_;
  /// How long the topic keeps tombstones; an older copy may have missed an erasure.
  const std::chrono::milliseconds tombstone_retention_;
  std::unique_ptr<state::TaskState> state_;
  std::unique_ptr<Consumer> reader_;
  base::Positions ends_;
  base::Positions positions_;
  std::chrono::nanoseconds last_stamp_{0};
  bool stamped_ = false;
  /// Rows that cannot be read are still to be deleted.
  bool wipe_due_ = false;
  base::Counter refused_;
  base::Counter applied_;
};

}  // namespace pipeline
