#include "tests/support/fake_kafka.h"

#include <utility>

#include "base/check.h"
#include "tests/support/fake_broker.h"
#include "tests/support/fake_clients.h"
#include "tests/support/fake_incarnation.h"

namespace support {

using base::Offset;
using base::Result;
using base::TopicPartition;

namespace {

/// The wall clock of a cluster that was given none: 2026-11-21T05:00:00Z.
constexpr int64_t kOwnClockMs = 1795237200000;

std::vector<StoredRecord> Collect(const FakeBroker& broker, const std::string& topic,
                                  bool committed_only) REQUIRES(broker.mutex) {
  std::vector<StoredRecord> records;
  const auto found = broker.topics.find(topic);
  if (found == broker.topics.end()) return records;
  for (const PartitionLog& log : found->second.partitions) {
    for (const PartitionLog::Entry& entry : log.entries()) {
      if (entry.record == nullptr) continue;
      if (committed_only && entry.decision != PartitionLog::Decision::kCommitted) continue;
      records.push_back(*entry.record);
    }
  }
  return records;
}

}  // namespace

FakeCluster::FakeCluster(const Options& options) : own_clock_(kOwnClockMs) {
  const base::Clock* clock = options.clock;
  if (clock == nullptr) clock = options.poll_clock;
  if (clock == nullptr) clock = &own_clock_;
  broker_ = std::make_unique<FakeBroker>(options.seed, *clock);
  broker_->poll_clock = options.poll_clock;
}

FakeCluster::~FakeCluster() = default;

void FakeCluster::CreateTopic(const std::string& name, int32_t partitions,
                              const std::map<std::string, std::string>& config) {
  const base::MutexLock lock(broker_->mutex);
  pipeline::NewTopic topic;
  topic.name = name;
  topic.partitions = partitions;
  topic.config = config;
  broker_->CreateTopic(topic);
}

void FakeCluster::RecreateTopic(const std::string& name) {
  const base::MutexLock lock(broker_->mutex);
  broker_->RecreateTopic(name);
}

void FakeCluster::GrowTopic(const std::string& name, int32_t partitions_more) {
  const base::MutexLock lock(broker_->mutex);
  broker_->AddPartitions(name, partitions_more);
}

void FakeCluster::SetClusterId(const std::string& id) {
  const base::MutexLock lock(broker_->mutex);
  broker_->cluster_id = id;
}

Offset FakeCluster::Append(const std::string& topic, base::Partition partition,
                           std::optional<std::string> key, std::optional<std::string> value,
                           pipeline::Headers headers, std::optional<int64_t> timestamp_ms) {
  const base::MutexLock lock(broker_->mutex);
  const TopicPartition tp{topic, partition};
  PartitionLog* log = broker_->Log(tp);
  CHECK(log != nullptr, tp.ToString() + " does not exist");
  StoredRecord record;
  record.partition = partition;
  record.key = std::move(key);
  record.value = std::move(value);
  record.headers = std::move(headers);
  record.timestamp_ms = timestamp_ms.value_or(broker_->clock.NowMs());
  return Offset{log->Append(std::move(record))};
}

std::vector<StoredRecord> FakeCluster::CommittedRecords(const std::string& topic) const {
  const base::MutexLock lock(broker_->mutex);
  return Collect(*broker_, topic, true);
}

std::vector<StoredRecord> FakeCluster::AllRecords(const std::string& topic) const {
  const base::MutexLock lock(broker_->mutex);
  return Collect(*broker_, topic, false);
}

Offset FakeCluster::LogStart(const TopicPartition& tp) const {
  const base::MutexLock lock(broker_->mutex);
  const PartitionLog* log = broker_->Log(tp);
  return Offset{log == nullptr ? 0 : log->start()};
}

Offset FakeCluster::LogEnd(const TopicPartition& tp) const {
  const base::MutexLock lock(broker_->mutex);
  const PartitionLog* log = broker_->Log(tp);
  return Offset{log == nullptr ? 0 : log->end()};
}

Offset FakeCluster::LastStableOffset(const TopicPartition& tp) const {
  const base::MutexLock lock(broker_->mutex);
  const PartitionLog* log = broker_->Log(tp);
  return Offset{log == nullptr ? 0 : log->LastStableOffset()};
}

base::Positions FakeCluster::CommittedPositions(const std::string& group) const {
  const base::MutexLock lock(broker_->mutex);
  const auto found = broker_->groups.find(group);
  return found == broker_->groups.end() ? base::Positions() : found->second.committed;
}

std::vector<std::string> FakeCluster::OpenTransactions() const {
  const base::MutexLock lock(broker_->mutex);
  std::vector<std::string> open;
  for (const auto& [id, transaction] : broker_->transactions) {
    if (transaction.number != 0) open.push_back(id);
  }
  return open;
}

uint64_t FakeCluster::RecordsRead(const std::string& topic) const {
  const base::MutexLock lock(broker_->mutex);
  const auto read = broker_->records_read.find(topic);
  return read == broker_->records_read.end() ? 0 : read->second;
}

int64_t FakeCluster::Generation(const std::string& group) const {
  const base::MutexLock lock(broker_->mutex);
  const auto found = broker_->groups.find(group);
  return found == broker_->groups.end() ? 0 : found->second.generation();
}

std::map<std::string, std::vector<TopicPartition>> FakeCluster::Shares(
    const std::string& group) const {
  const base::MutexLock lock(broker_->mutex);
  const auto found = broker_->groups.find(group);
  if (found == broker_->groups.end()) return {};
  return found->second.Shares();
}

std::map<std::string, std::vector<TopicPartition>> FakeCluster::Held(
    const std::string& group) const {
  const base::MutexLock lock(broker_->mutex);
  const auto found = broker_->groups.find(group);
  if (found == broker_->groups.end()) return {};
  return found->second.Held();
}

void FakeCluster::SetMarkerDelay(uint64_t calls_max) {
  const base::MutexLock lock(broker_->mutex);
  broker_->marker_delay_max = calls_max;
}

void FakeCluster::HoldMarkers(bool hold) {
  const base::MutexLock lock(broker_->mutex);
  broker_->hold_markers = hold;
}

void FakeCluster::DeliverMarkers() {
  const base::MutexLock lock(broker_->mutex);
  broker_->DeliverMarkers([](const TopicPartition&) { return true; });
}

void FakeCluster::DeliverMarkersTo(const TopicPartition& tp) {
  const base::MutexLock lock(broker_->mutex);
  broker_->DeliverMarkers([&](const TopicPartition& to) { return to == tp; });
}

void FakeCluster::DeliverMarkersToGroups() {
  const base::MutexLock lock(broker_->mutex);
  broker_->DeliverMarkers([](const TopicPartition& to) { return to.topic.empty(); });
}

void FakeCluster::ExpireTransactions(std::chrono::milliseconds age) {
  const base::MutexLock lock(broker_->mutex);
  broker_->ExpireTransactions(broker_->clock.NowMs() - age.count());
}

bool FakeCluster::ExpireMember(const std::string& group, const std::string& group_instance_id) {
  const base::MutexLock lock(broker_->mutex);
  return broker_->groups[group].Expire(group_instance_id, broker_->Counts());
}

int FakeCluster::DeliverLateCommits() {
  const base::MutexLock lock(broker_->mutex);
  return broker_->DeliverLateCommits();
}

void FakeCluster::SetReachable(bool reachable) {
  const base::MutexLock lock(broker_->mutex);
  broker_->reachable = reachable;
}

void FakeCluster::SetPollRecordsMax(size_t records) {
  const base::MutexLock lock(broker_->mutex);
  broker_->poll_records_max = records;
}

void FakeCluster::SetEarlySends(bool early) {
  const base::MutexLock lock(broker_->mutex);
  broker_->early_sends = early;
}

void FakeCluster::Compact(const std::string& topic, bool drop_tombstones) {
  const base::MutexLock lock(broker_->mutex);
  const auto found = broker_->topics.find(topic);
  if (found == broker_->topics.end()) return;
  for (PartitionLog& log : found->second.partitions) log.Compact(drop_tombstones);
}

void FakeCluster::DeleteRecordsBefore(const TopicPartition& tp, Offset offset) {
  const base::MutexLock lock(broker_->mutex);
  PartitionLog* log = broker_->Log(tp);
  CHECK(log != nullptr, tp.ToString() + " does not exist");
  log->DeleteBefore(offset.value);
}

FakeClients::FakeClients(FakeCluster& cluster, const Options& options)
    : incarnation_(std::make_shared<Incarnation>(*cluster.broker_, options)),
      admin_(MakeFakeAdmin(incarnation_)) {}

FakeClients::~FakeClients() = default;

void FakeClients::SetStepHook(StepHook hook) {
  const base::MutexLock lock(incarnation_->mutex);
  incarnation_->hook = std::move(hook);
}

void FakeClients::Kill() {
  // A poll of another thread that is under way joins the group before this, or not at all.
  const base::MutexLock lock(incarnation_->broker.mutex);
  incarnation_->dead = true;
}

void FakeClients::FailNext(const std::string& call, const base::Status& status, int count) {
  const base::MutexLock lock(incarnation_->mutex);
  for (int i = 0; i < count; ++i) incarnation_->failures[call].push_back(status);
}

void FakeClients::LoseNextCommit(LostCommit how) {
  const base::MutexLock lock(incarnation_->mutex);
  incarnation_->lost_commit = how;
}

void FakeClients::LoseNextAnswer(const std::string& call, const base::Status& status) {
  const base::MutexLock lock(incarnation_->mutex);
  incarnation_->lost_answers.insert_or_assign(call, status);
}

void FakeClients::RefuseNext(const std::string& topic, const std::string& reason) {
  const base::MutexLock lock(incarnation_->mutex);
  incarnation_->refusals[topic] = reason;
}

Result<std::unique_ptr<pipeline::Consumer>> FakeClients::NewGroupConsumer(
    const GroupOptions& options) {
  return MakeFakeGroupConsumer(incarnation_, options);
}

Result<std::unique_ptr<pipeline::Consumer>> FakeClients::NewReader(ReaderUse) {
  return MakeFakeReader(incarnation_);
}

Result<std::unique_ptr<pipeline::Producer>> FakeClients::NewTransactionalProducer(
    const std::string& transactional_id) {
  CHECK(!transactional_id.empty(), "a transactional producer needs an id");
  return MakeFakeProducer(incarnation_, transactional_id);
}

Result<std::unique_ptr<pipeline::Producer>> FakeClients::NewProducer() {
  return MakeFakeProducer(incarnation_, "");
}

Result<std::unique_ptr<pipeline::AsyncProducer>> FakeClients::NewAsyncProducer() {
  return MakeFakeAsyncProducer(incarnation_);
}

}  // namespace support
