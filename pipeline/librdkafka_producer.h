#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pipeline/kafka_client.h"
#include "pipeline/librdkafka_handle.h"

namespace pipeline {

/// A Producer over librdkafka. Threads: one; delivery reports are served within its calls.
class LibrdkafkaProducer : public Producer {
 public:
  /// `transactional_id` empty: idempotent, without transactions.
  static base::Result<std::unique_ptr<Producer>> New(std::shared_ptr<rdkafka::Shared> shared,
                                                     const std::string& transactional_id);
  ~LibrdkafkaProducer() override;

  base::Status InitTransactions(milliseconds timeout) override;
  base::Status BeginTransaction() override;
  base::Status Produce(const OutgoingRecord& record) override;
  base::Status SendPositions(const Positions& positions, const GroupMetadata& group,
                             milliseconds timeout) override;
  base::Status CommitTransaction(milliseconds timeout) override;
  base::Status AbortTransaction(milliseconds timeout) override;
  base::Status Flush(milliseconds timeout) override;
  std::optional<base::Offset> LastDelivered(const base::TopicPartition& tp) const override;
  std::vector<RefusedRecord> TakeRefused() override;
  void ServeEvents() override;

 private:
  /// What a topic's delivery reports and produce calls need at hand.
  struct Topic {
    std::string name;
    rdkafka::Topic handle;
    /// Its metadata have been fetched once.
    bool known = false;
    /// By partition: the highest offset delivered, -1: none.
    std::vector<int64_t> delivered;
  };

  /// A record that was in a batch too large for its topic.
  struct TooLarge {
    RefusedRecord record;
    int64_t bytes = 0;
  };

  LibrdkafkaProducer(std::shared_ptr<rdkafka::Shared> shared, std::string transactional_id)
      : shared_(std::move(shared)), transactional_id_(std::move(transactional_id)) {}

  static void OnDelivery(rd_kafka_t* handle, const rd_kafka_message_t* message, void* opaque);
  static void OnError(rd_kafka_t* handle, int error, const char* reason, void* opaque);
  static int OnStatistics(rd_kafka_t* handle, char* json, size_t size, void* opaque);

  base::Status Connect();
  base::Result<Topic*> FindTopic(std::string_view name);
  base::Status FetchMetadata(Topic* topic);
  rd_kafka_resp_err_t Enqueue(const Topic& topic, const OutgoingRecord& record);
  base::Status EnqueueFailed(rd_kafka_resp_err_t error, const OutgoingRecord& record);
  void HandleFailure(const rd_kafka_message_t& message);
  void ForgetDeliveries();
  base::Status AwaitDelivery(const rdkafka::Deadline& deadline);
  base::Status FailedTransaction();
  base::Status SortOutTooLarge(base::Status failure);
  int64_t TopicBytesMax(const std::string& topic);
  base::Status CommitFailed(const rd_kafka_error_t* error);
  base::Status TransactionStatus(const rd_kafka_error_t* error, std::string_view what);

  std::shared_ptr<rdkafka::Shared> shared_;
  std::string transactional_id_;
  std::shared_ptr<rdkafka::Statistics::Client> statistics_;
  rdkafka::Handle handle_;
  std::vector<std::unique_ptr<Topic>> topics_;
  /// The topic of the last record: most often also that of the next.
  Topic* last_topic_ = nullptr;
  uint32_t produced_since_poll_ = 0;
  bool forget_at_next_produce_ = false;
  /// The first record of this transaction or flush that was not delivered, and why.
  base::Status first_failure_;
  std::vector<RefusedRecord> refused_;
  std::vector<TooLarge> too_large_;
  /// More than this is never in one batch, but for a single record.
  int64_t batch_bytes_ = 0;
};

}  // namespace pipeline
