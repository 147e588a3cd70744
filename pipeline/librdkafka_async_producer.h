#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "pipeline/kafka_client.h"
#include "pipeline/librdkafka_handle.h"

namespace pipeline {

/// An AsyncProducer over librdkafka, with one thread of its own that serves delivery reports.
/// Destroyed with records in its queue, it tells their senders Unavailable first.
class LibrdkafkaAsyncProducer : public AsyncProducer {
 public:
  static base::Result<std::unique_ptr<AsyncProducer>> New(std::shared_ptr<rdkafka::Shared> shared);
  ~LibrdkafkaAsyncProducer() override;

  void Produce(std::string_view topic, base::Partition partition,
               std::optional<std::string_view> key, std::optional<std::string_view> value,
               Delivered delivered) override;
  base::Status Flush(milliseconds timeout) override;

 private:
  /// A record that could not be queued; its sender is told on our thread.
  struct Failure {
    Delivered delivered;
    base::Status status;
  };

  explicit LibrdkafkaAsyncProducer(std::shared_ptr<rdkafka::Shared> shared)
      : shared_(std::move(shared)) {}

  static void OnDelivery(rd_kafka_t* handle, const rd_kafka_message_t* message, void* opaque);
  static void OnError(rd_kafka_t* handle, int error, const char* reason, void* opaque);

  void Start();
  void Run(const std::stop_token& stop);
  void ReportFailures();
  void WarmTopics();
  rd_kafka_topic_t* FindTopic(std::string_view name);
  void Fail(Delivered delivered, base::Status status);
  base::Result<base::Offset> OutcomeOf(const rd_kafka_message_t& message);
  void Tell(const Delivered& delivered, base::Result<base::Offset> outcome);

  std::shared_ptr<rdkafka::Shared> shared_;
  rdkafka::Handle handle_;
  rdkafka::Queue queue_;
  /// More than this is never in one batch, but for a single record.
  int64_t batch_bytes_ = 0;

  std::mutex mutex_;
  // Under mutex_:
  std::map<std::string, rdkafka::Topic, std::less<>> topics_;
  std::vector<rd_kafka_topic_t*> cold_topics_;
  std::vector<Failure> failures_;
  std::condition_variable failures_reported_;
  /// Records whose senders have not been told yet.
  size_t waiting_ = 0;
  std::condition_variable waiting_changed_;

  std::jthread thread_;
};

}  // namespace pipeline
