#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "pipeline/kafka_client.h"
#include "pipeline/librdkafka_handle.h"

namespace pipeline {

/// The group generation of one moment, as rd_kafka_send_offsets_to_transaction() takes it.
class LibrdkafkaGroupMetadata : public GroupMetadata {
 public:
  explicit LibrdkafkaGroupMetadata(rd_kafka_consumer_group_metadata_t* metadata)
      : metadata_(metadata) {}
  /// Null when the consumer is in no group.
  const rd_kafka_consumer_group_metadata_t* get() const { return metadata_.get(); }

 private:
  rdkafka::Owned<rd_kafka_consumer_group_metadata_t, rd_kafka_consumer_group_metadata_destroy>
      metadata_;
};

/// A Consumer over librdkafka, read in batches from its one queue.
///
/// It waits for the queue itself, instead of letting librdkafka wait: librdkafka returns a batch
/// only when it is full or the time is over, and does not say when only control records came.
///
/// The batches that it gave out are destroyed before it is.
///
/// Threads: one; librdkafka's own threads only set Wakeup.
class LibrdkafkaConsumer : public Consumer {
 public:
  /// `group` null: reads by Assign() alone.
  static base::Result<std::unique_ptr<Consumer>> New(std::shared_ptr<rdkafka::Shared> shared,
                                                     const KafkaClients::GroupOptions* group,
                                                     KafkaClients::ReaderUse use);
  ~LibrdkafkaConsumer() override;

  base::Status Subscribe(const std::vector<std::string>& topics,
                         RebalanceListener* listener) override;
  base::Status Assign(std::span<const AssignedPartition> partitions) override;
  base::Result<std::unique_ptr<RecordBatch>> Poll(milliseconds timeout,
                                                  size_t records_max) override;
  std::vector<base::TopicPartition> TakeOutOfRange() override;
  base::Status Pause(std::span<const base::TopicPartition> partitions) override;
  base::Status Resume(std::span<const base::TopicPartition> partitions) override;
  base::Status Seek(const Positions& positions) override;
  std::optional<base::Offset> Position(const base::TopicPartition& tp) const override;
  base::Result<Positions> Committed(std::span<const base::TopicPartition> partitions,
                                    milliseconds timeout) override;
  base::Status CommitPositions(const Positions& positions) override;
  std::unique_ptr<GroupMetadata> Group() const override;
  base::Status Leave(milliseconds timeout) override;

 private:
  /// One partition that is read now.
  struct Reading {
    /// Where reading began: Assign()'s or the last Seek()'s.
    std::optional<base::Offset> start;
    bool paused = false;
    /// The position no longer exists; librdkafka has stopped reading until it is assigned anew.
    bool halted = false;
  };

  /// Set by librdkafka's threads when the queue is no longer empty.
  struct Wakeup {
    base::Mutex mutex;
    base::ConditionVariable changed;
    bool set GUARDED_BY(mutex) = false;
  };

  /// On its way into the group for the first time.
  struct Joining {
    rdkafka::PartitionList topics{nullptr};
    /// Set once the join was answered: until when its assignment is waited for.
    std::optional<rdkafka::Deadline> answered;
  };

  LibrdkafkaConsumer(std::shared_ptr<rdkafka::Shared> shared, std::string instance_id)
      : shared_(std::move(shared)), instance_id_(std::move(instance_id)) {}

  static void OnRebalance(rd_kafka_t* handle, rd_kafka_resp_err_t error,
                          rd_kafka_topic_partition_list_t* partitions, void* opaque);
  static void OnError(rd_kafka_t* handle, int error, const char* reason, void* opaque);
  static int OnStatistics(rd_kafka_t* handle, char* json, size_t size, void* opaque);
  static void OnQueueFilled(rd_kafka_t* handle, void* opaque);

  void Rebalance(rd_kafka_resp_err_t error, const rd_kafka_topic_partition_list_t& partitions);
  void JoinAgainWhenStuck();
  base::Status AssignAll();
  base::Status SeekAll(const Positions& positions, const std::set<base::TopicPartition>& to_start);
  base::Status ClearOldPositions();
  std::vector<rd_kafka_message_t*> TakeMessages(size_t records_max);
  void DropAfterErrors(std::vector<rd_kafka_message_t*>* messages);
  void DropAfterRebalance(std::vector<rd_kafka_message_t*>* messages);
  void HandleError(const rd_kafka_message_t& message);
  bool PositionsMoved();
  void WaitForMessages(milliseconds timeout);
  base::Status PauseOrResume(std::span<const base::TopicPartition> partitions, bool pause);
  base::Status FatalStatus() const;
  base::Status Close(milliseconds timeout);

  std::shared_ptr<rdkafka::Shared> shared_;
  std::shared_ptr<rdkafka::Statistics::Client> statistics_;
  std::string instance_id_;
  RebalanceListener* listener_ = nullptr;
  /// From Subscribe() until the first rebalance.
  std::unique_ptr<Joining> joining_;
  std::map<base::TopicPartition, Reading> reading_;
  std::vector<base::TopicPartition> out_of_range_;
  /// Topic names that records of the past point to.
  std::set<std::string, std::less<>> topic_names_;
  /// What Poll() has still to report, after the records that came with it.
  base::Status pending_error_;
  /// The sum of all positions when Poll() last looked: control records move it too.
  int64_t positions_sum_ = 0;
  bool assigned_ = false;
  bool rebalanced_ = false;
  bool fatal_ = false;
  bool left_ = false;
  std::shared_ptr<std::atomic<int>> batches_ = std::make_shared<std::atomic<int>>(0);
  Wakeup wakeup_;
  rdkafka::Handle handle_;
  rdkafka::Queue queue_;
};

}  // namespace pipeline
