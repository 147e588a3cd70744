#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "base/ids.h"
#include "base/metrics.h"
#include "pipeline/lag_ages.h"
#include "pipeline/task_registry.h"
#include "pipeline/topology.h"
#include "state/task_state.h"

namespace pipeline {

/// The gauges that the engine's monitor thread keeps up to date: what is looked at from time to time
/// instead of being counted. Threads: the monitor's.
class MonitorMetrics {
 public:
  MonitorMetrics(base::Metrics& metrics, const Topology& topology);

  void SetReady(bool ready) const { ready_.Set(ready ? 1 : 0); }
  void SetStandbyTasks(size_t tasks) const { standby_tasks_.Set(static_cast<double>(tasks)); }
  /// Phases, assigned partitions, and what is left to restore.
  void SetTasks(std::span<const TaskReport> reports);
  /// Records behind of all partitions that are here, at `now_ms`.
  void SetLag(const std::map<base::TopicPartition, int64_t>& lag,
              std::span<const TaskReport> reports, int64_t now_ms);
  void SetDatabases(const state::DatabaseFigures& figures);
  void SetDisk(uint64_t free_bytes, uint64_t size_bytes, uint64_t reserve_bytes) const;

 private:
  const Topology& topology_;
  LagAges ages_;
  base::Gauge ready_;
  base::Gauge standby_tasks_;
  std::map<TaskPhase, base::Gauge> tasks_;
  std::map<std::string, base::Gauge> assigned_;
  base::ChangingGauges lag_records_;
  base::ChangingGauges lag_seconds_;
  base::ChangingGauges restore_remaining_;
  base::ChangingGauges store_rows_;
  base::ChangingGauges store_bytes_;

  base::Gauge databases_;
  base::Gauge estimate_keys_;
  base::Gauge live_sst_bytes_;
  base::Gauge memtable_bytes_;
  base::Gauge block_cache_bytes_;
  base::Gauge block_cache_capacity_bytes_;
  base::Gauge pending_compaction_bytes_;
  base::Gauge level0_files_;
  base::Gauge running_compactions_;
  base::Gauge running_flushes_;
  base::Gauge stopped_databases_;
  base::Gauge delayed_databases_;
  base::FollowedCounter block_cache_hits_;
  base::FollowedCounter block_cache_misses_;
  base::FollowedCounter write_stall_seconds_;
  base::FollowedCounter flush_bytes_;
  base::FollowedCounter compaction_read_bytes_;
  base::FollowedCounter compaction_write_bytes_;
  base::FollowedCounter background_errors_;

  base::Gauge disk_free_bytes_;
  base::Gauge disk_size_bytes_;
  base::Gauge disk_reserve_bytes_;
};

}  // namespace pipeline
