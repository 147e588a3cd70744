#include "pipeline/crash_ledger.h"

#include <chrono>
#include <utility>

#include "pipeline/partitioner.h"

namespace pipeline {
namespace {

std::string KeyOf(const base::TopicPartition& tp) {
  return "crashed/" + tp.topic + "/" + std::to_string(tp.partition.value);
}

}  // namespace

CrashLedger::CrashLedger(KafkaClients& clients, const GlobalTable<InstanceRecord>* table,
                         int32_t table_partitions)
    : clients_(clients), table_(table), table_partitions_(table_partitions) {}

std::optional<CrashedRecord> CrashLedger::Newest(const base::TopicPartition& tp,
                                                 const std::string& topic_id) const {
  std::optional<CrashedRecord> newest;
  if (table_ != nullptr) {
    // A table that cannot be read is as one that is empty.
    const auto row = table_->Get(KeyOf(tp));
    if (row.ok() && *row != nullptr && (*row)->crashed.has_value()) newest = (*row)->crashed;
  }
  const auto mine = counted_.find(tp);
  if (mine != counted_.end() && (!newest.has_value() || mine->second.number >= newest->number)) {
    newest = mine->second;
  }
  if (newest.has_value() && newest->topic_id != topic_id) return std::nullopt;
  return newest;
}

std::optional<CrashLedger::Count> CrashLedger::Find(const base::TopicPartition& tp,
                                                    const std::string& topic_id) const {
  const base::MutexLock lock(mutex_);
  const std::optional<CrashedRecord> newest = Newest(tp, topic_id);
  if (!newest.has_value()) return std::nullopt;
  return Count{newest->offset, newest->times};
}

base::Result<int> CrashLedger::Crashed(const RecordPlace& place, const std::string& topic_id,
                                       uint64_t run, milliseconds timeout) {
  CrashedRecord crashed;
  crashed.topic_id = topic_id;
  crashed.offset = place.offset;
  crashed.times = 1;
  crashed.run = run;
  crashed.number = 1;
  {
    const base::MutexLock lock(mutex_);
    if (const auto before = Newest(place.tp, topic_id); before.has_value()) {
      crashed.number = before->number + 1;
      if (before->offset == place.offset) {
        // The same end, told again because its teller came to its own before it could forget.
        if (before->run == run) return before->times;
        crashed.times = before->times + 1;
      }
    }
  }
  // Others go on meanwhile; nobody else counts this partition, for one thread at a time has it.
  if (table_ != nullptr) {
    InstanceRecord record;
    record.crashed = crashed;
    std::string value;
    Serde<InstanceRecord>().Encode(record, value);
    RETURN_IF_ERROR(Write(KeyOf(place.tp), value, timeout));
  }
  const base::MutexLock lock(mutex_);
  counted_[place.tp] = crashed;
  return crashed.times;
}

base::Status CrashLedger::Write(const std::string& key, const std::string& value,
                                milliseconds timeout) {
  AsyncProducer* producer = nullptr;
  {
    const base::MutexLock lock(mutex_);
    if (producer_ == nullptr) {
      auto made = clients_.NewAsyncProducer();
      if (!made.ok()) return made.status();
      producer_ = std::move(*made);
    }
    producer = producer_.get();
  }
  struct Outcome {
    base::Mutex mutex;
    base::ConditionVariable told;
    std::optional<base::Status> status GUARDED_BY(mutex);
  };
  // The callback may come after we have given up.
  const auto outcome = std::make_shared<Outcome>();
  producer->Produce(table_->topic(), PartitionForKey(key, table_partitions_), key, value,
                    [outcome](const base::Result<base::Offset>& delivered) {
                      const base::MutexLock lock(outcome->mutex);
                      outcome->status = delivered.status();
                      outcome->told.NotifyAll();
                    });
  const base::MutexLock lock(outcome->mutex);
  outcome->told.WaitFor(outcome->mutex, timeout, [&outcome]() REQUIRES(outcome->mutex) {
    return outcome->status.has_value();
  });
  if (!outcome->status.has_value()) {
    return base::Status::Unavailable("topic " + table_->topic() + " did not take a crash's count");
  }
  if (!outcome->status->ok()) {
    return base::Status::Unavailable(
        "topic " + table_->topic() +
        " did not take a crash's count: " + outcome->status->message());
  }
  return base::Status::Ok();
}

}  // namespace pipeline
