#include "pipeline/librdkafka_producer.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <utility>

#include "base/check.h"
#include "pipeline/librdkafka_consumer.h"
#include "pipeline/librdkafka_enqueue.h"

namespace pipeline {
namespace {

using rdkafka::Deadline;

constexpr int kRecordBytesMax = 20 * 1024 * 1024;
constexpr int kQueueKbytesMax = 64 * 1024;
constexpr int kQueueRecordsMax = 1000000;
/// Delivery reports are served at least each so many records.
constexpr uint32_t kPollEvery = 256;
/// How long Produce() waits for room, which comes as soon as brokers take records again.
constexpr milliseconds kQueueFullTimeout{30000};
constexpr int kQueueFullPollMs = 10;
constexpr int kFlushSliceMs = 100;
/// Between two tries of a call that librdkafka asks to repeat.
// librdkafka waits by the wall clock: when that jumps ahead, every ask for a commit "times out" at
// once, and it aborts the process at the fifth while one is under way.
constexpr int kCommitAsksMax = 3;
constexpr int kRetryPollMs = 5;
/// While the coordinator still aborts the transaction of our id's last run, librdkafka asks again
/// after half a second; a new client asks at once. Time for the coordinator, and for its answer over
/// a slow network, after which the first client is given up; the second has all the time there is.
constexpr milliseconds kFirstInitWait{100};
constexpr milliseconds kMetadataTimeout{5000};
constexpr milliseconds kDeliveryTimeout{120000};
/// More are not told apart: the others of the transaction come up at its replay.
constexpr size_t kRefusedMax = 10000;

rdkafka::Settings ProducerSettings(const std::string& transactional_id,
                                   milliseconds transaction_timeout, int64_t batch_bytes) {
  rdkafka::Settings settings = {
      {"enable.idempotence", "true"},
      {"acks", "all"},
      {"compression.codec", "none"},
      {"message.max.bytes", std::to_string(kRecordBytesMax)},
      {"batch.size", std::to_string(batch_bytes)},
      {"queue.buffering.max.kbytes", std::to_string(kQueueKbytesMax)},
      {"queue.buffering.max.messages", std::to_string(kQueueRecordsMax)},
      // The first request after a commit is told to come again, and waits for one back-off.
      {"retry.backoff.ms", "2"},
      {"retry.backoff.max.ms", "100"},
      {"enable.metrics.push", "false"},
  };
  if (transactional_id.empty()) {
    settings.emplace_back("linger.ms", "5");
    settings.emplace_back("delivery.timeout.ms", std::to_string(kDeliveryTimeout.count()));
  } else {
    settings.emplace_back("linger.ms", "20");
    settings.emplace_back("transactional.id", transactional_id);
    settings.emplace_back("transaction.timeout.ms", std::to_string(transaction_timeout.count()));
    settings.emplace_back("delivery.timeout.ms", std::to_string(transaction_timeout.count()));
  }
  return settings;
}

/// Every record of ours carries the wall clock, so what this says is that a clock is wrong (brokers
/// of 4.0 say INVALID_RECORD for a timestamp, too).
bool IsRefusedByItsTime(rd_kafka_resp_err_t error) {
  return error == RD_KAFKA_RESP_ERR_INVALID_RECORD || error == RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP;
}

/// The record, or only the batch that it was in.
bool IsTooLarge(rd_kafka_resp_err_t error) {
  return error == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ||
         error == RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE ||
         error == RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE;
}

/// Null stays null, and empty stays empty.
/// After these the coordinator may have committed without our knowing.
bool IsOutcomeUnknown(rd_kafka_resp_err_t error) {
  switch (error) {
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
    case RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION:
    case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
    case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS:
    case RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID:
    case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING:
    case RD_KAFKA_RESP_ERR_UNKNOWN:
    case RD_KAFKA_RESP_ERR__FAIL:
      return true;
    default:
      return false;
  }
}

}  // namespace

base::Result<std::unique_ptr<Producer>> LibrdkafkaProducer::New(
    std::shared_ptr<rdkafka::Shared> shared, const std::string& transactional_id) {
  auto producer =
      std::unique_ptr<LibrdkafkaProducer>(new LibrdkafkaProducer(shared, transactional_id));
  RETURN_IF_ERROR(producer->Connect());
  return std::unique_ptr<Producer>(std::move(producer));
}

/// REQUIRES: no topic is in use yet.
base::Status LibrdkafkaProducer::Connect() {
  rdkafka::Callbacks callbacks;
  callbacks.opaque = this;
  callbacks.error = OnError;
  callbacks.delivery = OnDelivery;
  callbacks.statistics = OnStatistics;
  statistics_ = shared_->statistics->New(rdkafka::ClientKind::kProducer);
  batch_bytes_ = shared_->batch_limit.bytes();
  base::Result<rdkafka::Handle> handle = rdkafka::NewHandle(
      *shared_, RD_KAFKA_PRODUCER,
      ProducerSettings(transactional_id_, shared_->options.transaction_timeout, batch_bytes_),
      callbacks);
  if (!handle.ok()) return handle.status();
  handle_ = std::move(handle).value();
  return base::Status::Ok();
}

LibrdkafkaProducer::~LibrdkafkaProducer() {
  if (handle_ == nullptr) return;
  rd_kafka_purge(handle_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
                                    RD_KAFKA_PURGE_F_NON_BLOCKING);
  for (const auto& topic : topics_) topic->handle.reset();
  handle_.reset();
}

base::Result<LibrdkafkaProducer::Topic*> LibrdkafkaProducer::FindTopic(std::string_view name) {
  if (last_topic_ != nullptr && last_topic_->name == name) return last_topic_;
  auto found = std::find_if(topics_.begin(), topics_.end(),
                            [&](const auto& topic) { return topic->name == name; });
  if (found == topics_.end()) {
    auto topic = std::make_unique<Topic>();
    topic->name = name;
    rd_kafka_topic_conf_t* conf = rd_kafka_default_topic_conf_dup(handle_.get());
    rd_kafka_topic_conf_set_opaque(conf, topic.get());
    topic->handle.reset(rd_kafka_topic_new(handle_.get(), topic->name.c_str(), conf));
    CHECK(topic->handle != nullptr, "a topic handle: " + topic->name);
    found = topics_.insert(topics_.end(), std::move(topic));
  }
  if (!(*found)->known) RETURN_IF_ERROR(FetchMetadata(found->get()));
  return last_topic_ = found->get();
}

/// Asks for the topic's metadata at once: else its first record waits a second for them.
base::Status LibrdkafkaProducer::FetchMetadata(Topic* topic) {
  const rd_kafka_metadata_t* metadata = nullptr;
  rd_kafka_resp_err_t error = rd_kafka_metadata(handle_.get(), 0, topic->handle.get(), &metadata,
                                                static_cast<int>(kMetadataTimeout.count()));
  if (metadata != nullptr) {
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR && metadata->topic_cnt == 1) {
      error = metadata->topics[0].err;
    }
    rd_kafka_metadata_destroy(metadata);
  }
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return rdkafka::RequestStatus(error, "metadata of topic " + topic->name);
  }
  topic->known = true;
  return base::Status::Ok();
}

base::Status LibrdkafkaProducer::Produce(const OutgoingRecord& record) {
  const base::Result<Topic*> topic = FindTopic(record.topic);
  if (!topic.ok()) return topic.status();
  if (std::exchange(forget_at_next_produce_, false)) ForgetDeliveries();
  if (++produced_since_poll_ >= kPollEvery) {
    produced_since_poll_ = 0;
    rd_kafka_poll(handle_.get(), 0);
  }
  rd_kafka_resp_err_t error = Enqueue(**topic, record);
  if (error == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
    const Deadline deadline(kQueueFullTimeout);
    while (error == RD_KAFKA_RESP_ERR__QUEUE_FULL && !deadline.passed()) {
      rd_kafka_poll(handle_.get(), kQueueFullPollMs);
      error = Enqueue(**topic, record);
    }
  }
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) [[likely]]
    return base::Status::Ok();
  return EnqueueFailed(error, record);
}

rd_kafka_resp_err_t LibrdkafkaProducer::Enqueue(const Topic& topic, const OutgoingRecord& record) {
  return rdkafka::Enqueue(handle_.get(),
                          {topic.handle.get(), record.partition, record.key, record.value,
                           record.headers,
                           reinterpret_cast<void*>(static_cast<uintptr_t>(record.tag))});
}

base::Status LibrdkafkaProducer::EnqueueFailed(rd_kafka_resp_err_t error,
                                               const OutgoingRecord& record) {
  const std::string where =
      base::TopicPartition{std::string(record.topic), record.partition}.ToString();
  const std::string text = "producing to " + where + ": " + rdkafka::ErrorText(error);
  switch (error) {
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
      return base::Status::InvalidArgument(text);
    case RD_KAFKA_RESP_ERR__FATAL:
    case RD_KAFKA_RESP_ERR__FENCED:
      if (base::Status fatal = rdkafka::FatalStatus(handle_.get()); !fatal.ok()) return fatal;
      return base::Status::Lost(text);
    default:
      return SortOutTooLarge(first_failure_.ok() ? base::Status::Unavailable(text)
                                                 : first_failure_);
  }
}

void LibrdkafkaProducer::OnDelivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR || message->offset < 0) [[unlikely]] {
    static_cast<LibrdkafkaProducer*>(opaque)->HandleFailure(*message);
    return;
  }
  std::vector<int64_t>& delivered =
      static_cast<Topic*>(rd_kafka_topic_opaque(message->rkt))->delivered;
  const auto partition = static_cast<size_t>(message->partition);
  if (partition >= delivered.size()) delivered.resize(partition + 1, -1);
  delivered[partition] = std::max(delivered[partition], message->offset);
}

void LibrdkafkaProducer::HandleFailure(const rd_kafka_message_t& message) {
  // Purged by an abort: it was not tried.
  if (message.err == RD_KAFKA_RESP_ERR__PURGE_QUEUE ||
      message.err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT) {
    return;
  }
  const base::TopicPartition partition{rd_kafka_topic_name(message.rkt),
                                       base::Partition{message.partition}};
  if (first_failure_.ok()) {
    first_failure_ = base::Status::Unavailable(
        "a record for " + partition.ToString() + " was not delivered: " +
        (message.err == RD_KAFKA_RESP_ERR_NO_ERROR ? std::string(rdkafka::kNoOffset)
                                                   : rdkafka::ErrorText(message.err)));
  }
  if (refused_.size() + too_large_.size() >= kRefusedMax) return;
  RefusedRecord record{partition.topic, partition.partition,
                       static_cast<uint64_t>(reinterpret_cast<uintptr_t>(message._private)),
                       rdkafka::ErrorText(message.err), /*by_its_time=*/false};
  if (IsRefusedByItsTime(message.err)) {
    record.by_its_time = true;
    refused_.push_back(std::move(record));
  } else if (IsTooLarge(message.err)) {
    too_large_.push_back({std::move(record), static_cast<int64_t>(message.len + message.key_len)});
  }
}

/// All records of a batch that was too large failed. Those that were alone in it are refused; for
/// the others a new producer has to make smaller batches: Lost, in place of `failure`.
base::Status LibrdkafkaProducer::SortOutTooLarge(base::Status failure) {
  if (too_large_.empty() || failure.code() != base::StatusCode::kUnavailable) return failure;
  std::map<std::string, int64_t> bytes_max;
  for (TooLarge& candidate : std::exchange(too_large_, {})) {
    const std::string& topic = candidate.record.topic;
    if (candidate.bytes <= batch_bytes_) {
      const auto [known, first] = bytes_max.try_emplace(topic, 0);
      if (first) known->second = TopicBytesMax(topic);
      if (batch_bytes_ > known->second) {
        shared_->batch_limit.LowerTo(known->second);
        failure = base::Status::Lost("topic " + topic + " takes batches of at most " +
                                     std::to_string(known->second) + " bytes, not " +
                                     std::to_string(batch_bytes_));
        continue;
      }
    }
    refused_.push_back(std::move(candidate.record));
  }
  return failure;
}

/// The largest batch that `topic` takes; if it does not tell, half of what it has just refused.
int64_t LibrdkafkaProducer::TopicBytesMax(const std::string& topic) {
  auto topics = shared_->admin->DescribeTopics({&topic, 1}, kMetadataTimeout);
  if (topics.ok() && topics->contains(topic)) {
    const auto& config = topics->at(topic).config;
    if (const auto found = config.find("max.message.bytes"); found != config.end()) {
      return std::atoll(found->second.c_str());
    }
  }
  return batch_bytes_ / 2;
}

void LibrdkafkaProducer::OnError(rd_kafka_t*, int error, const char* reason, void* opaque) {
  static_cast<LibrdkafkaProducer*>(opaque)->shared_->outage.Note(
      static_cast<rd_kafka_resp_err_t>(error), "producer", reason);
}

int LibrdkafkaProducer::OnStatistics(rd_kafka_t*, char* json, size_t size, void* opaque) {
  static_cast<LibrdkafkaProducer*>(opaque)->statistics_->Put({json, size});
  return 0;
}

void LibrdkafkaProducer::ServeEvents() { rd_kafka_poll(handle_.get(), 0); }

void LibrdkafkaProducer::ForgetDeliveries() {
  first_failure_ = base::Status::Ok();
  for (const auto& topic : topics_) {
    std::fill(topic->delivered.begin(), topic->delivered.end(), -1);
  }
}

base::Status LibrdkafkaProducer::Flush(milliseconds timeout) {
  base::Status status = AwaitDelivery(Deadline(timeout));
  forget_at_next_produce_ = true;
  first_failure_ = base::Status::Ok();
  return SortOutTooLarge(std::move(status));
}

/// Waits until all is delivered or something failed. In slices: once a batch of a transaction has
/// failed, librdkafka sends no other, and one long wait would see neither success nor failure.
base::Status LibrdkafkaProducer::AwaitDelivery(const Deadline& deadline) {
  while (true) {
    const rd_kafka_resp_err_t error =
        rd_kafka_flush(handle_.get(), std::min(deadline.remaining_ms(), kFlushSliceMs));
    RETURN_IF_ERROR(rdkafka::FatalStatus(handle_.get()));
    if (!first_failure_.ok()) return first_failure_;
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
      shared_->outage.Reached();
      return base::Status::Ok();
    }
    if (!transactional_id_.empty()) RETURN_IF_ERROR(FailedTransaction());
    if (deadline.passed()) {
      return base::Status::Unavailable(std::to_string(rd_kafka_outq_len(handle_.get())) +
                                       " records were not delivered in time");
    }
  }
}

/// The failure of the open transaction, if it has failed without a record of it having failed.
/// librdkafka tells it only in answer to another call; this one changes nothing.
base::Status LibrdkafkaProducer::FailedTransaction() {
  const rdkafka::Error error(rd_kafka_begin_transaction(handle_.get()));
  CHECK(error != nullptr, "no second transaction can begin");
  if (rd_kafka_error_code(error.get()) == RD_KAFKA_RESP_ERR__STATE) return base::Status::Ok();
  return TransactionStatus(error.get(), "the transaction");
}

std::optional<base::Offset> LibrdkafkaProducer::LastDelivered(
    const base::TopicPartition& tp) const {
  const auto partition = static_cast<size_t>(tp.partition.value);
  for (const auto& topic : topics_) {
    if (topic->name != tp.topic) continue;
    if (partition >= topic->delivered.size() || topic->delivered[partition] < 0) break;
    return base::Offset{topic->delivered[partition]};
  }
  return std::nullopt;
}

std::vector<RefusedRecord> LibrdkafkaProducer::TakeRefused() { return std::exchange(refused_, {}); }

/// What an error of a transactional call that is not CommitTransaction() asks for.
base::Status LibrdkafkaProducer::TransactionStatus(const rd_kafka_error_t* error,
                                                   std::string_view what) {
  const rd_kafka_resp_err_t code = rd_kafka_error_code(error);
  const std::string text = std::string(what) + " (" + transactional_id_ +
                           "): " + rd_kafka_error_string(error) + " (" + rd_kafka_err2name(code) +
                           ")";
  if (rd_kafka_error_is_fatal(error) != 0) {
    if (rdkafka::IsRefusal(code)) return base::Status::Fatal(text);
    return base::Status::Lost(text);
  }
  if (rd_kafka_error_txn_requires_abort(error) != 0 || rd_kafka_error_is_retriable(error) != 0) {
    return SortOutTooLarge(base::Status::Unavailable(text));
  }
  // Neither retriable nor abortable: librdkafka's advice is to treat it as fatal.
  if (rdkafka::IsRefusal(code)) return base::Status::Fatal(text);
  return base::Status::Lost(text);
}

base::Status LibrdkafkaProducer::InitTransactions(milliseconds timeout) {
  const Deadline deadline(timeout);
  for (bool first = true;; first = false) {
    const milliseconds wait =
        first ? std::min(deadline.remaining(), kFirstInitWait) : deadline.remaining();
    const rdkafka::Error error(
        rd_kafka_init_transactions(handle_.get(), Deadline(wait).remaining_ms()));
    if (error == nullptr) {
      shared_->outage.Reached();
      return base::Status::Ok();
    }
    if (first && rd_kafka_error_code(error.get()) == RD_KAFKA_RESP_ERR__TIMED_OUT) {
      RETURN_IF_ERROR(Connect());
      continue;
    }
    rd_kafka_poll(handle_.get(), kRetryPollMs);
    if (rd_kafka_error_is_retriable(error.get()) == 0 || deadline.passed()) {
      return TransactionStatus(error.get(), "init_transactions");
    }
  }
}

base::Status LibrdkafkaProducer::BeginTransaction() {
  ForgetDeliveries();
  refused_.clear();
  too_large_.clear();
  const rdkafka::Error error(rd_kafka_begin_transaction(handle_.get()));
  if (error == nullptr) return base::Status::Ok();
  return TransactionStatus(error.get(), "begin_transaction");
}

base::Status LibrdkafkaProducer::SendPositions(const Positions& positions,
                                               const GroupMetadata& group, milliseconds timeout) {
  const auto& metadata = static_cast<const LibrdkafkaGroupMetadata&>(group);
  CHECK(metadata.get() != nullptr, "positions are sent for a consumer with a group");
  const rdkafka::PartitionList list = rdkafka::ToList(positions);
  const Deadline deadline(timeout);
  while (true) {
    const rdkafka::Error error(rd_kafka_send_offsets_to_transaction(
        handle_.get(), list.get(), metadata.get(), deadline.remaining_ms()));
    if (error == nullptr) return base::Status::Ok();
    rd_kafka_poll(handle_.get(), kRetryPollMs);
    if (rd_kafka_error_is_retriable(error.get()) == 0 || deadline.passed()) {
      return TransactionStatus(error.get(), "send_offsets_to_transaction");
    }
  }
}

base::Status LibrdkafkaProducer::CommitTransaction(milliseconds timeout) {
  const Deadline deadline(timeout);
  // Before librdkafka is asked to commit: after that, nothing else is possible until it answers.
  if (base::Status delivered = AwaitDelivery(deadline); !delivered.ok()) {
    return SortOutTooLarge(delivered.WithContext("commit_transaction"));
  }
  for (int asked = 1;; ++asked) {
    const rdkafka::Error error(rd_kafka_commit_transaction(handle_.get(), deadline.remaining_ms()));
    if (error == nullptr) {
      shared_->outage.Reached();
      return base::Status::Ok();
    }
    rd_kafka_poll(handle_.get(), kRetryPollMs);
    if (rd_kafka_error_is_retriable(error.get()) == 0 || deadline.passed() ||
        asked == kCommitAsksMax) {
      return CommitFailed(error.get());
    }
  }
}

base::Status LibrdkafkaProducer::CommitFailed(const rd_kafka_error_t* error) {
  base::Status status = TransactionStatus(error, "commit_transaction");
  if (status.code() != base::StatusCode::kUnavailable) return status;
  if (rd_kafka_error_txn_requires_abort(error) == 0) {
    // It goes on in the background, and no other call is taken while it does.
    return base::Status::Lost(status.message() + "; the outcome is unknown");
  }
  if (IsOutcomeUnknown(rd_kafka_error_code(error))) {
    return base::Status::Lost(status.message() + "; the outcome is unknown");
  }
  return status;
}

base::Status LibrdkafkaProducer::AbortTransaction(milliseconds timeout) {
  const Deadline deadline(timeout);
  while (true) {
    const rdkafka::Error error(rd_kafka_abort_transaction(handle_.get(), deadline.remaining_ms()));
    if (error == nullptr) return base::Status::Ok();
    rd_kafka_poll(handle_.get(), kRetryPollMs);
    if (rd_kafka_error_is_retriable(error.get()) != 0 && !deadline.passed()) continue;
    base::Status status = TransactionStatus(error.get(), "abort_transaction");
    if (status.code() == base::StatusCode::kUnavailable) {
      return base::Status::Lost(status.message());
    }
    return status;
  }
}

}  // namespace pipeline
