#include "pipeline/stream_thread_metrics.h"

namespace pipeline {
namespace {

/// Reasons for which the pipeline itself refuses records; the stages have theirs.
constexpr const char* kReasons[] = {"crashed_stage", "limit", "refused-by-broker",
                                    "wrong-partition", "other"};

const std::vector<double>& BytesBuckets() {
  static const std::vector<double> buckets = {1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18,
                                              1 << 20, 1 << 22, 1 << 24, 1 << 26};
  return buckets;
}

base::Counter ProducedCounter(base::Metrics& metrics, const std::string& topic) {
  return metrics.AddCounter("herald_records_produced_total",
                            "Records handed to the producer, also of transactions that were aborted.",
                            {{"topic", topic}});
}

base::Counter RebalanceCounter(base::Metrics& metrics, const std::string& kind) {
  return metrics.AddCounter("herald_rebalances_total",
                            "Times that the group gave a stream thread its share, or took it away.",
                            {{"kind", kind}});
}

}  // namespace

StreamThreadMetrics::StreamThreadMetrics(const EngineShared& shared) : metrics_(shared.metrics) {
  commits = metrics_.AddCounter("herald_commits_total",
                                "Commits; with exactly_once, committed transactions.");
  aborts = metrics_.AddCounter("herald_aborts_total",
                               "Transactions that were given up; their records are replayed.");
  restarts = metrics_.AddCounter(
      "herald_thread_restarts_total",
      "Times that a stream thread began again without what it had not committed.");
  memberships_lost = metrics_.AddCounter(
      "herald_memberships_lost_total",
      "Times that a stream thread's partitions went before it could commit what it had done.");
  assigned = RebalanceCounter(metrics_, "assigned");
  revoked = RebalanceCounter(metrics_, "revoked");
  lost = RebalanceCounter(metrics_, "lost");
  commit_seconds = metrics_.AddHistogram("herald_commit_duration_seconds",
                                         "Time that one commit took.", base::DurationBuckets());
  transaction_seconds =
      metrics_.AddHistogram("herald_transaction_duration_seconds",
                            "From a transaction's first record to the end of its commit.",
                            base::DurationBuckets());
  transaction_bytes = metrics_.AddHistogram("herald_transaction_bytes",
                                            "Bytes of the outputs and rows of one commit.",
                                            BytesBuckets());
  restore_seconds = metrics_.AddHistogram(
      "herald_restore_duration_seconds",
      "From a task with stores being assigned here until it runs.", base::LatencyBuckets());
  latency_seconds = metrics_.AddHistogram(
      "herald_end_to_end_latency_seconds",
      "From a record's Kafka timestamp until what it led to can be queried (sampled).",
      base::LatencyBuckets());

  for (const std::string& topic : shared.topology.SourceTopics()) {
    Consumed(topic, 0);
    RecordsLost(topic, 0);
    const int32_t subtopology = shared.topology.SubtopologyOf(topic);
    // Only keys of tasks with rows have to be where they belong.
    if (!shared.topology.StoreSpecs(subtopology).empty()) RepartitionedCounter(topic);
  }
  for (const std::string& topic : shared.topology.sink_topics()) {
    produced_to_sink_.push_back(ProducedCounter(metrics_, topic));
  }
  produced_.resize(produced_to_sink_.size());
  if (!shared.config.dead_letters_topic.empty()) ProducedTo(shared.config.dead_letters_topic, 0);
  for (const StoreDescription& store : shared.topology.stores()) {
    if (!shared.config.changelogs || !store.options.changelog) continue;
    ProducedTo(shared.ChangelogTopic(store.name), 0);
    RestoredCounter(metrics_, store.name);
  }
  for (const char* reason : kReasons) DeadLetterCounter(metrics_, reason);
}

void StreamThreadMetrics::Consumed(const std::string& topic, int64_t records) {
  auto [it, first] = consumed_.try_emplace(topic);
  if (first) {
    it->second = metrics_.AddCounter("herald_records_consumed_total",
                                     "Records read from a source topic.", {{"topic", topic}});
  }
  it->second.Increment(static_cast<double>(records));
}

void StreamThreadMetrics::RecordsLost(const std::string& topic, int64_t records) {
  metrics_
      .AddCounter("herald_records_lost_total",
                  "Records that were deleted from a topic before they were processed.",
                  {{"topic", topic}})
      .Increment(static_cast<double>(records));
}

base::Counter StreamThreadMetrics::RepartitionedCounter(const std::string& topic) {
  return metrics_.AddCounter(
      "herald_records_repartitioned_total",
      "Records that lay in another partition than their key's and were sent there.",
      {{"topic", topic}});
}

void StreamThreadMetrics::ProducedTo(std::string_view topic, uint64_t records) {
  auto it = produced_to_.find(topic);
  if (it == produced_to_.end()) {
    const std::string name(topic);
    it = produced_to_.emplace(name, ProducedCounter(metrics_, name)).first;
  }
  it->second.Increment(static_cast<double>(records));
}

void StreamThreadMetrics::HandOver() {
  for (size_t sink = 0; sink < produced_.size(); ++sink) {
    if (produced_[sink] == 0) continue;
    produced_to_sink_[sink].Increment(static_cast<double>(produced_[sink]));
    produced_[sink] = 0;
  }
}

base::Counter DeadLetterCounter(base::Metrics& metrics, const std::string& reason) {
  return metrics.AddCounter("herald_dead_letters_total", "Records refused, by reason.",
                            {{"reason", reason}});
}

base::Counter RestoredCounter(base::Metrics& metrics, const std::string& store) {
  return metrics.AddCounter("herald_restored_records_total",
                            "Changelog records that restores applied.", {{"store", store}});
}

}  // namespace pipeline
