#include "pipeline/stream_thread.h"

#include <algorithm>
#include <charconv>
#include <new>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "pipeline/dead_letter.h"
#include "pipeline/departed_members.h"
#include "pipeline/partitioner.h"
#include "pipeline/record_log.h"
#include "pipeline/state_directory.h"

namespace pipeline {
namespace {

// When the first record behind an output was produced, in milliseconds since the epoch: carried by
// a sample of the outputs, so that latency is known over several topics.
constexpr std::string_view kOriginHeader = "herald-origin-ms";
// One in so many records is in the sample, by offset.
constexpr int64_t kOriginSampleEvery = 64;
// Latencies kept for one commit at most.
constexpr size_t kOriginTimesMax = 4096;
// Waits for records while tasks restore: short, restoring is the work then.
constexpr milliseconds kRestoringPollWait{0};
// Inputs remembered as refused by a broker at most.
constexpr size_t kRefusedInputsMax = 1'000'000;
// A tag is the input's number above the offset.
constexpr int kTagOffsetBits = 48;

/// The headers of one record of a batch.
class BatchHeaders : public HeaderSource {
 public:
  BatchHeaders(const RecordBatch& batch, size_t index) : batch_(batch), index_(index) {}
  Headers ReadHeaders() const override { return batch_.ReadHeaders(index_); }

 private:
  const RecordBatch& batch_;
  const size_t index_;
};

uint64_t MakeTag(const Task::Input& input, base::Offset offset) {
  return static_cast<uint64_t>(input.index) << kTagOffsetBits |
         (static_cast<uint64_t>(offset.value) & ((uint64_t{1} << kTagOffsetBits) - 1));
}

}  // namespace

StreamThread::StreamThread(EngineShared& shared, std::string instance_id, int slot)
    : shared_(shared),
      instance_id_(std::move(instance_id)),
      slot_(slot),
      exactly_once_(shared.config.guarantee == Guarantee::kExactlyOnce),
      name_("thread-" + std::to_string(slot)),
      restorer_(shared),
      metrics_(shared) {
  if (shared.pulse != nullptr) standstills_seen_ = shared.pulse->standstills();
}

StreamThread::~StreamThread() {
  CloseAllTasks();
  UnpublishOthers();
}

std::string StreamThread::TransactionalId(const EngineConfig& config,
                                          const std::string& instance_id, int slot) {
  return config.application_id + "-" + instance_id + "-" + std::to_string(slot);
}

bool StreamThread::Ready() const {
  if (!joined_) return false;
  for (const auto& [id, task] : tasks_) {
    if (task->phase() != TaskPhase::kRunning) return false;
  }
  return true;
}

base::Status StreamThread::CountCrash() {
  if (shared_.crashes == nullptr) return base::Status::Ok();
  if (!mark_.has_value()) {
    auto mark = CrashMark::Open(CrashMark::PathOf(shared_.directory.path(), slot_));
    if (!mark.ok()) return mark.status();
    mark_.emplace(std::move(*mark));
  }
  const std::optional<RecordPlace> place = mark_->InHand();
  if (!place.has_value()) return base::Status::Ok();
  const auto topic_id = shared_.topic_ids.find(place->tp.topic);
  if (topic_id != shared_.topic_ids.end()) {
    const auto times = shared_.crashes->Crashed(*place, topic_id->second, mark_->Run(),
                                                shared_.config.request_timeout);
    if (!times.ok()) return times.status();
    const base::TaskId task{shared_.topology.SubtopologyOf(place->tp.topic), place->tp.partition};
    LogRecord(base::LogLevel::kWarn,
              "a record was in hand when this thread came to its end the last time",
              {task.ToString(), *place, std::string(kTraceUnknown)},
              {{"thread", name_}, {"crashes", *times}});
  }
  mark_->Clear();
  return base::Status::Ok();
}

base::Status StreamThread::CheckStandstill() {
  if (shared_.pulse == nullptr) return base::Status::Ok();
  const uint64_t seen = shared_.pulse->standstills();
  if (seen == standstills_seen_) return base::Status::Ok();
  standstills_seen_ = seen;
  if (consumer_ == nullptr) return base::Status::Ok();
  return base::Status::Lost("the process stood still for longer than the session time-out");
}

void StreamThread::Prepare() {
  base::Status status = MakeProducer();
  if (status.ok()) status = MakeConsumer();
  if (status.ok()) return;
  base::LogDebug("not prepared", {{"thread", name_}, {"why", status.ToString()}});
}

base::Status StreamThread::MakeProducer() {
  if (producer_ != nullptr) return base::Status::Ok();
  auto producer = exactly_once_ ? shared_.clients.NewTransactionalProducer(
                                      TransactionalId(shared_.config, instance_id_, slot_))
                                : shared_.clients.NewProducer();
  if (!producer.ok()) return producer.status();
  if (exactly_once_) {
    // Before anything is read: it ends what a crashed run of this slot left open.
    RETURN_IF_ERROR((*producer)->InitTransactions(shared_.config.request_timeout));
  }
  producer_ = std::move(*producer);
  producer_made_at_ = shared_.clock.Monotonic();
  return base::Status::Ok();
}

base::Status StreamThread::MakeConsumer() {
  if (prepared_consumer_ != nullptr) return base::Status::Ok();
  KafkaClients::GroupOptions options;
  options.group_id = shared_.config.application_id;
  options.group_instance_id = instance_id_ + "-" + std::to_string(slot_);
  options.session_timeout = shared_.config.session_timeout;
  options.max_poll_interval = shared_.config.max_poll_interval;
  auto consumer = shared_.clients.NewGroupConsumer(options);
  if (!consumer.ok()) return consumer.status();
  prepared_consumer_ = std::move(*consumer);
  return base::Status::Ok();
}

base::Status StreamThread::Connect() {
  RETURN_IF_ERROR(CountCrash());
  // Whoever is not in the group for so long may have been fenced by another instance meanwhile
  // (DepartedMembers). That would come out at the first transaction only, after the restore.
  if (shared_.clock.Monotonic() - producer_made_at_ >= DepartedMembers::kAbsence) producer_.reset();
  RETURN_IF_ERROR(MakeProducer());
  RETURN_IF_ERROR(MakeConsumer());
  std::unique_ptr<Consumer> consumer = std::move(prepared_consumer_);
  RETURN_IF_ERROR(consumer->Subscribe(shared_.topology.SourceTopics(), this));
  consumer_ = std::move(consumer);
  return base::Status::Ok();
}

base::Result<Turn> StreamThread::RunOnce() {
  RETURN_IF_ERROR(pending_failure_);
  base::Status status = CheckStandstill();
  shared_.stores.TurnBegins(slot_);
  bool worked = false;
  if (!status.ok()) {
    // Nothing of what it had may go any further.
  } else if (consumer_ == nullptr) {
    status = Connect();
    if (status.code() == base::StatusCode::kUnavailable) {
      base::LogWarn("cannot reach the cluster yet", {{"thread", name_}, {"why", status.message()}});
      return Turn::kRetry;
    }
    worked = true;
  } else {
    status = AdvanceTasks(&worked);
  }
  bool input_dry = true;
  if (status.ok()) {
    const bool busy = work_done_ || !restorer_.empty();
    auto batch = consumer_->Poll(busy ? kRestoringPollWait : shared_.config.poll_wait,
                                 shared_.config.poll_records_max);
    status = batch.status();
    if (batch.ok() && (*batch)->size() > 0) {
      input_dry = false;
      worked = true;
      inside_batch_ = true;
      status = ProcessBatch(**batch);
      inside_batch_ = false;
    }
  }
  if (status.ok()) status = HandleOutOfRange();
  if (status.ok()) status = PunctuateWhenDue();
  if (status.ok() && ShouldCommit(input_dry)) status = Commit(shared_.config.commit_timeout);
  // Also when the transaction could not even be begun: the consumer has moved past these records.
  if (status.code() == base::StatusCode::kUnavailable &&
      (in_transaction_ || work_done_ || !input_dry)) {
    const size_t refused_before = refused_inputs_.size();
    status = AbortAndReplay(status);
    // Nothing was learnt that makes the next try go another way: give the cluster a moment.
    if (status.ok() && refused_inputs_.size() == refused_before) return Turn::kRetry;
  }
  switch (status.code()) {
    case base::StatusCode::kOk:
      return worked ? Turn::kWorked : Turn::kIdle;
    case base::StatusCode::kUnavailable:
      base::LogWarn("the cluster did not answer", {{"thread", name_}, {"why", status.message()}});
      return Turn::kRetry;
    case base::StatusCode::kLost:
    case base::StatusCode::kCorruption:
      RestartDirty(status);
      return Turn::kRetry;
    case base::StatusCode::kInvalidArgument:
    case base::StatusCode::kInternal:
    case base::StatusCode::kFatal:
      break;
  }
  return status.WithContext(name_);
}

void StreamThread::RestartDirty(const base::Status& why) {
  base::LogWarn("starting again without what was not committed",
                {{"thread", name_}, {"why", why.ToString()}});
  metrics_.restarts.Increment();
  CloseAllTasks();
  consumer_.reset();
  producer_.reset();
  producer_lost_ = false;
  joined_ = false;
  GiveUpTransaction();
}

void StreamThread::GiveUpTransaction() {
  if (in_transaction_) metrics_.aborts.Increment();
  metrics_.HandOver();
  in_transaction_ = false;
  work_done_ = false;
  output_bytes_ = 0;
  origin_times_ms_.clear();
}

void StreamThread::CloseTask(Task& task) {
  PublishRestoring(task.id());
  for (const Task::Input& input : task.inputs()) shared_.positions.Gone(input.tp);
  restorer_.Remove(task.id());
  task.MoveTo(TaskPhase::kClosed);
  shared_.tasks.Forget(task.id());
}

void StreamThread::CloseAllTasks() {
  restorer_.Clear();
  for (auto& [id, task] : tasks_) CloseTask(*task);
  tasks_.clear();
  routes_.clear();
  last_route_ = {nullptr, nullptr};
}

void StreamThread::PublishRestoring(const base::TaskId& id) {
  published_.insert(id);
  for (const state::StoreSpec& spec : shared_.topology.StoreSpecs(id.subtopology)) {
    shared_.stores.PublishRestoring(spec.name, id.partition, slot_);
  }
}

void StreamThread::UnpublishOthers() {
  std::erase_if(published_, [this](const base::TaskId& id) {
    if (tasks_.contains(id)) return false;
    for (const state::StoreSpec& spec : shared_.topology.StoreSpecs(id.subtopology)) {
      shared_.stores.Unpublish(spec.name, id.partition, slot_);
    }
    return true;
  });
}

void StreamThread::Stop() {
  if (consumer_ == nullptr) return;
  if (shared_.config.stay_on_stop) {
    // As at a revocation, but nobody is told: whoever comes back with this name has its share still.
    std::vector<base::TopicPartition> share;
    for (const auto& [tp, route] : routes_) share.push_back(tp);
    OnRevoked(share);
  } else {
    // Leave() serves OnRevoked(), which commits.
    const base::Status left = consumer_->Leave(shared_.config.leave_timeout);
    if (!left.ok()) {
      base::LogWarn("left without the group's consent",
                    {{"thread", name_}, {"why", left.ToString()}});
    }
  }
  CloseAllTasks();
  UnpublishOthers();
  consumer_.reset();
  producer_.reset();
  joined_ = false;
}

void StreamThread::Abandon() {
  if (!in_transaction_ || !exactly_once_ || producer_ == nullptr) return;
  const base::Status aborted = producer_->AbortTransaction(shared_.config.revoke_commit_timeout);
  if (!aborted.ok()) {
    base::LogWarn("the open transaction was not aborted, it times out",
                  {{"thread", name_}, {"why", aborted.ToString()}});
  }
}

std::pair<Task*, Task::Input*> StreamThread::Route(const RecordMetadata& metadata) {
  // Batches come in runs of one partition, and a client gives one topic's records one view.
  if (last_route_.first != nullptr && metadata.partition == last_partition_ &&
      metadata.topic == last_topic_) {
    return last_route_;
  }
  const auto it = routes_.find({std::string(metadata.topic), metadata.partition});
  if (it == routes_.end()) return {nullptr, nullptr};
  last_route_ = it->second;
  last_topic_ = it->first.topic;
  last_partition_ = metadata.partition;
  return last_route_;
}

base::Status StreamThread::ProcessBatch(const RecordBatch& batch) {
  // Records come in runs of one partition: what is counted is handed over at the end of each.
  Task* run_task = nullptr;
  Task::Input* run = nullptr;
  int64_t run_length = 0;
  const auto end_run = [&] {
    if (run == nullptr) return;
    metrics_.Consumed(run->tp.topic, run_length);
    run_task->HandOverFigures();
    run_length = 0;
  };
  for (size_t i = 0; i < batch.size(); ++i) {
    const auto [task, input] = Route(batch.record(i).metadata);
    // A record of a partition that was taken away within this very poll.
    if (task == nullptr || task->phase() != TaskPhase::kRunning) continue;
    if (input != run) {
      end_run();
      run_task = task;
      run = input;
    }
    ++run_length;
    base::Status status = ProcessRecord(*task, *input, batch, i);
    const size_t waiting = task->state() == nullptr ? 0 : task->state()->pending_bytes();
    if (status.ok() && waiting + output_bytes_ > shared_.config.transaction_bytes_max) {
      status = Commit(shared_.config.commit_timeout);
    }
    if (!status.ok()) {
      end_run();
      return status;
    }
  }
  end_run();
  return base::Status::Ok();
}

base::Status StreamThread::ProcessRecord(Task& task, Task::Input& input, const RecordBatch& batch,
                                         size_t index) {
  const RawRecord& record = batch.record(index);
  const base::Offset offset = record.metadata.offset;
  if (input.next.has_value() && offset < *input.next) return base::Status::Ok();

  const bool stateful = task.state() != nullptr;
  if (stateful && record.key.has_value()) {
    const base::Partition right = PartitionForKey(*record.key, input.partition_count);
    if (right != input.tp.partition) return SendToItsPartition(task, input, batch, index, right);
  }
  // What goes onto every record that comes of this one: its trace, when it came with one, and for a
  // sample the time, which measures latency from the first topic to the last.
  Headers headers;
  const bool sampled = offset.value % kOriginSampleEvery == 0;
  std::optional<int64_t> origin;
  RawRecord told = record;
  const Headers came = batch.ReadHeaders(index);
  if (!stateful && !came.empty()) {
    if (auto trace = ReadTrace(came)) headers = std::move(trace->headers);
  }
  const BatchHeaders own_headers(batch, index);
  if (stateful) {
    bool replayed = false;
    for (const auto& [name, value] : came) {
      int64_t parsed = 0;
      // What was replayed and then sent on was first where it was refused.
      if (name == kMisplacedHeader && value.has_value() && !replayed) {
        TakePlace(*value, told.metadata);
      }
      if (name == kReplayedHeader && value.has_value()) {
        RecordMetadata place = record.metadata;
        replayed = TakeReplayedPlace(*value, place);
        if (replayed) told.metadata = place;
      }
      if (name != kOriginHeader || !value.has_value()) continue;
      const auto result = std::from_chars(value->data(), value->data() + value->size(), parsed);
      // Anybody may have written it: no time before 1970 makes a latency.
      if (result.ec == std::errc() && parsed >= 0) origin = parsed;
    }
  } else {
    // Here nobody's place is changed: a decoder that needs it asks, and most events have id and time.
    told.headers = &own_headers;
    if (sampled) origin = record.metadata.timestamp_ms;
  }
  if (origin.has_value() && !stateful) {
    headers.emplace_back(std::string(kOriginHeader), std::to_string(*origin));
  }

  base::Status status;
  const auto refused = refused_inputs_.empty()
                           ? refused_inputs_.end()
                           : refused_inputs_.find(std::pair(input.tp, offset));
  if (refused != refused_inputs_.end()) {
    status = base::Status::InvalidArgument("refused-by-broker: " + refused->second.reason);
  } else {
    status = RunStages(task, input, told);
  }
  RETURN_IF_ERROR(EnsureTransaction());
  work_done_ = true;
  if (status.ok()) {
    RETURN_IF_ERROR(ProduceOutputs(task, input, record, headers.empty() ? nullptr : &headers));
  } else if (status.code() == base::StatusCode::kInvalidArgument) {
    RETURN_IF_ERROR(Refuse(task, input, batch, index, status));
  } else {
    if (status.code() == base::StatusCode::kCorruption) distrusted_.insert(task.id());
    // What is done about it is told where it is done; which record it was is told here.
    LogRecord(base::LogLevel::kError, "a record could not be processed",
              {task.id().ToString(),
               {input.tp, offset},
               TraceOf(task, input, batch, index).context.TraceIdText()},
              {{"stage", task.refused_by()}, {"why", status.ToString()}});
    return status.WithContext("task " + task.id().ToString() + " at " + input.tp.ToString() + "@" +
                              std::to_string(offset.value));
  }
  if (origin.has_value() && stateful && origin_times_ms_.size() < kOriginTimesMax) {
    origin_times_ms_.push_back(*origin);
  }
  input.last_timestamp_ms = record.metadata.timestamp_ms;
  input.next = base::Offset{offset.value + 1};
  return base::Status::Ok();
}

/// Marked as in hand for as long as the stages have it, and for no longer: what waits for a broker
/// crashes nobody.
base::Status StreamThread::RunStages(Task& task, Task::Input& input, const RawRecord& record) {
  if (!mark_.has_value()) return task.Process(input, record);
  if (input.crashed_at == record.metadata.offset) {
    task.ForgetRefusal();
    return base::Status::InvalidArgument(
        "crashed_stage: it was in hand at " + std::to_string(shared_.config.crashes_max) +
        " crashes in a row");
  }
  mark_->Set(input.tp, record.metadata.offset);
  base::Status status;
  try {
    status = task.Process(input, record);
  } catch (const std::bad_alloc&) {
    // Whoever asks for memory when there is none is not to blame.
    mark_->Clear();
    throw;
  }
  mark_->Clear();
  return status;
}

base::Status StreamThread::ProduceOutputs(const Task& task, Task::Input& input,
                                          const RawRecord& record, const Headers* headers) {
  const OutputBuffer& outputs = task.outputs();
  for (size_t i = 0; i < outputs.size(); ++i) {
    const OutputBuffer::Output& output = outputs[i];
    const std::string& topic = shared_.topology.SinkTopic(output.sink);
    OutgoingRecord outgoing;
    outgoing.topic = topic;
    outgoing.partition = PartitionForKey(output.key, shared_.partition_counts.find(topic)->second);
    outgoing.key = output.key;
    outgoing.value = output.value;
    outgoing.headers = headers;
    outgoing.tag = MakeTag(input, record.metadata.offset);
    base::Status produced = producer_->Produce(outgoing);
    if (produced.code() == base::StatusCode::kInvalidArgument) {
      // Larger than the client sends. What this record has produced so far must go back, so the
      // transaction is aborted and replayed with this record as a dead letter.
      refused_inputs_[{input.tp, record.metadata.offset}] = {produced.message(), false};
      return base::Status::Unavailable(produced.message());
    }
    RETURN_IF_ERROR(produced);
    metrics_.ProducedTo(output.sink);
  }
  output_bytes_ += outputs.bytes();
  return base::Status::Ok();
}

/// A producer with another partitioner put the record where nobody looks for its key: it goes to its
/// partition, in the transaction that moves past it here. Once: the header tells that it was sent.
base::Status StreamThread::SendToItsPartition(Task& task, Task::Input& input,
                                              const RecordBatch& batch, size_t index,
                                              base::Partition right) {
  const RawRecord& record = batch.record(index);
  RETURN_IF_ERROR(EnsureTransaction());
  work_done_ = true;
  const auto refused = refused_inputs_.find(std::pair(input.tp, record.metadata.offset));
  base::Status produced;
  Headers headers = batch.ReadHeaders(index);
  const bool sent_before = std::any_of(headers.begin(), headers.end(), [](const auto& header) {
    return header.first == kMisplacedHeader;
  });
  task.ForgetRefusal();
  if (sent_before || refused != refused_inputs_.end()) {
    produced = Refuse(task, input, batch, index,
                      base::Status::InvalidArgument(
                          sent_before ? "wrong-partition: its key belongs to another partition"
                                      : "refused-by-broker: " + refused->second.reason));
  } else {
    headers.emplace_back(std::string(kMisplacedHeader), PlaceText(record.metadata));
    // A producer with another partitioner makes this every other record: no work that nobody sees.
    if (base::GetLogLevel() <= base::LogLevel::kDebug) {
      LogRecord(base::LogLevel::kDebug, "record sent on to the partition of its key",
                {task.id().ToString(),
                 {input.tp, record.metadata.offset},
                 TraceOf(task, input, batch, index).context.TraceIdText()},
                {{"to_partition", right.value}});
    }
    OutgoingRecord outgoing;
    outgoing.topic = input.tp.topic;
    outgoing.partition = right;
    outgoing.key = record.key;
    outgoing.value = record.value;
    outgoing.headers = &headers;
    outgoing.tag = MakeTag(input, record.metadata.offset);
    output_bytes_ += record.value.value_or("").size();
    metrics_.RepartitionedCounter(input.tp.topic).Increment();
    metrics_.ProducedTo(outgoing.topic, 1);
    produced = producer_->Produce(outgoing);
    if (produced.code() == base::StatusCode::kInvalidArgument) {
      refused_inputs_[{input.tp, record.metadata.offset}] = {produced.message(), false};
      return base::Status::Unavailable(produced.message());
    }
  }
  RETURN_IF_ERROR(produced);
  input.last_timestamp_ms = record.metadata.timestamp_ms;
  input.next = base::Offset{record.metadata.offset.value + 1};
  return base::Status::Ok();
}

base::Status StreamThread::Refuse(const Task& task, const Task::Input& input,
                                  const RecordBatch& batch, size_t index,
                                  const base::Status& why) {
  const RawRecord& record = batch.record(index);
  const std::string stage =
      task.refused_by().empty() ? task.topology().source_name(input.source) : task.refused_by();
  const OnRefused handler = task.topology().on_refused(input.source);
  const std::string reason(ReasonCode(why.message()));
  const RecordTrace trace = TraceOf(task, input, batch, index);
  const LoggedRecord logged{task.id().ToString(),
                            {input.tp, record.metadata.offset},
                            trace.context.TraceIdText()};
  // With the reason in it, so that a flood of one kind does not hold back what is told of another.
  LogRecord(base::LogLevel::kWarn, "record refused: " + reason, logged,
            {{"stage", stage}, {"why", why.message()}});
  if (handler == OnRefused::kFail) {
    return base::Status::Fatal("record " + input.tp.ToString() + "@" +
                               std::to_string(record.metadata.offset.value) + " refused by " +
                               stage + ": " + why.message());
  }
  DeadLetterCounter(shared_.metrics, reason).Increment();
  if (handler == OnRefused::kSkip) return base::Status::Ok();
  const auto refused = refused_inputs_.find(std::pair(input.tp, record.metadata.offset));
  if (refused != refused_inputs_.end() && refused->second.dead_letter) {
    // The dead letter itself was refused: a topic so configured would stop everything for ever.
    LogRecord(base::LogLevel::kError, "a dead letter was refused too; the record is dropped",
              logged, {{"stage", stage}, {"why", refused->second.reason}});
    return base::Status::Ok();
  }
  const Headers headers =
      DeadLetterHeaders(record, stage, why, trace, batch.ReadHeaders(index));
  OutgoingRecord outgoing;
  outgoing.topic = shared_.config.dead_letters_topic;
  const int32_t count = shared_.partition_counts.find(outgoing.topic)->second;
  outgoing.partition = base::Partition{input.tp.partition.value % count};
  if (record.key.has_value()) outgoing.key = record.key->substr(0, kDeadLetterKeyBytesMax);
  if (record.value.has_value()) outgoing.value = record.value->substr(0, kDeadLetterValueBytesMax);
  outgoing.headers = &headers;
  outgoing.tag = MakeTag(input, record.metadata.offset);
  output_bytes_ += outgoing.value.value_or("").size();
  metrics_.ProducedTo(outgoing.topic, 1);
  return producer_->Produce(outgoing);
}

RecordTrace StreamThread::TraceOf(const Task& task, const Task::Input& input,
                                  const RecordBatch& batch, size_t index) const {
  const Headers headers = batch.ReadHeaders(index);
  if (auto trace = ReadTrace(headers)) return std::move(*trace);
  const RawRecord& record = batch.record(index);
  if (auto origin = task.topology().OriginOf(input.source, record)) return TraceOfPlace(*origin);
  RecordMetadata place = record.metadata;
  for (const auto& [name, value] : headers) {
    if (name == kMisplacedHeader && value.has_value()) TakePlace(*value, place);
  }
  return TraceOfPlace({{input.tp.topic, place.partition}, place.offset});
}

base::Status StreamThread::PunctuateWhenDue() {
  const std::chrono::nanoseconds now = shared_.clock.Monotonic();
  if (now - last_punctuate_ < shared_.config.punctuate_interval) return base::Status::Ok();
  last_punctuate_ = now;
  RenewStamps();
  // One that has nothing to send has nothing to tell of it either, but statistics come all the same.
  if (producer_ != nullptr) producer_->ServeEvents();
  for (auto& [id, task] : tasks_) {
    if (task->phase() != TaskPhase::kRunning) continue;
    base::Status status = task->Punctuate();
    task->HandOverFigures();
    if (!status.ok()) {
      if (status.code() == base::StatusCode::kCorruption) distrusted_.insert(id);
      return status.WithContext("punctuating task " + id.ToString());
    }
    if (task->outputs().size() > 0 || (task->state() != nullptr && task->state()->has_pending())) {
      work_done_ = true;
      RETURN_IF_ERROR(EnsureTransaction());
      // Outputs of a punctuation belong to no record: they carry the number of the first input.
      RawRecord none;
      if (!task->inputs().empty()) {
        RETURN_IF_ERROR(ProduceOutputs(*task, task->inputs().front(), none, nullptr));
      }
    }
  }
  return base::Status::Ok();
}

base::Status StreamThread::AbortAndReplay(const base::Status& why) {
  base::LogWarn("transaction aborted, its records are replayed",
                {{"thread", name_}, {"why", why.message()}});
  for (const RefusedRecord& record : producer_->TakeRefused()) {
    if (record.by_its_time) {
      // No fault of the event's: as a dead letter it would be lost when the clock is right again.
      return base::Status::Fatal("topic " + record.topic + " refuses records for their time (" +
                                 record.reason +
                                 "): is the clock of this machine, or the broker's, right?");
    }
    const size_t number = record.tag >> kTagOffsetBits;
    if (record.tag == kChangelogTag || number >= input_numbers_.size()) {
      return base::Status::Fatal("changelog " + record.topic + " refuses records (" +
                                 record.reason + "): check the topic's configuration");
    }
    const base::Offset offset{static_cast<int64_t>(record.tag &
                                                   ((uint64_t{1} << kTagOffsetBits) - 1))};
    if (refused_inputs_.size() >= kRefusedInputsMax) {
      return base::Status::Fatal("topic " + record.topic + " refuses too many records (" +
                                 record.reason + "): check the topic's configuration");
    }
    RefusedInput& refused = refused_inputs_[{input_numbers_[number], offset}];
    refused.reason = record.topic + ": " + record.reason;
    if (record.topic == shared_.config.dead_letters_topic) refused.dead_letter = true;
  }
  if (!exactly_once_ && changelog_sent_) {
    return base::Status::Lost("the changelog is ahead of the rows: " + why.message());
  }
  if (exactly_once_ && in_transaction_) {
    base::Status aborted = producer_->AbortTransaction(shared_.config.request_timeout);
    if (!aborted.ok()) return base::Status::Lost("abort failed: " + aborted.message());
  }
  GiveUpTransaction();
  base::Positions back;
  for (auto& [id, task] : tasks_) {
    if (task->phase() != TaskPhase::kRunning) continue;
    if (task->state() != nullptr) task->state()->DropPending();
    for (Task::Input& input : task->inputs()) {
      // All of them: the consumer may have handed out records that were not processed yet.
      input.next = input.committed;
      if (input.committed.has_value()) back[input.tp] = *input.committed;
    }
  }
  // A consumer that stays ahead would pass over the records: make another.
  base::Status moved_back = consumer_->Seek(back);
  return moved_back.ok() ? moved_back : base::Status::Lost(moved_back.message());
}

}  // namespace pipeline
