#include "tests/support/fake_broker.h"

#include <algorithm>

#include "base/check.h"

namespace support {

using base::Status;

PartitionLog* FakeBroker::Log(const base::TopicPartition& tp) {
  const auto topic = topics.find(tp.topic);
  if (topic == topics.end() || tp.partition.value < 0) return nullptr;
  const auto index = static_cast<size_t>(tp.partition.value);
  return index < topic->second.partitions.size() ? &topic->second.partitions[index] : nullptr;
}

FakeGroup::PartitionCounts FakeBroker::Counts() const {
  FakeGroup::PartitionCounts counts;
  for (const auto& [name, topic] : topics) {
    counts[name] = static_cast<int32_t>(topic.partitions.size());
  }
  return counts;
}

void FakeBroker::CreateTopic(const pipeline::NewTopic& topic) {
  CHECK(topic.partitions > 0, "a topic needs a partition");
  if (topics.contains(topic.name)) return;
  Topic& created = topics[topic.name];
  created.id = "topic-id-" + std::to_string(++topic_ids_);
  created.config = topic.config;
  created.config.try_emplace("cleanup.policy", "delete");
  created.config.try_emplace("max.message.bytes", "1048588");
  AddPartitions(topic.name, topic.partitions);
}

void FakeBroker::RecreateTopic(const std::string& name) {
  Topic& topic = topics.at(name);
  topic.id = "topic-id-" + std::to_string(++topic_ids_);
  topic.partitions.assign(topic.partitions.size(), PartitionLog());
}

void FakeBroker::AddPartitions(const std::string& name, int32_t count) {
  topics.at(name).partitions.resize(topics.at(name).partitions.size() + static_cast<size_t>(count));
  for (auto& [group_id, group] : groups) {
    if (group.SubscribedTo(name)) group.StartRebalance(Counts());
  }
}

int64_t FakeBroker::RecordBytesMax(const std::string& topic) const {
  return std::stoll(topics.at(topic).config.at("max.message.bytes"));
}

base::Result<int64_t> FakeBroker::InitProducer(const std::string& id) {
  Transaction& transaction = transactions[id];
  if (transaction.number != 0 && !transaction.ending) {
    ++transaction.epoch;
    BeginEnd(id, transaction, false);
  }
  if (!WaitUntil([&] { return transaction.number == 0; })) {
    return Status::Unavailable("transactional id " + id + ": its last transaction is still ending");
  }
  return ++transaction.epoch;
}

base::Result<FakeBroker::Transaction*> FakeBroker::Running(const std::string& id, int64_t epoch) {
  Transaction& transaction = transactions[id];
  if (transaction.epoch != epoch) {
    return Status::Lost("transactional id " + id + ": fenced by a newer producer");
  }
  if (transaction.ending && !WaitUntil([&] { return transaction.number == 0; })) {
    return Status::Unavailable("transactional id " + id + ": its last transaction is still ending");
  }
  if (transaction.number == 0) {
    transaction.number = ++transaction_numbers_;
    transaction.started_ms = clock.NowMs();
  }
  return &transaction;
}

base::Result<int64_t> FakeBroker::Enlist(const std::string& id, int64_t epoch,
                                         const base::TopicPartition& tp) {
  auto transaction = Running(id, epoch);
  if (!transaction.ok()) return transaction.status();
  (*transaction)->partitions.insert(tp);
  return (*transaction)->number;
}

Status FakeBroker::AddOffsets(const std::string& id, int64_t epoch, const std::string& group,
                              const base::Positions& positions) {
  auto transaction = Running(id, epoch);
  if (!transaction.ok()) return transaction.status();
  (*transaction)->groups.insert(group);
  base::Positions& pending = groups[group].pending[(*transaction)->number];
  for (const auto& [tp, offset] : positions) pending[tp] = offset;
  return Status::Ok();
}

Status FakeBroker::EndTransaction(const std::string& id, int64_t epoch, bool commit) {
  Transaction& transaction = transactions[id];
  if (transaction.epoch != epoch) {
    return Status::Lost("transactional id " + id + ": fenced by a newer producer");
  }
  // Nothing was enlisted since the last end: the client does not even ask.
  if (transaction.number == 0 || transaction.ending) return Status::Ok();
  BeginEnd(id, transaction, commit);
  return Status::Ok();
}

int FakeBroker::DeliverLateCommits() {
  int done = 0;
  for (LateCommit& late : std::exchange(late_commits, {})) {
    bool fenced = false;
    for (auto& [tp, record] : late.records) {
      const auto transaction = Enlist(late.id, late.epoch, tp);
      fenced = !transaction.ok();
      if (fenced) break;
      record.transaction = *transaction;
      record.timestamp_ms = clock.NowMs();
      Log(tp)->Append(std::move(record));
    }
    // Fenced between the two: then this says so, to nobody.
    if (!fenced && EndTransaction(late.id, late.epoch, true).ok()) ++done;
  }
  return done;
}

void FakeBroker::ExpireTransactions(int64_t started_before_ms) {
  for (auto& [id, transaction] : transactions) {
    if (transaction.number == 0 || transaction.ending) continue;
    if (transaction.started_ms > started_before_ms) continue;
    ++transaction.epoch;
    BeginEnd(id, transaction, false);
  }
}

void FakeBroker::BeginEnd(const std::string& id, Transaction& transaction, bool commit) {
  transaction.ending = true;
  transaction.commit = commit;
  Marker marker;
  marker.id = id;
  marker.transaction = transaction.number;
  marker.commit = commit;
  std::vector<Marker> sent;
  for (const base::TopicPartition& tp : transaction.partitions) {
    sent.push_back(marker);
    sent.back().partition = tp;
  }
  for (const std::string& group : transaction.groups) {
    sent.push_back(marker);
    sent.back().group = group;
  }
  for (Marker& one : sent) {
    one.due = tick_ + Random(marker_delay_max + 1);
    if (!hold_markers && one.due == tick_) {
      Arrive(one);
    } else {
      markers_.push_back(std::move(one));
    }
  }
  FinishIfAllArrived(id);
}

void FakeBroker::Arrive(const Marker& marker) {
  if (marker.group.empty()) {
    if (PartitionLog* log = Log(marker.partition)) {
      log->AppendMarker(marker.transaction, marker.commit);
    }
    return;
  }
  FakeGroup& group = groups[marker.group];
  if (marker.commit) {
    for (const auto& [tp, offset] : group.pending[marker.transaction]) {
      group.committed[tp] = offset;
    }
  }
  group.pending.erase(marker.transaction);
}

void FakeBroker::FinishIfAllArrived(const std::string& id) {
  const bool waits = std::any_of(markers_.begin(), markers_.end(),
                                 [&](const Marker& marker) { return marker.id == id; });
  if (waits) return;
  Transaction& transaction = transactions[id];
  transaction.number = 0;
  transaction.ending = false;
  transaction.partitions.clear();
  transaction.groups.clear();
}

void FakeBroker::Tick() {
  ++tick_;
  if (hold_markers) return;
  DeliverMarkers(nullptr);
}

void FakeBroker::DeliverMarkers(const std::function<bool(const base::TopicPartition&)>& to) {
  std::vector<Marker> arrived;
  std::erase_if(markers_, [&](const Marker& marker) REQUIRES(mutex) {
    const bool arrives = to ? to(marker.partition) : marker.due <= tick_;
    if (arrives) arrived.push_back(marker);
    return arrives;
  });
  for (const Marker& marker : arrived) {
    Arrive(marker);
    FinishIfAllArrived(marker.id);
  }
}

bool FakeBroker::WaitUntil(const std::function<bool()>& done) {
  while (!done()) {
    if (hold_markers || markers_.empty()) return false;
    Tick();
  }
  return true;
}

}  // namespace support
