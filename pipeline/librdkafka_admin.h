#pragma once

#include <memory>

#include "pipeline/kafka_client.h"
#include "pipeline/librdkafka_handle.h"

namespace pipeline {

/// Questions over one handle of its own; each call waits on a queue of its own. Threads: any.
class LibrdkafkaAdmin : public Admin {
 public:
  static base::Result<std::unique_ptr<Admin>> New(std::shared_ptr<rdkafka::Shared> shared);

  base::Result<std::string> ClusterId(milliseconds timeout) override;
  base::Result<std::map<std::string, TopicDescription>> DescribeTopics(
      std::span<const std::string> names, milliseconds timeout) override;
  base::Status CreateTopics(std::span<const NewTopic> topics, milliseconds timeout) override;
  base::Result<Positions> ListOffsets(std::span<const base::TopicPartition> partitions,
                                      OffsetSpec spec, Isolation isolation,
                                      milliseconds timeout) override;
  base::Result<GroupDescription> DescribeGroup(const std::string& group,
                                               milliseconds timeout) override;
  base::Result<Positions> ListOffsetsAt(std::span<const base::TopicPartition> partitions,
                                        int64_t time_ms, milliseconds timeout) override;
  base::Result<Positions> GroupPositions(const std::string& group,
                                         std::span<const base::TopicPartition> partitions,
                                         milliseconds timeout) override;
  base::Status SetGroupPositions(const std::string& group, const Positions& positions,
                                 milliseconds timeout) override;
  base::Status DeleteGroup(const std::string& group, milliseconds timeout) override;
  base::Status DeleteTopics(std::span<const std::string> names, milliseconds timeout) override;

 private:
  explicit LibrdkafkaAdmin(std::shared_ptr<rdkafka::Shared> shared) : shared_(std::move(shared)) {}

  static void OnError(rd_kafka_t* handle, int error, const char* reason, void* opaque);

  using Topics = std::map<std::string, TopicDescription>;
  void RefreshMetadata(const rdkafka::Deadline& deadline);
  base::Result<Topics> Describe(std::span<const std::string> names, milliseconds timeout);
  base::Result<Topics> DescribeByMetadata(std::span<const std::string> names, milliseconds timeout);
  base::Status AddConfigs(Topics* topics, milliseconds timeout);
  base::Status RequestTopics(std::span<const NewTopic> topics, milliseconds timeout);
  base::Status WaitForTopics(std::span<const NewTopic> topics, milliseconds timeout);
  base::Result<rdkafka::Handle> NewGroupHandle(const std::string& group, Isolation isolation);
  base::Status WaitUntilGone(std::span<const std::string> names, milliseconds timeout);
  base::Result<Positions> AskOffsetsOnce(rd_kafka_topic_partition_list_t* list,
                                         Isolation isolation, milliseconds timeout);
  base::Result<Positions> AskOffsets(rd_kafka_topic_partition_list_t* list, Isolation isolation,
                                     milliseconds timeout);
  base::Result<rdkafka::Event> Await(rd_kafka_queue_t* queue, milliseconds timeout,
                                     std::string_view what);

  std::shared_ptr<rdkafka::Shared> shared_;
  rdkafka::Handle handle_;
};

}  // namespace pipeline
