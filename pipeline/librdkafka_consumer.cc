#include "pipeline/librdkafka_consumer.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "pipeline/librdkafka_batch.h"

namespace pipeline {
namespace {

using rdkafka::Deadline;
using rdkafka::ErrorText;
using rdkafka::PartitionList;

constexpr size_t kBatchRecordsMax = 20000;
// A reader of changelogs and tables has nothing else to wait for.
constexpr int kQueuedKbytesMax = 16 * 1024;
constexpr int kFetchBytesMax = 8 * 1024 * 1024;
// A member of the group needs no more than what it processes while the next fetch is under way:
// some hundred bytes of event take librdkafka half a kilobyte more each, so it is their number that
// counts.
constexpr int kGroupQueuedKbytesMax = 4 * 1024;
constexpr int kGroupQueuedRecordsMin = 20'000;
constexpr int kGroupFetchBytesMax = 4 * 1024 * 1024;
// How long a broker keeps a fetch that finds nothing. A record ends the wait; a partition that is
// added meanwhile has to wait for it; and each fetch costs the broker and us some CPU.
constexpr milliseconds kFetchWait{50};
constexpr milliseconds kFollowFetchWait{500};
constexpr milliseconds kEmbeddedFetchWait{10};
constexpr milliseconds kHeartbeatMin{100};
constexpr milliseconds kHeartbeatMax{500};
/// A seek waits for librdkafka's main thread alone, not for a broker.
constexpr milliseconds kSeekTimeout{10000};
constexpr milliseconds kSeekRetry{2};
/// Looked at again after this long even without a word from librdkafka.
constexpr milliseconds kWaitMax{100};
/// From the answer to the first join until partitions are assigned takes two round trips; after this
/// long librdkafka is asked to join once more. Looked at so often.
constexpr milliseconds kJoinedWait{50};
constexpr milliseconds kJoinedLook{10};

/// The embedded broker does not end its wait when a record comes.
milliseconds FetchWait(const rdkafka::Shared& shared, KafkaClients::ReaderUse use) {
  if (shared.options.embedded_broker != nullptr) return kEmbeddedFetchWait;
  return use == KafkaClients::ReaderUse::kFollow ? kFollowFetchWait : kFetchWait;
}

rdkafka::Settings ConsumerSettings(const KafkaClients::GroupOptions* group,
                                   const std::string& client_id, milliseconds fetch_wait) {
  const bool member = group != nullptr;
  rdkafka::Settings settings = {
      {"enable.auto.commit", "false"},
      {"enable.auto.offset.store", "false"},
      {"enable.partition.eof", "false"},
      {"isolation.level", "read_committed"},
      {"auto.offset.reset", "error"},
      {"allow.auto.create.topics", "false"},
      {"partition.assignment.strategy", "range"},
      {"fetch.queue.backoff.ms", "1"},
      {"fetch.wait.max.ms", std::to_string(fetch_wait.count())},
      {"fetch.error.backoff.ms", "50"},
      {"fetch.max.bytes", std::to_string(member ? kGroupFetchBytesMax : kFetchBytesMax)},
      {"queued.max.messages.kbytes",
       std::to_string(member ? kGroupQueuedKbytesMax : kQueuedKbytesMax)},
      {"topic.metadata.refresh.interval.ms", "30000"},
      {"enable.metrics.push", "false"},
  };
  if (!member) {
    // librdkafka assigns only within a group; one that is never subscribed never joins it.
    settings.emplace_back("group.id", client_id + "-reader");
    return settings;
  }
  const milliseconds heartbeat =
      std::clamp(group->session_timeout / 20, kHeartbeatMin, kHeartbeatMax);
  settings.emplace_back("queued.min.messages", std::to_string(kGroupQueuedRecordsMin));
  settings.emplace_back("group.id", group->group_id);
  settings.emplace_back("session.timeout.ms", std::to_string(group->session_timeout.count()));
  settings.emplace_back("max.poll.interval.ms", std::to_string(group->max_poll_interval.count()));
  settings.emplace_back("heartbeat.interval.ms", std::to_string(heartbeat.count()));
  if (!group->group_instance_id.empty()) {
    settings.emplace_back("group.instance.id", group->group_instance_id);
  }
  return settings;
}

int64_t StartOf(std::optional<base::Offset> start) {
  return start ? start->value : RD_KAFKA_OFFSET_BEGINNING;
}

}  // namespace

base::Result<std::unique_ptr<Consumer>> LibrdkafkaConsumer::New(
    std::shared_ptr<rdkafka::Shared> shared, const KafkaClients::GroupOptions* group,
    KafkaClients::ReaderUse use) {
  auto consumer = std::unique_ptr<LibrdkafkaConsumer>(
      new LibrdkafkaConsumer(shared, group == nullptr ? "" : group->group_instance_id));
  rdkafka::Callbacks callbacks;
  callbacks.opaque = consumer.get();
  callbacks.error = OnError;
  callbacks.rebalance = OnRebalance;
  callbacks.statistics = OnStatistics;
  consumer->statistics_ = shared->statistics->New(
      group == nullptr ? rdkafka::ClientKind::kReader : rdkafka::ClientKind::kConsumer);
  base::Result<rdkafka::Handle> handle = rdkafka::NewHandle(
      *shared, RD_KAFKA_CONSUMER,
      ConsumerSettings(group, shared->options.client_id, FetchWait(*shared, use)), callbacks);
  if (!handle.ok()) return handle.status();
  consumer->handle_ = std::move(handle).value();
  rd_kafka_poll_set_consumer(consumer->handle_.get());
  consumer->queue_.reset(rd_kafka_queue_get_consumer(consumer->handle_.get()));
  rd_kafka_queue_cb_event_enable(consumer->queue_.get(), OnQueueFilled, consumer.get());
  return std::unique_ptr<Consumer>(std::move(consumer));
}

LibrdkafkaConsumer::~LibrdkafkaConsumer() {
  CHECK(batches_->load() == 0, "record batches are destroyed before their consumer");
  listener_ = nullptr;
  if (queue_ != nullptr) rd_kafka_queue_cb_event_enable(queue_.get(), nullptr, nullptr);
  queue_.reset();
  handle_.reset();
}

base::Status LibrdkafkaConsumer::Subscribe(const std::vector<std::string>& topics,
                                           RebalanceListener* listener) {
  listener_ = listener;
  PartitionList list = rdkafka::NewPartitionList(topics.size());
  for (const std::string& topic : topics) {
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
  }
  const rd_kafka_resp_err_t error = rd_kafka_subscribe(handle_.get(), list.get());
  if (error == RD_KAFKA_RESP_ERR__FATAL) return FatalStatus();
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return rdkafka::RequestStatus(error, "subscribing");
  if (joining_ == nullptr) joining_ = std::make_unique<Joining>();
  joining_->topics = std::move(list);
  return base::Status::Ok();
}

/// A member that another one's first join interrupts between JoinGroup and SyncGroup is told so by an
/// error, and librdkafka then rests for one to two seconds, for which everybody waits. To subscribe
/// again makes it join at once. Once and before the first assignment only: that is when the
/// instance's threads come together. For one that merely waits for others it is another join.
void LibrdkafkaConsumer::JoinAgainWhenStuck() {
  if (!joining_->answered.has_value()) {
    char* const member = rd_kafka_memberid(handle_.get());
    const bool known = member != nullptr && *member != '\0';
    if (member != nullptr) rd_kafka_mem_free(handle_.get(), member);
    if (known) joining_->answered.emplace(kJoinedWait);
    return;
  }
  if (!joining_->answered->passed()) return;
  rd_kafka_subscribe(handle_.get(), joining_->topics.get());
  joining_.reset();
}

base::Status LibrdkafkaConsumer::Assign(std::span<const AssignedPartition> partitions) {
  assigned_ = true;
  reading_.clear();
  out_of_range_.clear();
  for (const AssignedPartition& assigned : partitions) {
    reading_[assigned.partition] = Reading{assigned.start, assigned.paused, false};
  }
  return AssignAll();
}

/// Hands librdkafka all of reading_, from its starts.
base::Status LibrdkafkaConsumer::AssignAll() {
  PartitionList list = rdkafka::NewPartitionList(reading_.size());
  std::vector<base::TopicPartition> paused;
  for (auto& [partition, reading] : reading_) {
    rdkafka::Add(list.get(), partition)->offset = StartOf(reading.start);
    reading.halted = false;
    if (reading.paused) paused.push_back(partition);
  }
  const rd_kafka_resp_err_t error = rd_kafka_assign(handle_.get(), list.get());
  if (error == RD_KAFKA_RESP_ERR__FATAL) return FatalStatus();
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return rdkafka::RequestStatus(error, "assigning");
  // What was fetched between the two calls is of an outdated version and never comes out.
  RETURN_IF_ERROR(PauseOrResume(paused, true));
  positions_sum_ = 0;
  return ClearOldPositions();
}

/// A partition that was ours before may still have its position of then, and librdkafka would even
/// go on from it at Resume(). Seeking to the start clears it.
base::Status LibrdkafkaConsumer::ClearOldPositions() {
  PartitionList list = rdkafka::NewPartitionList(reading_.size());
  for (const auto& [partition, reading] : reading_) rdkafka::Add(list.get(), partition);
  rd_kafka_position(handle_.get(), list.get());
  std::set<base::TopicPartition> old;
  for (int i = 0; i < list->cnt; ++i) {
    if (list->elems[i].offset >= 0) old.insert(rdkafka::ToTopicPartition(list->elems[i]));
  }
  return SeekAll({}, old);
}

base::Status LibrdkafkaConsumer::Seek(const Positions& positions) {
  bool halted = false;
  Positions wanted;
  for (const auto& [partition, position] : positions) {
    const auto found = reading_.find(partition);
    if (found == reading_.end()) continue;
    halted |= found->second.halted;
    wanted.emplace(partition, position);
  }
  if (wanted.empty()) return base::Status::Ok();
  if (!halted) {
    for (const auto& [partition, position] : wanted) reading_[partition].start = position;
    return SeekAll(wanted, {});
  }
  // librdkafka cannot seek a partition that it stopped reading: assign all anew where they are.
  for (auto& [partition, reading] : reading_) {
    if (const auto target = wanted.find(partition); target != wanted.end()) {
      reading.start = target->second;
    } else if (const auto position = Position(partition)) {
      reading.start = position;
    }
  }
  return AssignAll();
}

/// Seeks `positions`, and each of `to_start` to where its reading began.
base::Status LibrdkafkaConsumer::SeekAll(const Positions& positions,
                                         const std::set<base::TopicPartition>& to_start) {
  PartitionList list = rdkafka::ToList(positions);
  for (const base::TopicPartition& partition : to_start) {
    rdkafka::Add(list.get(), partition)->offset = StartOf(reading_.at(partition).start);
  }
  const Deadline deadline(kSeekTimeout);
  while (list->cnt > 0) {
    const rdkafka::Error error(
        rd_kafka_seek_partitions(handle_.get(), list.get(), deadline.remaining_ms() + 1));
    if (error != nullptr) {
      return base::Status::Unavailable(std::string("seeking: ") +
                                       rd_kafka_error_string(error.get()));
    }
    // A partition assigned a moment ago may not be read yet; it will be in a moment.
    PartitionList again = rdkafka::NewPartitionList(static_cast<size_t>(list->cnt));
    for (int i = 0; i < list->cnt; ++i) {
      const rd_kafka_topic_partition_t& element = list->elems[i];
      if (element.err == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
      const base::TopicPartition partition = rdkafka::ToTopicPartition(element);
      if (deadline.passed() || (element.err != RD_KAFKA_RESP_ERR__STATE &&
                                element.err != RD_KAFKA_RESP_ERR__PREV_IN_PROGRESS)) {
        return rdkafka::RequestStatus(element.err, "seeking " + partition.ToString());
      }
      rdkafka::Add(again.get(), partition)->offset = element.offset;
    }
    list = std::move(again);
    if (list->cnt > 0) base::SystemClock::Instance().Pause(kSeekRetry);
  }
  return base::Status::Ok();
}

base::Result<std::unique_ptr<RecordBatch>> LibrdkafkaConsumer::Poll(milliseconds timeout,
                                                                    size_t records_max) {
  CHECK(!left_, "Poll() after Leave()");
  const Deadline deadline(timeout);
  while (true) {
    if (!pending_error_.ok()) return std::exchange(pending_error_, base::Status::Ok());
    std::vector<rd_kafka_message_t*> messages = TakeMessages(records_max);
    if (fatal_) pending_error_ = FatalStatus();
    if (!messages.empty()) {
      shared_->outage.Reached();
      // Not after full batches: the next one will not be empty, and this is not for nothing.
      if (messages.size() < records_max) PositionsMoved();
      return NewLibrdkafkaBatch(std::move(messages), &topic_names_, batches_);
    }
    if (!pending_error_.ok()) continue;
    // After a rebalance, or past the marker of a transaction, the caller has something to do.
    if (std::exchange(rebalanced_, false) || PositionsMoved() || deadline.passed()) {
      return NewLibrdkafkaBatch({}, &topic_names_, batches_);
    }
    if (joining_ != nullptr) JoinAgainWhenStuck();
    const milliseconds wait_max = joining_ != nullptr ? kJoinedLook : kWaitMax;
    WaitForMessages(std::min(deadline.remaining(), wait_max));
  }
}

/// What is in the queue now; serves the group; keeps errors apart.
std::vector<rd_kafka_message_t*> LibrdkafkaConsumer::TakeMessages(size_t records_max) {
  {
    const base::MutexLock lock(wakeup_.mutex);
    wakeup_.set = false;
  }
  std::vector<rd_kafka_message_t*> messages(std::clamp<size_t>(records_max, 1, kBatchRecordsMax));
  rebalanced_ = false;
  const ssize_t count =
      rd_kafka_consume_batch_queue(queue_.get(), 0, messages.data(), messages.size());
  messages.resize(count > 0 ? static_cast<size_t>(count) : 0);
  if (rebalanced_ && !messages.empty()) DropAfterRebalance(&messages);
  const bool any_error = std::any_of(
      messages.begin(), messages.end(),
      [](const rd_kafka_message_t* message) { return message->err != RD_KAFKA_RESP_ERR_NO_ERROR; });
  if (any_error) [[unlikely]]
    DropAfterErrors(&messages);
  return messages;
}

/// librdkafka moves a partition's position behind an error as if it were a record, so that the
/// record at that offset would count as read. What follows the error is dropped and read again from
/// there; nothing at all goes out beside an error that ends everything.
void LibrdkafkaConsumer::DropAfterErrors(std::vector<rd_kafka_message_t*>* messages) {
  Positions back;
  size_t kept = 0;
  for (rd_kafka_message_t* message : *messages) {
    base::TopicPartition partition;
    if (message->rkt != nullptr) {
      partition = {rd_kafka_topic_name(message->rkt), base::Partition{message->partition}};
    }
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      HandleError(*message);
      const auto reading = reading_.find(partition);
      if (reading != reading_.end() && !reading->second.halted && message->offset >= 0) {
        back.emplace(partition, base::Offset{message->offset});
      }
    } else if (!back.contains(partition)) {
      (*messages)[kept++] = message;
      continue;
    }
    rd_kafka_message_destroy(message);
  }
  if (pending_error_.code() == base::StatusCode::kFatal) {
    for (size_t i = 0; i < kept; ++i) rd_kafka_message_destroy((*messages)[i]);
    kept = 0;
  }
  messages->resize(kept);
  if (back.empty() || pending_error_.code() == base::StatusCode::kFatal) return;
  if (base::Status status = SeekAll(back, {}); !status.ok()) {
    // Where its reading stands is not known any more: start over from what was committed.
    pending_error_ = base::Status::Lost(status.message());
  }
}

/// Messages taken in the same breath as a rebalance may be of the time before it. All go; what is
/// assigned now is read again from its start.
void LibrdkafkaConsumer::DropAfterRebalance(std::vector<rd_kafka_message_t*>* messages) {
  for (rd_kafka_message_t* message : *messages) {
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) HandleError(*message);
    rd_kafka_message_destroy(message);
  }
  messages->clear();
  std::set<base::TopicPartition> all;
  for (const auto& [partition, reading] : reading_) {
    if (!reading.halted) all.insert(partition);
  }
  if (base::Status status = SeekAll({}, all); !status.ok()) pending_error_ = std::move(status);
}

void LibrdkafkaConsumer::HandleError(const rd_kafka_message_t& message) {
  base::TopicPartition partition;
  if (message.rkt != nullptr) {
    partition = {rd_kafka_topic_name(message.rkt), base::Partition{message.partition}};
  }
  const char* text = rd_kafka_message_errstr(&message);
  const std::string reason = text == nullptr ? "" : text;
  switch (message.err) {
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET: {
      const auto found = reading_.find(partition);
      if (found == reading_.end() || found->second.halted) return;
      found->second.halted = true;
      out_of_range_.push_back(partition);
      return;
    }
    case RD_KAFKA_RESP_ERR__FATAL:
      fatal_ = true;
      return;
    case RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED:
      pending_error_ = base::Status::Lost(reason);
      return;
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
    case RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
      // librdkafka goes on behind it; we may not pass over a record that we have not seen.
      pending_error_ = base::Status::Fatal(partition.ToString() + " cannot be read at offset " +
                                           std::to_string(message.offset) + ": " + reason);
      return;
    default:
      pending_error_ = rdkafka::RequestStatus(message.err, "reading " + reason);
      return;
  }
}

/// True when a position moved since the last time: by control records, if no record came.
bool LibrdkafkaConsumer::PositionsMoved() {
  if (reading_.empty()) return false;
  PartitionList list = rdkafka::NewPartitionList(reading_.size());
  for (const auto& [partition, reading] : reading_) rdkafka::Add(list.get(), partition);
  rd_kafka_position(handle_.get(), list.get());
  int64_t sum = 0;
  for (int i = 0; i < list->cnt; ++i) sum += std::max<int64_t>(list->elems[i].offset, 0);
  return std::exchange(positions_sum_, sum) != sum;
}

void LibrdkafkaConsumer::WaitForMessages(milliseconds timeout) {
  const base::MutexLock lock(wakeup_.mutex);
  wakeup_.changed.WaitFor(wakeup_.mutex, timeout,
                          [this]() REQUIRES(wakeup_.mutex) { return wakeup_.set; });
}

void LibrdkafkaConsumer::OnQueueFilled(rd_kafka_t*, void* opaque) {
  auto& wakeup = static_cast<LibrdkafkaConsumer*>(opaque)->wakeup_;
  {
    const base::MutexLock lock(wakeup.mutex);
    wakeup.set = true;
  }
  wakeup.changed.NotifyOne();
}

std::vector<base::TopicPartition> LibrdkafkaConsumer::TakeOutOfRange() {
  return std::exchange(out_of_range_, {});
}

base::Status LibrdkafkaConsumer::Pause(std::span<const base::TopicPartition> partitions) {
  return PauseOrResume(partitions, true);
}

base::Status LibrdkafkaConsumer::Resume(std::span<const base::TopicPartition> partitions) {
  return PauseOrResume(partitions, false);
}

base::Status LibrdkafkaConsumer::PauseOrResume(std::span<const base::TopicPartition> partitions,
                                               bool pause) {
  if (partitions.empty()) return base::Status::Ok();
  PartitionList list = rdkafka::NewPartitionList(partitions.size());
  for (const base::TopicPartition& partition : partitions) {
    const auto found = reading_.find(partition);
    if (found == reading_.end()) continue;
    found->second.paused = pause;
    rdkafka::Add(list.get(), partition);
  }
  const rd_kafka_resp_err_t error = pause ? rd_kafka_pause_partitions(handle_.get(), list.get())
                                          : rd_kafka_resume_partitions(handle_.get(), list.get());
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return rdkafka::RequestStatus(error, pause ? "pausing" : "resuming");
  }
  for (int i = 0; i < list->cnt; ++i) {
    if (list->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return rdkafka::RequestStatus(list->elems[i].err, list->elems[i].topic);
    }
  }
  return base::Status::Ok();
}

std::optional<base::Offset> LibrdkafkaConsumer::Position(const base::TopicPartition& tp) const {
  const auto found = reading_.find(tp);
  if (found == reading_.end() || found->second.halted) return std::nullopt;
  PartitionList list = rdkafka::NewPartitionList(1);
  const rd_kafka_topic_partition_t* element = rdkafka::Add(list.get(), tp);
  rd_kafka_position(handle_.get(), list.get());
  if (element->err != RD_KAFKA_RESP_ERR_NO_ERROR || element->offset < 0) return std::nullopt;
  return base::Offset{element->offset};
}

}  // namespace pipeline
