#include "pipeline/monitor_metrics.h"

#include <chrono>
#include <utility>

namespace pipeline {
namespace {

base::Labels PartitionLabels(const base::TopicPartition& tp) {
  return {{"topic", tp.topic}, {"partition", std::to_string(tp.partition.value)}};
}

double Number(uint64_t value) { return static_cast<double>(value); }

}  // namespace

MonitorMetrics::MonitorMetrics(base::Metrics& metrics, const Topology& topology)
    : topology_(topology),
      lag_records_(metrics, "herald_consumer_lag_records",
                   "Records behind: the end of the committed records minus the committed position."),
      lag_seconds_(metrics, "herald_consumer_lag_seconds",
                   "For how long records have been waiting; 0 when none does."),
      restore_remaining_(metrics, "herald_restore_remaining_records",
                         "Changelog records still to be read by a restoring task."),
      store_rows_(metrics, "herald_store_rows",
                  "Rows of a store in all databases here, as RocksDB estimates."),
      store_bytes_(metrics, "herald_store_bytes",
                   "Bytes of a store's live table files and memtables in all databases here.") {
  const auto gauge = [&](const char* name, const char* help) {
    return metrics.AddGauge(name, help);
  };
  const auto counter = [&](const char* name, const char* help, const base::Labels& labels = {}) {
    return base::FollowedCounter(metrics.AddCounter(name, help, labels));
  };
  ready_ = gauge("herald_ready", "1 when in the group, restored and the tables read; else 0.");
  standby_tasks_ = gauge("herald_standby_tasks", "Warm copies of other instances' tasks here.");
  for (const TaskPhase phase : {TaskPhase::kCreated, TaskPhase::kRestoring, TaskPhase::kRunning,
                                TaskPhase::kSuspended}) {
    tasks_[phase] = metrics.AddGauge("herald_tasks", "Tasks of this instance, by phase.",
                                     {{"phase", std::string(TaskPhaseName(phase))}});
  }
  for (const std::string& topic : topology.SourceTopics()) {
    assigned_[topic] = metrics.AddGauge("herald_assigned_partitions",
                                        "Partitions of a source topic that this instance has.",
                                        {{"topic", topic}});
  }

  databases_ = gauge("herald_rocksdb_databases",
                     "Open databases: of tasks, warm copies and global tables.");
  estimate_keys_ =
      gauge("herald_rocksdb_estimate_keys", "Rows in all databases, as RocksDB estimates.");
  live_sst_bytes_ =
      gauge("herald_rocksdb_live_sst_bytes", "Bytes of live table files in all databases.");
  memtable_bytes_ =
      gauge("herald_rocksdb_memtable_bytes", "Bytes of memtables in all databases.");
  block_cache_bytes_ =
      gauge("herald_rocksdb_block_cache_bytes", "Bytes of the shared block cache in use.");
  block_cache_capacity_bytes_ = gauge("herald_rocksdb_block_cache_capacity_bytes",
                                      "Bytes that the shared block cache may take.");
  pending_compaction_bytes_ =
      gauge("herald_rocksdb_pending_compaction_bytes",
            "Bytes that compactions still have to rewrite, as RocksDB estimates.");
  level0_files_ = gauge("herald_rocksdb_level0_files",
                        "Level-0 table files of the store of a task that has the most.");
  running_compactions_ = gauge("herald_rocksdb_running_compactions", "Compactions under way.");
  running_flushes_ = gauge("herald_rocksdb_running_flushes", "Flushes under way.");
  stopped_databases_ =
      gauge("herald_rocksdb_stopped_databases", "Databases whose writes are stopped now.");
  delayed_databases_ =
      gauge("herald_rocksdb_delayed_databases", "Databases whose writes are slowed down now.");
  block_cache_hits_ = counter("herald_rocksdb_block_cache_hits_total",
                              "Blocks that were found in the block cache.");
  block_cache_misses_ = counter("herald_rocksdb_block_cache_misses_total",
                                "Blocks that had to be read from a table file.");
  write_stall_seconds_ = counter("herald_rocksdb_write_stall_seconds_total",
                                 "Time for which writes waited for flushes or compactions.");
  flush_bytes_ = counter("herald_rocksdb_flush_bytes_total", "Bytes that flushes wrote.");
  compaction_read_bytes_ = counter("herald_rocksdb_compaction_bytes_total",
                                   "Bytes that compactions read and wrote.",
                                   {{"direction", "read"}});
  compaction_write_bytes_ = counter("herald_rocksdb_compaction_bytes_total",
                                    "Bytes that compactions read and wrote.",
                                    {{"direction", "write"}});
  background_errors_ = counter("herald_rocksdb_background_errors_total",
                               "Flushes and compactions that failed.");

  disk_free_bytes_ =
      gauge("herald_disk_free_bytes", "Bytes free on the disk of the state directory.");
  disk_size_bytes_ = gauge("herald_disk_size_bytes", "Size of the disk of the state directory.");
  disk_reserve_bytes_ = gauge("herald_disk_reserve_bytes",
                              "With less than this free on that disk Herald stops.");
}

void MonitorMetrics::SetTasks(std::span<const TaskReport> reports) {
  std::map<TaskPhase, int> phases;
  std::map<std::string, int> partitions;
  for (const TaskReport& report : reports) {
    ++phases[report.phase];
    // What is suspended is kept for whoever gets it next.
    if (report.phase != TaskPhase::kSuspended) {
      for (const auto& input : report.inputs) ++partitions[input.first.topic];
    }
    for (const state::StoreSpec& spec : topology_.StoreSpecs(report.id.subtopology)) {
      if (!spec.changelog) continue;
      const auto left = report.restore_remaining.find(spec.name);
      restore_remaining_.Set(
          {{"store", spec.name}, {"partition", std::to_string(report.id.partition.value)}},
          left == report.restore_remaining.end() ? 0.0 : static_cast<double>(left->second));
    }
  }
  restore_remaining_.EndRound();
  for (const auto& [phase, gauge] : tasks_) gauge.Set(phases[phase]);
  for (const auto& [topic, gauge] : assigned_) gauge.Set(partitions[topic]);
}

void MonitorMetrics::SetLag(const std::map<base::TopicPartition, int64_t>& lag,
                            std::span<const TaskReport> reports, int64_t now_ms) {
  std::map<base::TopicPartition, int64_t> timestamps;
  for (const TaskReport& report : reports) {
    for (size_t i = 0; i < report.inputs.size() && i < report.timestamps_ms.size(); ++i) {
      timestamps[report.inputs[i].first] = report.timestamps_ms[i];
    }
  }
  for (const auto& [tp, records] : lag) {
    const base::Labels labels = PartitionLabels(tp);
    lag_records_.Set(labels, static_cast<double>(records));
    const std::chrono::duration<double> age = ages_.Look(tp, records, timestamps[tp], now_ms);
    lag_seconds_.Set(labels, age.count());
  }
  ages_.EndRound();
  lag_records_.EndRound();
  lag_seconds_.EndRound();
}

void MonitorMetrics::SetDatabases(const state::DatabaseFigures& figures) {
  for (const auto& [store, of_store] : figures.stores) {
    store_rows_.Set({{"store", store}}, Number(of_store.rows));
    store_bytes_.Set({{"store", store}}, Number(of_store.bytes));
  }
  store_rows_.EndRound();
  store_bytes_.EndRound();
  databases_.Set(Number(figures.databases));
  estimate_keys_.Set(Number(figures.estimated_keys));
  live_sst_bytes_.Set(Number(figures.live_sst_bytes));
  memtable_bytes_.Set(Number(figures.memtable_bytes));
  block_cache_bytes_.Set(Number(figures.block_cache_bytes));
  block_cache_capacity_bytes_.Set(Number(figures.block_cache_capacity_bytes));
  pending_compaction_bytes_.Set(Number(figures.pending_compaction_bytes));
  level0_files_.Set(Number(figures.level0_files_max));
  running_compactions_.Set(Number(figures.running_compactions));
  running_flushes_.Set(Number(figures.running_flushes));
  stopped_databases_.Set(Number(figures.stopped_databases));
  delayed_databases_.Set(Number(figures.delayed_databases));
  block_cache_hits_.Follow(Number(figures.block_cache_hits));
  block_cache_misses_.Follow(Number(figures.block_cache_misses));
  write_stall_seconds_.Follow(std::chrono::duration<double>(figures.write_stalls).count());
  flush_bytes_.Follow(Number(figures.flush_bytes));
  compaction_read_bytes_.Follow(Number(figures.compaction_read_bytes));
  compaction_write_bytes_.Follow(Number(figures.compaction_write_bytes));
  background_errors_.Follow(Number(figures.background_errors));
}

void MonitorMetrics::SetDisk(uint64_t free_bytes, uint64_t size_bytes,
                             uint64_t reserve_bytes) const {
  disk_free_bytes_.Set(Number(free_bytes));
  disk_size_bytes_.Set(Number(size_bytes));
  disk_reserve_bytes_.Set(Number(reserve_bytes));
}

}  // namespace pipeline
