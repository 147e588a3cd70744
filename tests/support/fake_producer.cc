#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
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
using base::StatusCode;
using base::TopicPartition;
using std::chrono::milliseconds;

/// How often Produce() sends what is queued for one partition, if early sends are on.
constexpr double kEarlySendChance = 0.2;
/// What the record format adds to a record that comes alone, in bytes.
constexpr size_t kRecordOverheadBytes = 70;

struct QueuedRecord {
  StoredRecord record;
  uint64_t tag = 0;
  size_t bytes = 0;
};

class FakeProducer : public pipeline::Producer {
 public:
  FakeProducer(std::shared_ptr<Incarnation> incarnation, std::string id)
      : incarnation_(std::move(incarnation)), broker_(incarnation_->broker), id_(std::move(id)) {}

  Status InitTransactions(milliseconds) override {
    return incarnation_->Call("producer.init", [&](Status fault) -> Status {
      CHECK(!id_.empty() && state_ == State::kNew, "InitTransactions() out of turn");
      if (!fault.ok()) return Failed(fault);
      const base::MutexLock lock(broker_.mutex);
      if (!broker_.reachable) return Status::Unavailable("no broker can be reached");
      auto epoch = broker_.InitProducer(id_);
      if (!epoch.ok()) return epoch.status();
      epoch_ = *epoch;
      RETURN_IF_ERROR(Answer("producer.init"));
      state_ = State::kReady;
      return Status::Ok();
    });
  }

  Status BeginTransaction() override {
    return incarnation_->Call("producer.begin", [&](Status fault) -> Status {
      if (state_ == State::kFinished) return Finished();
      CHECK(state_ == State::kReady, "BeginTransaction() out of turn");
      if (!fault.ok()) return Failed(fault);
      delivered_.clear();
      first_failure_ = Status::Ok();
      state_ = State::kInTransaction;
      return Status::Ok();
    });
  }

  Status Produce(const pipeline::OutgoingRecord& record) override {
    return incarnation_->Call("producer.produce", [&](Status fault) -> Status {
      RETURN_IF_ERROR(CheckUsable());
      if (!fault.ok()) return Failed(fault);
      QueuedRecord queued;
      queued.record.partition = record.partition;
      if (record.key.has_value()) queued.record.key = std::string(*record.key);
      if (record.value.has_value()) queued.record.value = std::string(*record.value);
      if (record.headers != nullptr) queued.record.headers = *record.headers;
      queued.tag = record.tag;
      queued.bytes = BytesOf(queued.record);
      if (queued.bytes > incarnation_->options.record_bytes_max) {
        return Status::InvalidArgument("record of " + std::to_string(queued.bytes) +
                                       " bytes is above the client's limit");
      }
      const TopicPartition tp{std::string(record.topic), record.partition};
      const base::MutexLock lock(broker_.mutex);
      if (broker_.Log(tp) == nullptr) {
        return Failed(Status::Unavailable(tp.ToString() + ": unknown topic or partition"));
      }
      if (std::exchange(flushed_, false)) delivered_.clear();
      queue_[tp].push_back(std::move(queued));
      if (broker_.early_sends && broker_.reachable && broker_.Chance(kEarlySendChance)) {
        // What comes of it is told by the next call, as by a client that sends in the background.
        Status sent = Send(AnyPartition());
        if (first_failure_.ok()) first_failure_ = sent;
      }
      return Status::Ok();
    });
  }

  Status SendPositions(const Positions& positions, const pipeline::GroupMetadata& group,
                       milliseconds) override {
    return incarnation_->Call("producer.send_positions", [&](Status fault) -> Status {
      CHECK(!id_.empty(), "SendPositions() without transactions");
      RETURN_IF_ERROR(CheckUsable());
      if (!fault.ok()) return Failed(fault);
      if (positions.empty()) return Status::Ok();
      const base::MutexLock lock(broker_.mutex);
      if (!broker_.reachable) return Failed(Status::Unavailable("no broker can be reached"));
      const auto& metadata = dynamic_cast<const FakeGroupMetadata&>(group);
      if (Status member = CheckMembership(broker_, metadata); !member.ok()) return Failed(member);
      if (Status added = broker_.AddOffsets(id_, epoch_, metadata.group_id, positions);
          !added.ok()) {
        return Failed(added);
      }
      return Answer("producer.send_positions");
    });
  }

  Status CommitTransaction(milliseconds) override {
    return incarnation_->Call("producer.commit", [&](Status fault) -> Status {
      RETURN_IF_ERROR(CheckUsable());
      CHECK(state_ == State::kInTransaction, "CommitTransaction() out of turn");
      {
        const base::MutexLock lock(broker_.mutex);
        if (!fault.ok()) {
          RETURN_IF_ERROR(SendSome());
          return Failed(fault);
        }
        if (incarnation_->TakeLateCommit()) return LeaveForLater();
        RETURN_IF_ERROR(SendAll());
      }
      incarnation_->Step("producer.commit.flushed");
      if (incarnation_->dead) return Finished();
      const std::optional<LostCommit> lost = incarnation_->TakeLostCommit();
      const base::MutexLock lock(broker_.mutex);
      if (!broker_.reachable) return Failed(Status::Lost("commit: no answer, brokers are gone"));
      if (lost.has_value()) {
        if (*lost != LostCommit::kUndecided) {
          RETURN_IF_ERROR(broker_.EndTransaction(id_, epoch_, *lost == LostCommit::kCommitted));
        }
        return Failed(Status::Lost("commit: no answer"));
      }
      if (Status ended = broker_.EndTransaction(id_, epoch_, true); !ended.ok()) {
        return Failed(ended);
      }
      state_ = State::kReady;
      return Status::Ok();
    });
  }

  Status AbortTransaction(milliseconds) override {
    return incarnation_->Call("producer.abort", [&](Status fault) -> Status {
      if (state_ == State::kFinished) return Finished();
      CHECK(state_ == State::kInTransaction || state_ == State::kAbortable,
            "AbortTransaction() out of turn");
      if (!fault.ok()) return Failed(fault);
      queue_.clear();
      const base::MutexLock lock(broker_.mutex);
      if (!broker_.reachable) return Failed(Status::Lost("abort: no answer, brokers are gone"));
      if (Status ended = broker_.EndTransaction(id_, epoch_, false); !ended.ok()) {
        return Failed(ended);
      }
      RETURN_IF_ERROR(Answer("producer.abort"));
      state_ = State::kReady;
      return Status::Ok();
    });
  }

  Status Flush(milliseconds) override {
    return incarnation_->Call("producer.flush", [&](Status fault) -> Status {
      if (state_ == State::kFinished) return Finished();
      if (std::exchange(flushed_, false)) delivered_.clear();
      {
        const base::MutexLock lock(broker_.mutex);
        RETURN_IF_ERROR(SendSome());
        if (!fault.ok()) return Failed(fault);
      }
      incarnation_->Step("producer.flush.partial");
      if (incarnation_->dead) return Finished();
      const base::MutexLock lock(broker_.mutex);
      RETURN_IF_ERROR(SendAll());
      flushed_ = id_.empty();
      RETURN_IF_ERROR(Answer("producer.flush"));
      return std::exchange(first_failure_, Status::Ok());
    });
  }

  std::optional<Offset> LastDelivered(const TopicPartition& tp) const override {
    const auto at = delivered_.find(tp);
    return at == delivered_.end() ? std::nullopt : std::optional<Offset>(at->second);
  }

  std::vector<pipeline::RefusedRecord> TakeRefused() override {
    return std::exchange(refused_, {});
  }

 private:
  enum class State { kNew, kReady, kInTransaction, kAbortable, kFinished };

  static size_t BytesOf(const StoredRecord& record) {
    size_t bytes =
        kRecordOverheadBytes + record.key.value_or("").size() + record.value.value_or("").size();
    for (const auto& [name, value] : record.headers) {
      bytes += name.size() + value.value_or("").size();
    }
    return bytes;
  }

  Status Finished() const {
    return Status::Lost("transactional id " + id_ + ": this producer is finished");
  }

  Status CheckUsable() const {
    if (state_ == State::kFinished) return Finished();
    if (state_ == State::kAbortable) {
      return Status::Unavailable("transactional id " + id_ + ": the transaction has to be aborted");
    }
    CHECK(id_.empty() || state_ == State::kInTransaction, "no transaction was begun");
    return Status::Ok();
  }

  Status Failed(const Status& status) {
    if (status.code() == StatusCode::kLost) state_ = State::kFinished;
    if (status.code() == StatusCode::kUnavailable && state_ == State::kInTransaction) {
      state_ = State::kAbortable;
    }
    return status;
  }

  /// Of a call that did what it should.
  Status Answer(const std::string& call) { return Failed(incarnation_->TakeLostAnswer(call)); }

  /// Commits at some later time, with what is not sent yet.
  Status LeaveForLater() REQUIRES(broker_.mutex) {
    FakeBroker::LateCommit late{id_, epoch_, {}};
    bool refused = false;
    for (auto& [tp, records] : queue_) {
      for (QueuedRecord& queued : records) {
        refused |= static_cast<int64_t>(queued.bytes) > broker_.RecordBytesMax(tp.topic);
        late.records.emplace_back(tp, std::move(queued.record));
      }
    }
    queue_.clear();
    // Of a refused record it hears before it asks for the end, and then it never does.
    if (!refused) broker_.late_commits.push_back(std::move(late));
    return Failed(Status::Lost("commit: no answer"));
  }

  TopicPartition AnyPartition() REQUIRES(broker_.mutex) {
    auto at = queue_.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(broker_.Random(queue_.size())));
    return at->first;
  }

  /// Sends what is queued for one partition.
  Status Send(const TopicPartition& tp) REQUIRES(broker_.mutex) {
    std::vector<QueuedRecord> records = std::move(queue_[tp]);
    queue_.erase(tp);
    Status refused;
    for (QueuedRecord& queued : records) {
      std::optional<std::string> reason = incarnation_->TakeRefusal(tp.topic);
      if (!reason.has_value() &&
          static_cast<int64_t>(queued.bytes) > broker_.RecordBytesMax(tp.topic)) {
        reason = "MESSAGE_TOO_LARGE";
      }
      if (reason.has_value()) {
        refused_.push_back({tp.topic, tp.partition, queued.tag, *reason});
        refused = Failed(Status::Unavailable(tp.ToString() + ": record refused: " + *reason));
        continue;
      }
      if (!id_.empty()) {
        auto transaction = broker_.Enlist(id_, epoch_, tp);
        if (!transaction.ok()) return Failed(transaction.status());
        queued.record.transaction = *transaction;
      }
      queued.record.timestamp_ms = broker_.clock.NowMs();
      delivered_[tp] = Offset{broker_.Log(tp)->Append(std::move(queued.record))};
    }
    return refused;
  }

  /// Sends to as many partitions as chance has it.
  Status SendSome() REQUIRES(broker_.mutex) {
    if (!broker_.reachable) return Failed(Status::Unavailable("no broker can be reached"));
    const uint64_t count = broker_.Random(queue_.size() + 1);
    for (uint64_t i = 0; i < count; ++i) RETURN_IF_ERROR(Send(AnyPartition()));
    return Status::Ok();
  }

  Status SendAll() REQUIRES(broker_.mutex) {
    if (queue_.empty()) return Status::Ok();
    if (!broker_.reachable) return Failed(Status::Unavailable("no broker can be reached"));
    Status first;
    while (!queue_.empty()) {
      Status sent = Send(AnyPartition());
      if (first.ok()) first = sent;
    }
    return first;
  }

  const std::shared_ptr<Incarnation> incarnation_;
  FakeBroker& broker_;
  const std::string id_;
  int64_t epoch_ = -1;
  State state_ = State::kNew;
  bool flushed_ = false;
  Status first_failure_;  ///< Of records that Produce() sent early; for the next Flush().
  std::map<TopicPartition, std::vector<QueuedRecord>> queue_;
  Positions delivered_;
  std::vector<pipeline::RefusedRecord> refused_;
};

class FakeAsyncProducer : public pipeline::AsyncProducer {
 public:
  explicit FakeAsyncProducer(std::shared_ptr<Incarnation> incarnation)
      : incarnation_(std::move(incarnation)) {}

  void Produce(std::string_view topic, base::Partition partition,
               std::optional<std::string_view> key, std::optional<std::string_view> value,
               const pipeline::Headers& headers, Delivered delivered) override {
    FakeBroker& broker = incarnation_->broker;
    const TopicPartition tp{std::string(topic), partition};
    auto result = incarnation_->Call("async_producer.produce", [&](Status fault) -> Result<Offset> {
      if (!fault.ok()) return fault;
      StoredRecord record;
      record.partition = partition;
      if (key.has_value()) record.key = std::string(*key);
      if (value.has_value()) record.value = std::string(*value);
      record.headers = headers;
      const size_t bytes =
          kRecordOverheadBytes + key.value_or("").size() + value.value_or("").size();
      const base::MutexLock lock(broker.mutex);
      if (!broker.reachable) return Status::Unavailable("no broker can be reached");
      PartitionLog* log = broker.Log(tp);
      if (log == nullptr) return Status::Unavailable(tp.ToString() + ": unknown");
      if (static_cast<int64_t>(bytes) > broker.RecordBytesMax(tp.topic)) {
        return Status::InvalidArgument(tp.ToString() + ": record is too large");
      }
      record.timestamp_ms = broker.clock.NowMs();
      return Offset{log->Append(std::move(record))};
    });
    if (!result.ok() && result.status().code() == StatusCode::kLost) {
      result = Status::Unavailable(result.status().message());
    }
    delivered(std::move(result));
  }

  Status Flush(milliseconds) override { return Status::Ok(); }

 private:
  const std::shared_ptr<Incarnation> incarnation_;
};

}  // namespace

std::unique_ptr<pipeline::Producer> MakeFakeProducer(std::shared_ptr<Incarnation> incarnation,
                                                     const std::string& transactional_id) {
  return std::make_unique<FakeProducer>(std::move(incarnation), transactional_id);
}

std::unique_ptr<pipeline::AsyncProducer> MakeFakeAsyncProducer(
    std::shared_ptr<Incarnation> incarnation) {
  return std::make_unique<FakeAsyncProducer>(std::move(incarnation));
}

}  // namespace support
