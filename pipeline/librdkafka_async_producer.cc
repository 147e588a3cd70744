#include "pipeline/librdkafka_async_producer.h"

#include <utility>

#include "base/log.h"
#include "pipeline/librdkafka_enqueue.h"

namespace pipeline {
namespace {

constexpr int kRecordBytesMax = 20 * 1024 * 1024;
constexpr int kQueueKbytesMax = 64 * 1024;
constexpr int kQueueRecordsMax = 100000;
/// Senders of records that could not be queued wait when so many are still to be told.
constexpr size_t kFailuresMax = 10000;
constexpr int kPollMs = 1000;
constexpr int kMetadataTimeoutMs = 1000;
constexpr int kFinishTimeoutMs = 1000;
constexpr milliseconds kDescribeTimeout{1000};

rdkafka::Settings AsyncProducerSettings(const LibrdkafkaOptions& options, int64_t batch_bytes) {
  return {
      {"enable.idempotence", "true"},
      {"acks", "all"},
      {"compression.codec", "none"},
      {"linger.ms", "0"},
      {"batch.size", std::to_string(batch_bytes)},
      {"message.max.bytes", std::to_string(kRecordBytesMax)},
      {"queue.buffering.max.kbytes", std::to_string(kQueueKbytesMax)},
      {"queue.buffering.max.messages", std::to_string(kQueueRecordsMax)},
      {"delivery.timeout.ms", std::to_string(options.delivery_timeout.count())},
      {"message.send.max.retries", std::to_string(options.delivery_retries)},
      {"retry.backoff.ms", "10"},
      {"retry.backoff.max.ms", "200"},
      {"enable.metrics.push", "false"},
  };
}

base::Status FailureOf(rd_kafka_resp_err_t error, const std::string& where) {
  const std::string text = "producing to " + where + ": " + rdkafka::ErrorText(error);
  switch (error) {
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
      return base::Status::InvalidArgument(text);
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
      return base::Status::InvalidArgument(text + ": is the clock of this machine, or the broker's, "
                                                  "right?");
    default:
      return base::Status::Unavailable(text);
  }
}

}  // namespace

base::Result<std::unique_ptr<AsyncProducer>> LibrdkafkaAsyncProducer::New(
    std::shared_ptr<rdkafka::Shared> shared) {
  auto producer = std::unique_ptr<LibrdkafkaAsyncProducer>(new LibrdkafkaAsyncProducer(shared));
  producer->statistics_ = shared->statistics->New(rdkafka::ClientKind::kApiProducer);
  RETURN_IF_ERROR(producer->Connect());
  producer->thread_ =
      std::jthread([self = producer.get()](const std::stop_token& stop) { self->Run(stop); });
  return std::unique_ptr<AsyncProducer>(std::move(producer));
}

LibrdkafkaAsyncProducer::~LibrdkafkaAsyncProducer() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  rd_kafka_queue_yield(connection()->queue.get());
  thread_.join();
}

base::Status LibrdkafkaAsyncProducer::Connect() {
  rdkafka::Callbacks callbacks;
  callbacks.opaque = this;
  callbacks.error = OnError;
  callbacks.delivery = OnDelivery;
  callbacks.statistics = OnStatistics;
  auto fresh = std::make_shared<Connection>();
  fresh->batch_bytes = shared_->batch_limit.bytes();
  base::Result<rdkafka::Handle> handle = rdkafka::NewHandle(
      *shared_, RD_KAFKA_PRODUCER,
      AsyncProducerSettings(shared_->options, fresh->batch_bytes), callbacks);
  if (!handle.ok()) return handle.status();
  fresh->handle = std::move(handle).value();
  fresh->queue.reset(rd_kafka_queue_get_main(fresh->handle.get()));
  const base::MutexLock lock(mutex_);
  connection_ = std::move(fresh);
  return base::Status::Ok();
}

/// `old` is the caller's only reference to the connection of now.
void LibrdkafkaAsyncProducer::ConnectAnew(std::shared_ptr<Connection> old) {
  if (base::Status status = Connect(); !status.ok()) {
    base::LogWarn("cannot make a new producer", {{"why", status.message()}});
    return;
  }
  // Senders that took it before queue their record in a moment, and no new one takes it.
  while (old.use_count() > 1) rd_kafka_poll(old->handle.get(), 1);
  rd_kafka_flush(old->handle.get(), kFinishTimeoutMs);
  Drop(old.get());
}

/// Each record still in the queue gets its report, which says that it was purged.
void LibrdkafkaAsyncProducer::Drop(Connection* connection) {
  rd_kafka_purge(connection->handle.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  rd_kafka_flush(connection->handle.get(), kFinishTimeoutMs);
}

std::shared_ptr<LibrdkafkaAsyncProducer::Connection> LibrdkafkaAsyncProducer::connection() {
  const base::MutexLock lock(mutex_);
  return connection_;
}

void LibrdkafkaAsyncProducer::FailForGoodForTesting() {
  rd_kafka_test_fatal_error(connection()->handle.get(), RD_KAFKA_RESP_ERR__INCONSISTENT, "a test");
}

void LibrdkafkaAsyncProducer::Run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::shared_ptr<Connection> current = connection();
    batch_bytes_ = current->batch_bytes;
    rd_kafka_poll(current->handle.get(), kPollMs);
    WarmTopics(current.get());
    ReportFailures();
    const base::Status fatal = rdkafka::FatalStatus(current->handle.get());
    if (!fatal.ok()) base::LogWarn("making a new producer", {{"why", fatal.message()}});
    if (!fatal.ok() || shared_->batch_limit.bytes() < batch_bytes_) {
      ConnectAnew(std::move(current));
    }
  }
  Drop(connection().get());
  ReportFailures();
}

/// The first record of a topic would wait a second for its metadata; asking makes it milliseconds.
void LibrdkafkaAsyncProducer::WarmTopics(Connection* connection) {
  std::vector<rd_kafka_topic_t*> cold;
  {
    const base::MutexLock lock(mutex_);
    cold.swap(connection->cold_topics);
  }
  for (rd_kafka_topic_t* topic : cold) {
    const rd_kafka_metadata_t* metadata = nullptr;
    rd_kafka_metadata(connection->handle.get(), 0, topic, &metadata, kMetadataTimeoutMs);
    if (metadata != nullptr) rd_kafka_metadata_destroy(metadata);
  }
}

void LibrdkafkaAsyncProducer::ReportFailures() {
  std::vector<Failure> failures;
  {
    const base::MutexLock lock(mutex_);
    failures.swap(failures_);
  }
  failures_reported_.NotifyAll();
  for (Failure& failure : failures) Tell(failure.delivered, std::move(failure.status));
}

rd_kafka_topic_t* LibrdkafkaAsyncProducer::FindTopic(Connection* connection,
                                                     std::string_view name) {
  const base::MutexLock lock(mutex_);
  auto found = connection->topics.find(name);
  if (found == connection->topics.end()) {
    const std::string key(name);
    rd_kafka_topic_t* fresh = rd_kafka_topic_new(connection->handle.get(), key.c_str(), nullptr);
    if (fresh == nullptr) return nullptr;
    found = connection->topics.emplace(key, fresh).first;
    connection->cold_topics.push_back(fresh);
    rd_kafka_queue_yield(connection->queue.get());
  }
  return found->second.get();
}

void LibrdkafkaAsyncProducer::Produce(std::string_view topic, base::Partition partition,
                                      std::optional<std::string_view> key,
                                      std::optional<std::string_view> value,
                                      const Headers& headers, Delivered delivered) {
  {
    const base::MutexLock lock(mutex_);
    ++waiting_;
  }
  const std::shared_ptr<Connection> current = connection();
  rd_kafka_topic_t* handle = FindTopic(current.get(), topic);
  rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
  if (handle != nullptr) {
    auto waiting = std::make_unique<Delivered>(std::move(delivered));
    error = rdkafka::Enqueue(current->handle.get(),
                             {handle, partition, key, value, &headers, waiting.get()});
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
      static_cast<void>(waiting.release());  // OnDelivery() owns it now
      return;
    }
    delivered = std::move(*waiting);
  }
  Fail(std::move(delivered),
       FailureOf(error, base::TopicPartition{std::string(topic), partition}.ToString()));
}

void LibrdkafkaAsyncProducer::Fail(Delivered delivered, base::Status status) {
  {
    const base::MutexLock lock(mutex_);
    failures_reported_.Wait(mutex_,
                            [this]() REQUIRES(mutex_) { return failures_.size() < kFailuresMax; });
    failures_.push_back({std::move(delivered), std::move(status)});
  }
  rd_kafka_queue_yield(connection()->queue.get());
}

void LibrdkafkaAsyncProducer::OnDelivery(rd_kafka_t*, const rd_kafka_message_t* message,
                                         void* opaque) {
  auto& producer = *static_cast<LibrdkafkaAsyncProducer*>(opaque);
  const std::unique_ptr<Delivered> delivered(static_cast<Delivered*>(message->_private));
  producer.Tell(*delivered, producer.OutcomeOf(*message));
}

base::Result<base::Offset> LibrdkafkaAsyncProducer::OutcomeOf(const rd_kafka_message_t& message) {
  if (message.err == RD_KAFKA_RESP_ERR_NO_ERROR && message.offset >= 0) {
    shared_->outage.Reached();
    return base::Offset{message.offset};
  }
  const base::TopicPartition partition{rd_kafka_topic_name(message.rkt),
                                       base::Partition{message.partition}};
  if (message.err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    return base::Status::Unavailable("producing to " + partition.ToString() + ": " +
                                     std::string(rdkafka::kNoOffset));
  }
  if (message.err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE &&
      WouldFitAlone(partition.topic, static_cast<int64_t>(message.len + message.key_len))) {
    return base::Status::Unavailable("a batch for " + partition.ToString() + " was too large");
  }
  return FailureOf(message.err, partition.ToString());
}

/// All records of a batch fail that is too large for its topic; they may have been small. Asks for
/// the topic's limit, which becomes that of batches, if that is not known to be too high already.
bool LibrdkafkaAsyncProducer::WouldFitAlone(const std::string& topic, int64_t bytes) {
  if (bytes <= shared_->batch_limit.bytes() && batch_bytes_ <= shared_->batch_limit.bytes()) {
    const auto described = shared_->admin->DescribeTopics({&topic, 1}, kDescribeTimeout);
    if (!described.ok()) return true;
  }
  return bytes <= shared_->batch_limit.bytes();
}

void LibrdkafkaAsyncProducer::Tell(const Delivered& delivered, base::Result<base::Offset> outcome) {
  delivered(std::move(outcome));
  const base::MutexLock lock(mutex_);
  if (--waiting_ == 0) waiting_changed_.NotifyAll();
}

void LibrdkafkaAsyncProducer::OnError(rd_kafka_t*, int error, const char* reason, void* opaque) {
  static_cast<LibrdkafkaAsyncProducer*>(opaque)->shared_->outage.Note(
      static_cast<rd_kafka_resp_err_t>(error), "producer", reason);
}

int LibrdkafkaAsyncProducer::OnStatistics(rd_kafka_t*, char* json, size_t size, void* opaque) {
  static_cast<LibrdkafkaAsyncProducer*>(opaque)->statistics_->Put({json, size});
  return 0;
}

base::Status LibrdkafkaAsyncProducer::Flush(milliseconds timeout) {
  const base::MutexLock lock(mutex_);
  if (waiting_changed_.WaitFor(mutex_, timeout,
                               [this]() REQUIRES(mutex_) { return waiting_ == 0; })) {
    return base::Status::Ok();
  }
  return base::Status::Unavailable("flushing: " + std::to_string(waiting_) +
                                   " records are not delivered yet");
}

}  // namespace pipeline
