// The engine's monitor thread: lag, figures of the stores, and what must not change underneath.

#include <algorithm>
#include <set>
#include <utility>

#include "base/log.h"
#include "pipeline/disk_space.h"
#include "pipeline/engine.h"
#include "pipeline/orphan_tasks.h"

namespace pipeline {
namespace {

constexpr milliseconds kMonitorEvery{1000};
constexpr milliseconds kMonitorEveryUntilReady{100};
constexpr int kCountsEveryTurns = 30;
constexpr int kMissingLooksMax = 2;
constexpr char kLagName[] = "herald_consumer_lag_records";
constexpr char kLagHelp[] =
    "Records behind: the end of the committed records minus the committed position.";
constexpr char kRestoreName[] = "herald_restore_remaining_records";

base::Labels PartitionLabels(const base::TopicPartition& tp) {
  return {{"topic", tp.topic}, {"partition", std::to_string(tp.partition.value)}};
}

}  // namespace

void Engine::RunMonitor(const std::stop_token& stop) {
  OrphanTasks orphans(config_.state_directory / "tasks", config_.state_cleanup_delay, clock_);
  for (int turn = 1; !stop.stop_requested(); ++turn) {
    for (const base::TaskId& task :
         tasks_.CloseDepositsBefore(clock_.Monotonic() - config_.session_timeout)) {
      base::LogInfo("task moved away, its rows are closed", {{"task", task.ToString()}});
    }
    if (const base::Status disk =
            CheckDiskSpace(config_.state_directory, config_.disk_reserve_bytes);
        !disk.ok()) {
      Fail(disk);
    }
    MeasureLag();
    MeasureStores();
    if (turn % kCountsEveryTurns == 0) WatchTopics();
    const EngineStatus status = Status();
    if (status.ready) {
      std::set<base::TaskId> in_use;
      for (const TaskReport& report : status.tasks) in_use.insert(report.id);
      in_use.insert(status.standbys.begin(), status.standbys.end());
      orphans.Sweep(in_use);
    } else {
      orphans.StartOver();  // What it will be given is not known.
    }
    Pause(stop, status.ready ? kMonitorEvery : kMonitorEveryUntilReady);
  }
}

void Engine::MeasureLag() {
  std::map<base::TopicPartition, base::Offset> committed;
  std::vector<base::TopicPartition> partitions;
  for (const TaskReport& report : tasks_.Reports()) {
    for (const auto& [tp, position] : report.inputs) {
      if (!position.has_value()) continue;
      committed[tp] = *position;
      partitions.push_back(tp);
    }
  }
  std::map<base::TopicPartition, int64_t> lag;
  if (!partitions.empty()) {
    auto ends = clients_.admin().ListOffsets(partitions, OffsetSpec::kLatest,
                                             Isolation::kReadCommitted, config_.request_timeout);
    if (!ends.ok()) return;
    for (const auto& [tp, position] : committed) {
      lag[tp] = std::max(int64_t{0}, ends->at(tp).value - position.value);
      metrics_.AddGauge(kLagName, kLagHelp, PartitionLabels(tp))
          .Set(static_cast<double>(lag[tp]));
    }
  }
  const base::MutexLock lock(mutex_);
  for (const auto& [tp, records] : lag_) {
    if (!lag.contains(tp)) metrics_.RemoveGauge(kLagName, PartitionLabels(tp));
  }
  lag_ = std::move(lag);
}

void Engine::MeasureStores() {
  state::DatabaseFigures sum;
  for (const TaskReport& report : tasks_.Reports()) {
    const auto specs = topology_.StoreSpecs(report.id.subtopology);
    for (const state::StoreSpec& spec : specs) {
      if (!spec.changelog) continue;
      const auto left = report.restore_remaining.find(spec.name);
      metrics_
          .AddGauge(kRestoreName, "Changelog records still to be read by a restoring task.",
                    {{"store", spec.name},
                     {"partition", std::to_string(report.id.partition.value)}})
          .Set(left == report.restore_remaining.end() ? 0.0
                                                      : static_cast<double>(left->second));
    }
    if (specs.empty()) continue;
    const StoreLookup found = stores_.Find(specs.front().name, report.id.partition);
    if (found.reader == nullptr) continue;
    const state::DatabaseFigures figures = found.reader->Figures();
    sum.estimated_keys += figures.estimated_keys;
    sum.live_sst_bytes += figures.live_sst_bytes;
    sum.memtable_bytes += figures.memtable_bytes;
  }
  const auto set = [this](const char* name, const char* help, uint64_t value) {
    metrics_.AddGauge(name, help).Set(static_cast<double>(value));
  };
  set("herald_rocksdb_estimate_keys", "Rows in all tasks' databases, as RocksDB estimates.",
      sum.estimated_keys);
  set("herald_rocksdb_live_sst_bytes", "Bytes of live table files in all tasks' databases.",
      sum.live_sst_bytes);
  set("herald_rocksdb_memtable_bytes", "Bytes of memtables in all tasks' databases.",
      sum.memtable_bytes);
  set("herald_rocksdb_block_cache_bytes", "Bytes of the shared block cache in use.",
      memory_.BlockCacheBytes());
}

void Engine::WatchTopics() {
  std::vector<std::string> names;
  for (const TopicSpec& spec : topics_) {
    if (!spec.copartition_group.empty()) names.push_back(spec.name);
  }
  for (const StoreDescription& store : topology_.stores()) {
    if (config_.changelogs && store.options.changelog) {
      names.push_back(shared_->ChangelogTopic(store.name));
    }
  }
  auto described = clients_.admin().DescribeTopics(names, config_.request_timeout);
  if (!described.ok()) return;
  // Twice in a row: a broker that has just started may not know all of them yet.
  std::string missing;
  for (const std::string& name : names) {
    if (!described->contains(name)) missing = name;
  }
  topics_missing_ = missing.empty() ? 0 : topics_missing_ + 1;
  if (topics_missing_ >= kMissingLooksMax) {
    Fail(base::Status::Fatal("topic " + missing +
                             " is gone: it was deleted, or the brokers are another cluster than " +
                             cluster_id_));
  }
  for (const auto& [name, topic] : *described) {
    if (name.ends_with("-changelog") && shared_->topic_ids.at(name) != topic.id) {
      Fail(base::Status::Fatal("changelog " + name + " has topic id " + topic.id +
                               " now, but the rows here belong to topic id " +
                               shared_->topic_ids.at(name) +
                               ": the topic was made anew, or the brokers are another cluster"));
      continue;
    }
    const int32_t known = PartitionCount(name);
    if (topic.partitions == known) continue;
    // Keys would map to other partitions than the ones that hold their rows.
    Fail(base::Status::Fatal("topic " + name + " grew from " + std::to_string(known) + " to " +
                             std::to_string(topic.partitions) +
                             " partitions: its keys no longer map to the partitions that hold "
                             "their rows"));
  }
}

}  // namespace pipeline
