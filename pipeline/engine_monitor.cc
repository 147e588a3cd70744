// The engine's monitor thread: lag, figures of the stores, and what must not change underneath.

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "pipeline/disk_space.h"
#include "pipeline/engine.h"
#include "pipeline/monitor_metrics.h"
#include "pipeline/orphan_tasks.h"

namespace pipeline {
namespace {

constexpr milliseconds kMonitorEvery{1000};
constexpr milliseconds kMonitorEveryUntilReady{100};
constexpr int kCountsEveryTurns = 30;
constexpr int kMissingLooksMax = 2;
// The databases and the Kafka clients are asked for more, and not for each turn.
constexpr milliseconds kFiguresEvery{2000};

}  // namespace

void Engine::RunMonitor(const std::stop_token& stop) {
  OrphanTasks orphans(config_.state_directory / "tasks", config_.state_cleanup_delay, clock_);
  MonitorMetrics metrics(metrics_, topology_);
  std::chrono::nanoseconds figures_at{0};
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
    MeasureLag(metrics);
    if (const std::chrono::nanoseconds now = clock_.Monotonic();
        turn == 1 || now - figures_at >= kFiguresEvery) {
      figures_at = now;
      metrics.SetDatabases(memory_.Figures());
      clients_.UpdateMetrics();
    }
    MeasureDisk(metrics);
    if (turn % kCountsEveryTurns == 0) WatchTopics();
    const EngineStatus status = Status();
    metrics.SetReady(status.ready);
    metrics.SetStandbyTasks(status.standbys.size());
    metrics.SetTasks(status.tasks);
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

void Engine::MeasureLag(MonitorMetrics& metrics) {
  std::map<base::TopicPartition, base::Offset> committed;
  std::vector<base::TopicPartition> partitions;
  const std::vector<TaskReport> reports = tasks_.Reports();
  for (const TaskReport& report : reports) {
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
    }
  }
  metrics.SetLag(lag, reports, clock_.NowMs());
  const base::MutexLock lock(mutex_);
  lag_ = std::move(lag);
}

void Engine::MeasureDisk(const MonitorMetrics& metrics) const {
  std::error_code error;
  const std::filesystem::space_info space =
      std::filesystem::space(config_.state_directory, error);
  if (error) return;
  metrics.SetDisk(space.available, space.capacity, config_.disk_reserve_bytes);
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
