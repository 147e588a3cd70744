#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "tests/support/fake_clients.h"
#include "tests/support/fake_group_metadata.h"
#include "tests/support/fake_incarnation.h"

namespace support {
namespace {

using base::Offset;
using base::Positions;
using base::Result;
using base::Status;
using base::TopicPartition;
using pipeline::RecordBatch;
using std::chrono::milliseconds;

/// How often an aborted or control record behind data waits for the next poll to be passed.
constexpr double kControlRecordLeftChance = 0.3;

class FakeRecordBatch : public RecordBatch {
 public:
  void Add(const std::string& topic, std::shared_ptr<const StoredRecord> record) {
    pipeline::RawRecord raw;
    raw.metadata.topic = topic;  // the broker keeps topic names for good
    raw.metadata.partition = record->partition;
    raw.metadata.offset = record->offset;
    raw.metadata.timestamp_ms = record->timestamp_ms;
    if (record->key.has_value()) raw.key = *record->key;
    if (record->value.has_value()) raw.value = *record->value;
    records_.push_back(raw);
    owned_.push_back(std::move(record));
  }

  size_t size() const override { return records_.size(); }
  const pipeline::RawRecord& record(size_t index) const override { return records_[index]; }
  pipeline::Headers ReadHeaders(size_t index) const override { return owned_[index]->headers; }

 private:
  std::vector<pipeline::RawRecord> records_;
  std::vector<std::shared_ptr<const StoredRecord>> owned_;
};

/// A consumer with or without a group.
class FakeConsumer : public pipeline::Consumer {
 public:
  FakeConsumer(std::shared_ptr<Incarnation> incarnation, std::string group_id,
               std::string instance_id)
      : incarnation_(std::move(incarnation)),
        broker_(incarnation_->broker),
        group_id_(std::move(group_id)),
        instance_id_(std::move(instance_id)),
        prefix_(group_id_.empty() ? "reader." : "consumer.") {}

  Status Subscribe(const std::vector<std::string>& topics,
                   pipeline::RebalanceListener* listener) override {
    return incarnation_->Call(prefix_ + "subscribe", [&](Status fault) -> Status {
      if (!fault.ok()) return fault;
      CHECK(!group_id_.empty(), "a reader cannot subscribe");
      CHECK(listener_ == nullptr, "subscribed before");
      listener_ = listener;
      topics_ = topics;
      const base::MutexLock lock(broker_.mutex);
      member_id_ = Group_().Join(instance_id_, topics_, broker_.Counts());
      return Status::Ok();
    });
  }

  Status Assign(std::span<const pipeline::AssignedPartition> partitions) override {
    return incarnation_->Call(prefix_ + "assign", [&](Status fault) -> Status {
      if (!group_id_.empty()) CheckAssignment(partitions);
      if (!fault.ok()) return fault;
      reads_.clear();
      out_of_range_.clear();
      for (const auto& assigned : partitions) {
        Read read;
        if (assigned.start.has_value()) read.fetch = assigned.start->value;
        read.paused = assigned.paused;
        reads_[assigned.partition] = read;
      }
      return Status::Ok();
    });
  }

  Result<std::unique_ptr<RecordBatch>> Poll(milliseconds timeout, size_t records_max) override {
    using Polled = Result<std::unique_ptr<RecordBatch>>;
    return incarnation_->Call(prefix_ + "poll", [&](Status fault) -> Polled {
      CHECK(!left_, "polled after Leave()");
      if (!fault.ok()) return fault;
      if (!Reachable()) {
        PassTime(timeout);
        return Status::Unavailable("no broker can be reached");
      }
      bool served = false;
      if (listener_ != nullptr) RETURN_IF_ERROR(ServeGroup(&served));
      auto batch = std::make_unique<FakeRecordBatch>();
      if (!served) Fetch(records_max, *batch);
      if (!served && batch->size() == 0) PassTime(timeout);
      return Polled(std::move(batch));
    });
  }

  std::vector<TopicPartition> TakeOutOfRange() override { return std::exchange(out_of_range_, {}); }

  Status Pause(std::span<const TopicPartition> partitions) override {
    return SetPaused(partitions, true);
  }
  Status Resume(std::span<const TopicPartition> partitions) override {
    return SetPaused(partitions, false);
  }

  Status Seek(const Positions& positions) override {
    return incarnation_->Call(prefix_ + "seek", [&](Status fault) -> Status {
      if (!fault.ok()) return fault;
      for (const auto& [tp, offset] : positions) {
        const auto read = reads_.find(tp);
        CHECK(read != reads_.end(), "seek of a partition that is not assigned: " + tp.ToString());
        read->second.fetch = offset.value;
        read->second.position.reset();
        read->second.stands_still = false;
        std::erase(out_of_range_, tp);
      }
      return Status::Ok();
    });
  }

  std::optional<Offset> Position(const TopicPartition& tp) const override {
    const auto read = reads_.find(tp);
    return read == reads_.end() ? std::nullopt : read->second.position;
  }

  Result<Positions> Committed(std::span<const TopicPartition> partitions, milliseconds) override {
    return incarnation_->Call(prefix_ + "committed", [&](Status fault) -> Result<Positions> {
      if (!fault.ok()) return fault;
      CHECK(!group_id_.empty(), "a reader has no committed positions");
      const base::MutexLock lock(broker_.mutex);
      if (!broker_.reachable) return Status::Unavailable("no broker can be reached");
      const auto stable = [&]() REQUIRES(broker_.mutex) {
        for (const auto& [transaction, pending] : Group_().pending) {
          for (const TopicPartition& tp : partitions) {
            if (pending.contains(tp)) return false;
          }
        }
        return true;
      };
      if (!broker_.WaitUntil(stable)) {
        return Status::Unavailable("group " + group_id_ +
                                   ": timed out, a transaction holds offsets");
      }
      Positions committed;
      for (const TopicPartition& tp : partitions) {
        const auto& all = Group_().committed;
        if (const auto at = all.find(tp); at != all.end()) committed.insert(*at);
      }
      return committed;
    });
  }

  Status CommitPositions(const Positions& positions) override {
    return incarnation_->Call(prefix_ + "commit_positions", [&](Status fault) -> Status {
      if (!fault.ok()) return fault;
      const base::MutexLock lock(broker_.mutex);
      if (!broker_.reachable) return Status::Unavailable("no broker can be reached");
      if (Status member = CheckMembership(broker_, Metadata()); !member.ok()) {
        return Status::Lost(member.message());
      }
      for (const auto& [tp, offset] : positions) Group_().committed[tp] = offset;
      return incarnation_->TakeLostAnswer("consumer.commit_positions");
    });
  }

  std::unique_ptr<pipeline::GroupMetadata> Group() const override {
    return std::make_unique<FakeGroupMetadata>(Metadata());
  }

  Status Leave(milliseconds) override {
    return incarnation_->Call(prefix_ + "leave", [&](Status fault) -> Status {
      if (!fault.ok()) return fault;
      left_ = true;
      if (listener_ == nullptr) return Status::Ok();
      bool member = false;
      {
        const base::MutexLock lock(broker_.mutex);
        member = Group_().Find(member_id_) != nullptr;
      }
      GiveUp(/*lost=*/!member);
      const base::MutexLock lock(broker_.mutex);
      if (Group_().Find(member_id_) != nullptr) Group_().Remove(member_id_, broker_.Counts());
      return Status::Ok();
    });
  }

 private:
  struct Read {
    int64_t fetch = -1;  ///< The next offset to look at; -1: the earliest there is.
    std::optional<Offset> position;
    bool paused = false;
    bool stands_still = false;
  };

  FakeGroup& Group_() REQUIRES(broker_.mutex) { return broker_.groups[group_id_]; }

  FakeGroupMetadata Metadata() const {
    return FakeGroupMetadata(group_id_, member_id_, instance_id_, generation_);
  }

  bool Reachable() {
    const base::MutexLock lock(broker_.mutex);
    return broker_.reachable;
  }

  void PassTime(milliseconds timeout) {
    if (broker_.poll_clock == nullptr) {
      std::this_thread::yield();
      return;
    }
    const base::MutexLock lock(broker_.mutex);
    broker_.poll_clock->Advance(timeout);
  }

  void CheckAssignment(std::span<const pipeline::AssignedPartition> partitions) {
    CHECK(assigning_, "in a group Assign() is for OnAssigned() only");
    std::vector<TopicPartition> given;
    for (const auto& assigned : partitions) given.push_back(assigned.partition);
    std::sort(given.begin(), given.end());
    std::vector<TopicPartition> share = *share_;
    std::sort(share.begin(), share.end());
    CHECK(given == share, "Assign() with other partitions than OnAssigned() was told");
    assigned_ = true;
  }

  Status SetPaused(std::span<const TopicPartition> partitions, bool paused) {
    if (incarnation_->dead) return Status::Lost("this process has crashed");
    for (const TopicPartition& tp : partitions) {
      if (const auto read = reads_.find(tp); read != reads_.end()) read->second.paused = paused;
    }
    return Status::Ok();
  }

  void GiveUp(bool lost) {
    if (share_.has_value()) {
      const std::string step = lost ? "consumer.on_lost" : "consumer.on_revoked";
      incarnation_->Step(step + ".before");
      if (incarnation_->dead) return;
      if (lost) {
        listener_->OnLost(*share_);
      } else {
        listener_->OnRevoked(*share_);
      }
      incarnation_->Step(step + ".after");
    }
    share_.reset();
    reads_.clear();
    out_of_range_.clear();
  }

  /// One thing that the group asks of this member, if any.
  Status ServeGroup(bool* served) {
    enum class Turn { kNone, kLost, kRevoke, kAssign };
    Turn turn = Turn::kNone;
    {
      const base::MutexLock lock(broker_.mutex);
      FakeGroup::Member* member = Group_().Find(member_id_);
      if (member == nullptr) {
        if (Group_().FencedBy(member_id_, instance_id_)) {
          return Status::Internal("another live process has the instance id " + instance_id_);
        }
        turn = Turn::kLost;
      } else if (Group_().preparing()) {
        if (!member->joined) turn = Turn::kRevoke;
      } else if (member->seen_generation != Group_().generation()) {
        turn = Turn::kAssign;
      }
    }
    *served = turn != Turn::kNone;
    if (turn == Turn::kLost || turn == Turn::kRevoke) {
      GiveUp(turn == Turn::kLost);
      const base::MutexLock lock(broker_.mutex);
      // Killed while it gave up: the dead join no more.
      if (incarnation_->dead) return Status::Lost("this process has crashed");
      if (turn == Turn::kLost) {
        member_id_ = Group_().Join(instance_id_, topics_, broker_.Counts());
      } else if (FakeGroup::Member* member = Group_().Find(member_id_);
                 member != nullptr && Group_().preparing()) {
        Group_().Rejoin(*member, broker_.Counts());
      }
    } else if (turn == Turn::kAssign) {
      GiveUp(/*lost=*/false);
      TakeShare();
    }
    return Status::Ok();
  }

  void TakeShare() {
    {
      const base::MutexLock lock(broker_.mutex);
      FakeGroup::Member* member = Group_().Find(member_id_);
      if (member == nullptr || Group_().preparing()) return;
      generation_ = Group_().generation();
      member->seen_generation = generation_;
      share_ = member->share;
    }
    assigning_ = true;
    assigned_ = false;
    incarnation_->Step("consumer.on_assigned.before");
    if (!incarnation_->dead) listener_->OnAssigned(*share_);
    assigning_ = false;
    incarnation_->Step("consumer.on_assigned.after");
    CHECK(assigned_ || incarnation_->dead, "OnAssigned() returned without Assign()");
  }

  void Fetch(size_t records_max, FakeRecordBatch& batch) {
    const base::MutexLock lock(broker_.mutex);
    size_t limit = records_max;
    if (broker_.poll_records_max > 0) {
      limit = std::min<size_t>(limit, 1 + broker_.Random(broker_.poll_records_max));
    }
    std::vector<TopicPartition> order;
    for (const auto& [tp, read] : reads_) order.push_back(tp);
    std::shuffle(order.begin(), order.end(), broker_.random);
    for (const TopicPartition& tp : order) FetchFrom(tp, limit, batch);
  }

  void FetchFrom(const TopicPartition& tp, size_t limit, FakeRecordBatch& batch)
      REQUIRES(broker_.mutex) {
    Read& read = reads_[tp];
    const PartitionLog* log = broker_.Log(tp);
    if (log == nullptr || read.paused || read.stands_still) return;
    if (read.fetch < 0) read.fetch = log->start();
    if (read.fetch < log->start() || read.fetch > log->end()) {
      read.stands_still = true;
      out_of_range_.push_back(tp);
      return;
    }
    const std::string& topic = broker_.topics.find(tp.topic)->first;
    const int64_t stable = log->LastStableOffset();
    const auto& entries = log->entries();
    bool found = false;
    for (size_t i = log->IndexOf(read.fetch); i < entries.size(); ++i) {
      const PartitionLog::Entry& entry = entries[i];
      if (entry.offset >= stable) break;
      if (entry.record != nullptr && entry.decision == PartitionLog::Decision::kCommitted) {
        if (batch.size() >= limit) break;
        batch.Add(topic, entry.record);
        ++broker_.records_read[topic];
        found = true;
      } else if (found && broker_.Chance(kControlRecordLeftChance)) {
        break;
      }
      read.fetch = entry.offset + 1;
      const bool aborted =
          entry.record != nullptr && entry.decision == PartitionLog::Decision::kAborted;
      if (!aborted) read.position = Offset{read.fetch};
    }
  }

  const std::shared_ptr<Incarnation> incarnation_;
  FakeBroker& broker_;
  const std::string group_id_;
  const std::string instance_id_;
  const std::string prefix_;
  pipeline::RebalanceListener* listener_ = nullptr;
  std::vector<std::string> topics_;
  std::string member_id_;
  int64_t generation_ = -1;
  /// What OnAssigned() was told last and was not taken away since.
  std::optional<std::vector<TopicPartition>> share_;
  bool assigning_ = false;
  bool assigned_ = false;
  bool left_ = false;
  std::map<TopicPartition, Read> reads_;
  std::vector<TopicPartition> out_of_range_;
};

}  // namespace

std::unique_ptr<pipeline::Consumer> MakeFakeReader(std::shared_ptr<Incarnation> incarnation) {
  return std::make_unique<FakeConsumer>(std::move(incarnation), "", "");
}

std::unique_ptr<pipeline::Consumer> MakeFakeGroupConsumer(
    std::shared_ptr<Incarnation> incarnation, const pipeline::KafkaClients::GroupOptions& options) {
  CHECK(!options.group_id.empty(), "a group needs an id");
  return std::make_unique<FakeConsumer>(std::move(incarnation), options.group_id,
                                        options.group_instance_id);
}

}  // namespace support
