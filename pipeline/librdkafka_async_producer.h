#pragma once

#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "pipeline/kafka_client.h"
#include "pipeline/librdkafka_handle.h"

namespace pipeline {

/// An AsyncProducer over librdkafka, with one thread of its own that serves delivery reports.
///
/// When librdkafka's producer has failed for good, or makes batches larger than a topic takes now,
/// the thread tells the senders of what is queued Unavailable and makes a new one; so too when it
/// is destroyed with records in its queue.
class LibrdkafkaAsyncProducer : public AsyncProducer {
 public:
  static base::Result<std::unique_ptr<AsyncProducer>> New(std::shared_ptr<rdkafka::Shared> shared);
  ~LibrdkafkaAsyncProducer() override;

  void Produce(std::string_view topic, base::Partition partition,
               std::optional<std::string_view> key, std::optional<std::string_view> value,
               const Headers& headers, Delivered delivered) override;
  base::Status Flush(milliseconds timeout) override;

  void FailForGoodForTesting();

 private:
  /// One producer of librdkafka.
  struct Connection {
    rdkafka::Handle handle;
    rdkafka::Queue queue;
    /// More than this is never in one batch, but for a single record.
    int64_t batch_bytes = 0;
    std::map<std::string, rdkafka::Topic, std::less<>> topics;
    /// Those of `topics` that nothing was asked about yet.
    std::vector<rd_kafka_topic_t*> cold_topics;
  };

  /// A record that could not be queued; its sender is told on our thread.
  struct Failure {
    Delivered delivered;
    base::Status status;
  };

  explicit LibrdkafkaAsyncProducer(std::shared_ptr<rdkafka::Shared> shared)
      : shared_(std::move(shared)) {}

  static void OnDelivery(rd_kafka_t* handle, const rd_kafka_message_t* message, void* opaque);
  static void OnError(rd_kafka_t* handle, int error, const char* reason, void* opaque);
  static int OnStatistics(rd_kafka_t* handle, char* json, size_t size, void* opaque);

  base::Status Connect();
  void ConnectAnew(std::shared_ptr<Connection> old);
  void Drop(Connection* connection);
  void Run(const std::stop_token& stop);
  void ReportFailures();
  void WarmTopics(Connection* connection);
  std::shared_ptr<Connection> connection();
  rd_kafka_topic_t* FindTopic(Connection* connection, std::string_view name);
  void Fail(Delivered delivered, base::Status status);
  base::Result<base::Offset> OutcomeOf(const rd_kafka_message_t& message);
  bool WouldFitAlone(const std::string& topic, int64_t bytes);
  void Tell(const Delivered& delivered, base::Result<base::Offset> outcome);

  std::shared_ptr<rdkafka::Shared> shared_;
  std::shared_ptr<rdkafka::Statistics::Client> statistics_;
  /// That of the connection whose reports come now. Our thread's own.
  int64_t batch_bytes_ = 0;

  base::Mutex mutex_;
  /// The topics in it are under mutex_ too.
  std::shared_ptr<Connection> connection_ GUARDED_BY(mutex_);
  std::vector<Failure> failures_ GUARDED_BY(mutex_);
  base::ConditionVariable failures_reported_;
  /// Records whose senders have not been told yet.
  size_t waiting_ GUARDED_BY(mutex_) = 0;
  base::ConditionVariable waiting_changed_;

  std::jthread thread_;
};

}  // namespace pipeline
