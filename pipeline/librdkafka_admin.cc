#include "pipeline/librdkafka_admin.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include "pipeline/embedded_broker.h"

namespace pipeline {
namespace {

using rdkafka::Deadline;

// A first try may be at a broker that is dead.
constexpr milliseconds kFirstWait{1500};
constexpr int kMetadataWaitMs = 1500;
constexpr size_t kReasonBytesMax = 512;
/// A request's own time-out fires first, so that its reason is told; this is the reserve.
constexpr milliseconds kAwaitReserve{500};
constexpr milliseconds kTopicPollInterval{20};
/// How long positions may be inside a transaction that is just being ended.
constexpr milliseconds kStableWait{3000};

/// The settings of a topic that Herald looks at.
constexpr std::array kTopicSettings = {
    "cleanup.policy",
    "max.message.bytes",
    "retention.ms",
    "retention.bytes",
    "delete.retention.ms",
    "min.compaction.lag.ms",
    "segment.ms",
    "min.insync.replicas",
    "message.timestamp.type",
    "message.timestamp.after.max.ms",
    "message.timestamp.before.max.ms",
};

rdkafka::AdminOptions NewOptions(rd_kafka_t* handle, rd_kafka_admin_op_t operation,
                                 milliseconds timeout) {
  rdkafka::AdminOptions options(rd_kafka_AdminOptions_new(handle, operation));
  std::array<char, kReasonBytesMax> reason{};
  rd_kafka_AdminOptions_set_request_timeout(options.get(), Deadline(timeout).remaining_ms(),
                                            reason.data(), reason.size());
  return options;
}

/// The group.instance.id of a static member, whose member id is that, "-" and a UUID (KIP-345); of a
/// dynamic one, the first part of its id.
std::string InstanceOf(std::string_view member_id) {
  constexpr size_t kUuidBytes = 36;
  if (member_id.size() <= kUuidBytes) return std::string(member_id);
  return std::string(member_id.substr(0, member_id.size() - kUuidBytes - 1));
}

/// Takes a big-endian number off the front of `in`; false when it is too short.
template <typename Number>
bool TakeNumber(std::string_view& in, Number& number) {
  if (in.size() < sizeof(Number)) return false;
  uint32_t bits = 0;
  for (size_t i = 0; i < sizeof(Number); ++i) bits = bits << 8 | static_cast<uint8_t>(in[i]);
  number = static_cast<Number>(bits);
  in.remove_prefix(sizeof(Number));
  return true;
}

/// Reads a member's assignment as the consumer protocol has it: version, topics with partitions, and
/// what the assignor adds. Nothing at all is no partitions (in the middle of a rebalance).
bool ReadAssignment(std::string_view in, std::vector<base::TopicPartition>& partitions) {
  if (in.empty()) return true;
  int16_t version = 0;
  int32_t topics = 0;
  if (!TakeNumber(in, version) || !TakeNumber(in, topics)) return false;
  for (int32_t t = 0; t < topics; ++t) {
    int16_t size = 0;
    if (!TakeNumber(in, size) || size < 0 || in.size() < static_cast<size_t>(size)) return false;
    const std::string topic(in.substr(0, static_cast<size_t>(size)));
    in.remove_prefix(topic.size());
    int32_t count = 0;
    if (!TakeNumber(in, count)) return false;
    for (int32_t p = 0; p < count; ++p) {
      int32_t partition = 0;
      if (!TakeNumber(in, partition)) return false;
      partitions.push_back({topic, base::Partition{partition}});
    }
  }
  return true;
}

base::Status TopicMissing(const std::string& topic) {
  return base::Status::Unavailable("topic " + topic + " does not show up in the metadata yet");
}

/// The error of a request about a group: what somebody else does in the group stands against it.
base::Status GroupStatus(rd_kafka_resp_err_t error, const std::string& what) {
  switch (error) {
    case RD_KAFKA_RESP_ERR_NON_EMPTY_GROUP:
    case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID:
    case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION:
    case RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS:
      return base::Status::InvalidArgument(what + ": the group has members");
    case RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT:
      return base::Status::InvalidArgument(what + ": an open transaction holds positions of it");
    default:
      return rdkafka::RequestStatus(error, what);
  }
}

}  // namespace

base::Result<std::unique_ptr<Admin>> LibrdkafkaAdmin::New(std::shared_ptr<rdkafka::Shared> shared) {
  auto admin = std::unique_ptr<LibrdkafkaAdmin>(new LibrdkafkaAdmin(shared));
  rdkafka::Callbacks callbacks;
  callbacks.opaque = admin.get();
  callbacks.error = OnError;
  base::Result<rdkafka::Handle> handle =
      rdkafka::NewHandle(*shared, RD_KAFKA_PRODUCER, {{"enable.metrics.push", "false"}}, callbacks);
  if (!handle.ok()) return handle.status();
  admin->handle_ = std::move(handle).value();
  return std::unique_ptr<Admin>(std::move(admin));
}

void LibrdkafkaAdmin::OnError(rd_kafka_t*, int error, const char* reason, void* opaque) {
  static_cast<LibrdkafkaAdmin*>(opaque)->shared_->outage.Note(
      static_cast<rd_kafka_resp_err_t>(error), "admin", reason);
}

base::Result<rdkafka::Event> LibrdkafkaAdmin::Await(rd_kafka_queue_t* queue, milliseconds timeout,
                                                    std::string_view what) {
  rdkafka::Event event(
      rd_kafka_queue_poll(queue, Deadline(timeout + kAwaitReserve).remaining_ms()));
  rd_kafka_poll(handle_.get(), 0);
  if (event == nullptr) {
    return base::Status::Unavailable(std::string(what) + ": no answer in time");
  }
  const rd_kafka_resp_err_t error = rd_kafka_event_error(event.get());
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    base::Status status = rdkafka::RequestStatus(error, what);
    const char* detail = rd_kafka_event_error_string(event.get());
    return detail == nullptr ? status : status.WithContext(detail);
  }
  // Of what goes to many brokers each part has an error of its own: there the caller says.
  if (rd_kafka_event_type(event.get()) != RD_KAFKA_EVENT_LISTOFFSETS_RESULT) {
    shared_->outage.Reached();
  }
  return event;
}

base::Result<std::string> LibrdkafkaAdmin::ClusterId(milliseconds timeout) {
  char* id = rd_kafka_clusterid(handle_.get(), Deadline(timeout).remaining_ms());
  rd_kafka_poll(handle_.get(), 0);
  if (id == nullptr) {
    return base::Status::Unavailable("no broker of " + shared_->options.brokers +
                                     " answered in time");
  }
  std::string copy = id;
  rd_kafka_mem_free(handle_.get(), id);
  return copy;
}

base::Result<std::map<std::string, TopicDescription>> LibrdkafkaAdmin::DescribeTopics(
    std::span<const std::string> names, milliseconds timeout) {
  const Deadline deadline(timeout);
  if (names.empty()) return Topics();
  if (shared_->options.embedded_broker != nullptr) return DescribeByMetadata(names, timeout);
  base::Result<Topics> topics = Describe(names, std::min(timeout, kFirstWait));
  if (!topics.ok() && topics.status().code() == base::StatusCode::kUnavailable) {
    // The request goes to the controller, and librdkafka may go on believing in one that is dead for
    // as long as its metadata lasts.
    RefreshMetadata(deadline);
    topics = Describe(names, deadline.remaining());
  }
  if (topics.ok() && !topics->empty()) {
    RETURN_IF_ERROR(AddConfigs(&topics.value(), deadline.remaining()));
  }
  return topics;
}

/// Whatever broker answers tells who is the controller now, and who leads which partition.
void LibrdkafkaAdmin::RefreshMetadata(const Deadline& deadline) {
  const rd_kafka_metadata_t* metadata = nullptr;
  const int wait_ms = std::min(deadline.remaining_ms(), kMetadataWaitMs);
  if (rd_kafka_metadata(handle_.get(), /*all_topics=*/1, nullptr, &metadata, wait_ms) ==
      RD_KAFKA_RESP_ERR_NO_ERROR) {
    rd_kafka_metadata_destroy(metadata);
  }
}

base::Result<LibrdkafkaAdmin::Topics> LibrdkafkaAdmin::Describe(std::span<const std::string> names,
                                                                milliseconds timeout) {
  std::vector<const char*> pointers;
  for (const std::string& name : names) pointers.push_back(name.c_str());
  const rdkafka::Owned<rd_kafka_TopicCollection_t, rd_kafka_TopicCollection_destroy> collection(
      rd_kafka_TopicCollection_of_topic_names(pointers.data(), pointers.size()));
  const rdkafka::Queue queue(rd_kafka_queue_new(handle_.get()));
  const rdkafka::AdminOptions options =
      NewOptions(handle_.get(), RD_KAFKA_ADMIN_OP_DESCRIBETOPICS, timeout);
  rd_kafka_DescribeTopics(handle_.get(), collection.get(), options.get(), queue.get());
  const base::Result<rdkafka::Event> event = Await(queue.get(), timeout, "describing topics");
  if (!event.ok()) return event.status();

  Topics topics;
  size_t count = 0;
  const rd_kafka_TopicDescription_t** descriptions = rd_kafka_DescribeTopics_result_topics(
      rd_kafka_event_DescribeTopics_result(event->get()), &count);
  for (size_t i = 0; i < count; ++i) {
    TopicDescription topic;
    topic.name = rd_kafka_TopicDescription_name(descriptions[i]);
    const rd_kafka_error_t* error = rd_kafka_TopicDescription_error(descriptions[i]);
    const rd_kafka_resp_err_t code =
        error == nullptr ? RD_KAFKA_RESP_ERR_NO_ERROR : rd_kafka_error_code(error);
    if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) continue;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return rdkafka::RequestStatus(code, "describing topic " + topic.name);
    }
    size_t partitions = 0;
    rd_kafka_TopicDescription_partitions(descriptions[i], &partitions);
    topic.partitions = static_cast<int32_t>(partitions);
    const rd_kafka_Uuid_t* id = rd_kafka_TopicDescription_topic_id(descriptions[i]);
    const char* text = id == nullptr ? nullptr : rd_kafka_Uuid_base64str(id);
    if (text != nullptr) topic.id = text;
    topics.emplace(topic.name, std::move(topic));
  }
  return topics;
}

base::Status LibrdkafkaAdmin::AddConfigs(Topics* topics, milliseconds timeout) {
  using Resource = rdkafka::Owned<rd_kafka_ConfigResource_t, rd_kafka_ConfigResource_destroy>;
  std::vector<Resource> resources;
  std::vector<rd_kafka_ConfigResource_t*> pointers;
  for (const auto& [name, topic] : *topics) {
    resources.emplace_back(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name.c_str()));
    pointers.push_back(resources.back().get());
  }
  const rdkafka::Queue queue(rd_kafka_queue_new(handle_.get()));
  const rdkafka::AdminOptions options =
      NewOptions(handle_.get(), RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, timeout);
  rd_kafka_DescribeConfigs(handle_.get(), pointers.data(), pointers.size(), options.get(),
                           queue.get());
  const base::Result<rdkafka::Event> event =
      Await(queue.get(), timeout, "describing topics' settings");
  if (!event.ok()) return event.status();

  size_t count = 0;
  const rd_kafka_ConfigResource_t** described = rd_kafka_DescribeConfigs_result_resources(
      rd_kafka_event_DescribeConfigs_result(event->get()), &count);
  for (size_t i = 0; i < count; ++i) {
    const std::string name = rd_kafka_ConfigResource_name(described[i]);
    const rd_kafka_resp_err_t error = rd_kafka_ConfigResource_error(described[i]);
    // Not allowed to look: the caller sees no settings, and decides.
    if (error == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) continue;
    if (error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) return TopicMissing(name);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return rdkafka::RequestStatus(error, "describing the settings of topic " + name);
    }
    const auto topic = topics->find(name);
    if (topic == topics->end()) continue;
    size_t entries = 0;
    const rd_kafka_ConfigEntry_t** configs =
        rd_kafka_ConfigResource_configs(described[i], &entries);
    for (size_t j = 0; j < entries; ++j) {
      const std::string_view key = rd_kafka_ConfigEntry_name(configs[j]);
      const char* value = rd_kafka_ConfigEntry_value(configs[j]);
      if (value == nullptr) continue;
      if (std::find(kTopicSettings.begin(), kTopicSettings.end(), key) != kTopicSettings.end()) {
        topic->second.config.emplace(key, value);
      }
      if (key == "max.message.bytes") shared_->batch_limit.LowerTo(std::atoll(value));
    }
  }
  return base::Status::Ok();
}

/// The embedded broker has no request for more.
base::Result<LibrdkafkaAdmin::Topics> LibrdkafkaAdmin::DescribeByMetadata(
    std::span<const std::string> names, milliseconds timeout) {
  const rd_kafka_metadata_t* raw = nullptr;
  const rd_kafka_resp_err_t error =
      rd_kafka_metadata(handle_.get(), 1, nullptr, &raw, Deadline(timeout).remaining_ms());
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return rdkafka::RequestStatus(error, "asking for metadata");
  }
  const rdkafka::Owned<const rd_kafka_metadata_t, rd_kafka_metadata_destroy> metadata(raw);
  Topics topics;
  for (int i = 0; i < metadata->topic_cnt; ++i) {
    const rd_kafka_metadata_topic_t& found = metadata->topics[i];
    if (found.err != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    if (std::find(names.begin(), names.end(), found.topic) == names.end()) continue;
    TopicDescription topic;
    topic.name = found.topic;
    topic.partitions = found.partition_cnt;
    topics.emplace(topic.name, std::move(topic));
  }
  return topics;
}

base::Status LibrdkafkaAdmin::CreateTopics(std::span<const NewTopic> topics, milliseconds timeout) {
  if (topics.empty()) return base::Status::Ok();
  const Deadline deadline(timeout);
  if (EmbeddedBroker* broker = shared_->options.embedded_broker; broker != nullptr) {
    for (const NewTopic& topic : topics) {
      RETURN_IF_ERROR(broker->CreateTopic(topic.name, topic.partitions));
    }
  } else {
    RETURN_IF_ERROR(RequestTopics(topics, timeout));
  }
  return WaitForTopics(topics, deadline.remaining());
}

base::Status LibrdkafkaAdmin::RequestTopics(std::span<const NewTopic> topics,
                                            milliseconds timeout) {
  using Request = rdkafka::Owned<rd_kafka_NewTopic_t, rd_kafka_NewTopic_destroy>;
  std::vector<Request> requests;
  std::vector<rd_kafka_NewTopic_t*> pointers;
  std::array<char, kReasonBytesMax> reason{};
  for (const NewTopic& topic : topics) {
    requests.emplace_back(rd_kafka_NewTopic_new(topic.name.c_str(), topic.partitions,
                                                topic.replication_factor, reason.data(),
                                                reason.size()));
    if (requests.back() == nullptr) {
      return base::Status::Fatal("creating topic " + topic.name + ": " + reason.data());
    }
    pointers.push_back(requests.back().get());
    for (const auto& [name, value] : topic.config) {
      rd_kafka_NewTopic_set_config(pointers.back(), name.c_str(), value.c_str());
    }
  }
  const rdkafka::Queue queue(rd_kafka_queue_new(handle_.get()));
  const rdkafka::AdminOptions options =
      NewOptions(handle_.get(), RD_KAFKA_ADMIN_OP_CREATETOPICS, timeout);
  rd_kafka_AdminOptions_set_operation_timeout(options.get(), Deadline(timeout).remaining_ms(),
                                              reason.data(), reason.size());
  rd_kafka_CreateTopics(handle_.get(), pointers.data(), pointers.size(), options.get(),
                        queue.get());
  const base::Result<rdkafka::Event> event = Await(queue.get(), timeout, "creating topics");
  if (!event.ok()) return event.status();

  size_t count = 0;
  const rd_kafka_topic_result_t** results =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event->get()), &count);
  for (size_t i = 0; i < count; ++i) {
    const rd_kafka_resp_err_t error = rd_kafka_topic_result_error(results[i]);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR || error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
      continue;
    }
    const char* detail = rd_kafka_topic_result_error_string(results[i]);
    return rdkafka::RequestStatus(error, std::string("creating topic ") +
                                             rd_kafka_topic_result_name(results[i]) + ": " +
                                             (detail == nullptr ? "" : detail));
  }
  return base::Status::Ok();
}

/// Brokers hear of a new topic one after the other, its leader possibly last: until then it answers
/// that it is not the leader.
base::Status LibrdkafkaAdmin::WaitForTopics(std::span<const NewTopic> topics,
                                            milliseconds timeout) {
  const Deadline deadline(timeout);
  std::vector<std::string> names;
  std::vector<base::TopicPartition> partitions;
  for (const NewTopic& topic : topics) names.push_back(topic.name);
  while (true) {
    const base::Result<Topics> described = shared_->options.embedded_broker != nullptr
                                               ? DescribeByMetadata(names, deadline.remaining())
                                               : Describe(names, deadline.remaining());
    if (!described.ok()) return described.status();
    const auto missing = std::find_if(names.begin(), names.end(), [&](const std::string& name) {
      const auto found = described->find(name);
      return found == described->end() || found->second.partitions == 0;
    });
    if (missing == names.end()) {
      partitions.clear();
      for (const auto& [name, topic] : *described) {
        for (int32_t i = 0; i < topic.partitions; ++i) {
          partitions.push_back({name, base::Partition{i}});
        }
      }
      const auto answer = ListOffsets(partitions, OffsetSpec::kLatest, Isolation::kReadUncommitted,
                                      deadline.remaining());
      if (answer.ok() || answer.status().code() == base::StatusCode::kFatal) {
        return answer.status();
      }
      if (deadline.passed()) return answer.status();
    } else if (deadline.passed()) {
      return TopicMissing(*missing);
    }
    base::SystemClock::Instance().Pause(kTopicPollInterval);
  }
}

base::Result<Positions> LibrdkafkaAdmin::ListOffsets(
    std::span<const base::TopicPartition> partitions, OffsetSpec spec, Isolation isolation,
    milliseconds timeout) {
  const rdkafka::PartitionList list = rdkafka::NewPartitionList(partitions.size());
  for (const base::TopicPartition& partition : partitions) {
    rdkafka::Add(list.get(), partition)->offset =
        spec == OffsetSpec::kEarliest ? RD_KAFKA_OFFSET_SPEC_EARLIEST : RD_KAFKA_OFFSET_SPEC_LATEST;
  }
  return AskOffsets(list.get(), isolation, timeout);
}

base::Result<Positions> LibrdkafkaAdmin::ListOffsetsAt(
    std::span<const base::TopicPartition> partitions, int64_t time_ms, milliseconds timeout) {
  const rdkafka::PartitionList list = rdkafka::NewPartitionList(partitions.size());
  for (const base::TopicPartition& partition : partitions) {
    // What is below 0 stands for something else; no record is older than 1970.
    rdkafka::Add(list.get(), partition)->offset = std::max<int64_t>(time_ms, 0);
  }
  base::Result<Positions> offsets =
      AskOffsets(list.get(), Isolation::kReadUncommitted, timeout);
  // No such record: the broker says -1.
  if (offsets.ok()) std::erase_if(*offsets, [](const auto& one) { return one.second.value < 0; });
  return offsets;
}

base::Result<Positions> LibrdkafkaAdmin::AskOffsets(rd_kafka_topic_partition_list_t* list,
                                                    Isolation isolation, milliseconds timeout) {
  if (list->cnt == 0) return Positions();
  const Deadline deadline(timeout);
  base::Result<Positions> offsets =
      AskOffsetsOnce(list, isolation, std::min(timeout, kFirstWait));
  if (offsets.ok() || offsets.status().code() != base::StatusCode::kUnavailable ||
      deadline.passed()) {
    return offsets;
  }
  // librdkafka may go on asking a leader that is dead, or have kept from an outage that there is
  // none, for as long as its metadata lasts.
  RefreshMetadata(deadline);
  return deadline.passed() ? std::move(offsets)
                           : AskOffsetsOnce(list, isolation, deadline.remaining());
}

base::Result<Positions> LibrdkafkaAdmin::AskOffsetsOnce(rd_kafka_topic_partition_list_t* list,
                                                        Isolation isolation,
                                                        milliseconds timeout) {
  Positions offsets;
  const rdkafka::Queue queue(rd_kafka_queue_new(handle_.get()));
  const rdkafka::AdminOptions options =
      NewOptions(handle_.get(), RD_KAFKA_ADMIN_OP_LISTOFFSETS, timeout);
  const rdkafka::Error refused(rd_kafka_AdminOptions_set_isolation_level(
      options.get(), isolation == Isolation::kReadCommitted
                         ? RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED
                         : RD_KAFKA_ISOLATION_LEVEL_READ_UNCOMMITTED));
  if (refused != nullptr) return base::Status::Fatal(rd_kafka_error_string(refused.get()));
  rd_kafka_ListOffsets(handle_.get(), list, options.get(), queue.get());
  std::string what = "listing offsets of " + rdkafka::ToTopicPartition(list->elems[0]).ToString();
  if (list->cnt > 1) what += " and " + std::to_string(list->cnt - 1) + " more";
  const base::Result<rdkafka::Event> event = Await(queue.get(), timeout, what);
  if (!event.ok()) return event.status();

  size_t count = 0;
  const rd_kafka_ListOffsetsResultInfo_t** infos =
      rd_kafka_ListOffsets_result_infos(rd_kafka_event_ListOffsets_result(event->get()), &count);
  for (size_t i = 0; i < count; ++i) {
    const rd_kafka_topic_partition_t& element =
        *rd_kafka_ListOffsetsResultInfo_topic_partition(infos[i]);
    const base::TopicPartition partition = rdkafka::ToTopicPartition(element);
    if (element.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return rdkafka::RequestStatus(element.err, "listing offsets of " + partition.ToString());
    }
    // So says librdkafka 2.8.0, without an error, of a partition whose leader did not answer. Taken
    // for an offset, a changelog would end before it began: there would be nothing to restore.
    if (element.offset == RD_KAFKA_OFFSET_INVALID) {
      return base::Status::Unavailable("listing offsets of " + partition.ToString() +
                                       ": its leader did not answer");
    }
    offsets.emplace(partition, base::Offset{element.offset});
  }
  if (offsets.size() != static_cast<size_t>(list->cnt)) {
    return base::Status::Unavailable(what + ": not all were answered");
  }
  shared_->outage.Reached();
  return offsets;
}

/// By the older of librdkafka's two ways to ask. The newer one, DescribeConsumerGroups, aborts the
/// process (librdkafka 2.8.0: "eonce->refcnt > 0") when a request to a coordinator that was away is
/// answered after its time-out.
/// The request goes to every broker that the handle has ever heard of, and one that refuses the
/// connection fails it whole: while a broker is dead this says Unavailable. (A fresh handle would hear of
/// the living alone, but to destroy one after a list_groups() that failed frees memory twice in 2.8.0.)
base::Result<GroupDescription> LibrdkafkaAdmin::DescribeGroup(const std::string& group,
                                                              milliseconds timeout) {
  const rd_kafka_group_list* found = nullptr;
  const rd_kafka_resp_err_t error = rd_kafka_list_groups(handle_.get(), group.c_str(), &found,
                                                         Deadline(timeout).remaining_ms());
  const rdkafka::Owned<const rd_kafka_group_list, rd_kafka_group_list_destroy> list(found);
  rd_kafka_poll(handle_.get(), 0);
  const std::string what = "describing group " + group;
  const bool partial = error == RD_KAFKA_RESP_ERR__PARTIAL;
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR && !partial) return rdkafka::RequestStatus(error, what);
  shared_->outage.Reached();
  GroupDescription description;
  description.stable = true;
  bool is_there = false;
  for (int i = 0; i < list->group_cnt; ++i) {
    const rd_kafka_group_info& info = list->groups[i];
    if (info.group != group) continue;
    is_there = true;
    if (info.err != RD_KAFKA_RESP_ERR_NO_ERROR) return rdkafka::RequestStatus(info.err, what);
    const std::string_view state = info.state == nullptr ? "" : info.state;
    description.stable = state == "Stable" || state == "Empty" || state == "Dead";
    for (int m = 0; m < info.member_cnt; ++m) {
      const rd_kafka_group_member_info& from = info.members[m];
      GroupMember member;
      member.group_instance_id = InstanceOf(from.member_id);
      const std::string_view assignment(static_cast<const char*>(from.member_assignment),
                                        static_cast<size_t>(from.member_assignment_size));
      if (!ReadAssignment(assignment, member.partitions)) {
        return base::Status::Unavailable(what + ": an assignment that cannot be read");
      }
      description.members.push_back(std::move(member));
    }
  }
  if (partial && !is_there) {
    return base::Status::Unavailable(what + ": the broker that may have it did not answer");
  }
  return description;
}

/// A consumer that joins nothing. The requests that librdkafka has for this on any handle crash it
/// (2.8.0, ListConsumerGroupOffsets: a null group is asked to look for its coordinator again) as soon
/// as the coordinator is another than was known, as on a cluster that never had a group.
base::Result<rdkafka::Handle> LibrdkafkaAdmin::NewGroupHandle(const std::string& group,
                                                              Isolation isolation) {
  rdkafka::Callbacks callbacks;
  callbacks.opaque = this;
  callbacks.error = OnError;
  base::Result<rdkafka::Handle> handle = rdkafka::NewHandle(
      *shared_, RD_KAFKA_CONSUMER,
      {{"group.id", group},
       {"enable.auto.commit", "false"},
       {"enable.metrics.push", "false"},
       {"isolation.level",
        isolation == Isolation::kReadCommitted ? "read_committed" : "read_uncommitted"}},
      callbacks);
  if (handle.ok()) rd_kafka_poll_set_consumer(handle->get());
  return handle;
}

base::Result<Positions> LibrdkafkaAdmin::GroupPositions(
    const std::string& group, std::span<const base::TopicPartition> partitions,
    milliseconds timeout) {
  Positions positions;
  if (partitions.empty()) return positions;
  const Deadline deadline(timeout);
  const std::string what = "asking for the positions of group " + group;
  // A reader of committed records is only told when no transaction is open on them; it asks again
  // until its time is over. Another reader's answer then shows that this was the reason.
  rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
  for (const Isolation isolation : {Isolation::kReadCommitted, Isolation::kReadUncommitted}) {
    const base::Result<rdkafka::Handle> handle = NewGroupHandle(group, isolation);
    if (!handle.ok()) return handle.status();
    const rdkafka::PartitionList list = rdkafka::NewPartitionList(partitions.size());
    for (const base::TopicPartition& partition : partitions) rdkafka::Add(list.get(), partition);
    const milliseconds left = isolation == Isolation::kReadCommitted
                                  ? std::min(deadline.remaining(), kStableWait)
                                  : deadline.remaining();
    rd_kafka_resp_err_t failed =
        rd_kafka_committed(handle->get(), list.get(), Deadline(left).remaining_ms());
    for (int i = 0; i < list->cnt && failed == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
      failed = list->elems[i].err;
      if (list->elems[i].offset < 0) continue;
      positions[rdkafka::ToTopicPartition(list->elems[i])] = base::Offset{list->elems[i].offset};
    }
    if (failed == RD_KAFKA_RESP_ERR_NO_ERROR) {
      if (isolation == Isolation::kReadCommitted) return positions;
      return GroupStatus(RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT, what);
    }
    error = failed;
    if (rdkafka::IsRefusal(error)) break;
  }
  return GroupStatus(error, what);
}

base::Status LibrdkafkaAdmin::SetGroupPositions(const std::string& group,
                                                const Positions& positions, milliseconds) {
  if (positions.empty()) return base::Status::Ok();
  const base::Result<rdkafka::Handle> handle =
      NewGroupHandle(group, Isolation::kReadCommitted);
  if (!handle.ok()) return handle.status();
  const rdkafka::PartitionList list = rdkafka::ToList(positions);
  rd_kafka_resp_err_t error = rd_kafka_commit(handle->get(), list.get(), 0);
  for (int i = 0; i < list->cnt && error == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
    error = list->elems[i].err;
  }
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return base::Status::Ok();
  return GroupStatus(error, "setting the positions of group " + group);
}

base::Status LibrdkafkaAdmin::DeleteGroup(const std::string& group, milliseconds timeout) {
  using Request = rdkafka::Owned<rd_kafka_DeleteGroup_t, rd_kafka_DeleteGroup_destroy>;
  const std::string what = "deleting group " + group;
  const Request request(rd_kafka_DeleteGroup_new(group.c_str()));
  const rdkafka::Queue queue(rd_kafka_queue_new(handle_.get()));
  const rdkafka::AdminOptions options =
      NewOptions(handle_.get(), RD_KAFKA_ADMIN_OP_DELETEGROUPS, timeout);
  rd_kafka_DeleteGroup_t* pointer = request.get();
  rd_kafka_DeleteGroups(handle_.get(), &pointer, 1, options.get(), queue.get());
  const base::Result<rdkafka::Event> event = Await(queue.get(), timeout, what);
  if (!event.ok()) return event.status();
  size_t count = 0;
  const rd_kafka_group_result_t** results =
      rd_kafka_DeleteGroups_result_groups(rd_kafka_event_DeleteGroups_result(event->get()), &count);
  for (size_t i = 0; i < count; ++i) {
    const rd_kafka_error_t* error = rd_kafka_group_result_error(results[i]);
    if (error == nullptr) continue;
    const rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND) {
      continue;
    }
    return GroupStatus(code, what);
  }
  return base::Status::Ok();
}

base::Status LibrdkafkaAdmin::DeleteTopics(std::span<const std::string> names,
                                           milliseconds timeout) {
  if (names.empty()) return base::Status::Ok();
  const Deadline deadline(timeout);
  using Request = rdkafka::Owned<rd_kafka_DeleteTopic_t, rd_kafka_DeleteTopic_destroy>;
  std::vector<Request> requests;
  std::vector<rd_kafka_DeleteTopic_t*> pointers;
  for (const std::string& name : names) {
    requests.emplace_back(rd_kafka_DeleteTopic_new(name.c_str()));
    pointers.push_back(requests.back().get());
  }
  const rdkafka::Queue queue(rd_kafka_queue_new(handle_.get()));
  const rdkafka::AdminOptions options =
      NewOptions(handle_.get(), RD_KAFKA_ADMIN_OP_DELETETOPICS, timeout);
  std::array<char, kReasonBytesMax> reason{};
  rd_kafka_AdminOptions_set_operation_timeout(options.get(), Deadline(timeout).remaining_ms(),
                                              reason.data(), reason.size());
  rd_kafka_DeleteTopics(handle_.get(), pointers.data(), pointers.size(), options.get(),
                        queue.get());
  const base::Result<rdkafka::Event> event = Await(queue.get(), timeout, "deleting topics");
  if (!event.ok()) return event.status();
  size_t count = 0;
  const rd_kafka_topic_result_t** results =
      rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event->get()), &count);
  for (size_t i = 0; i < count; ++i) {
    const rd_kafka_resp_err_t error = rd_kafka_topic_result_error(results[i]);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR || error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
      continue;
    }
    const std::string what =
        std::string("deleting topic ") + rd_kafka_topic_result_name(results[i]);
    if (error == RD_KAFKA_RESP_ERR_TOPIC_DELETION_DISABLED) {
      return base::Status::Fatal(what + ": " + rdkafka::ErrorText(error));
    }
    return rdkafka::RequestStatus(error, what);
  }
  return WaitUntilGone(names, deadline.remaining());
}

/// Brokers hear of it one after the other; who asks one that has not would find the topic there.
base::Status LibrdkafkaAdmin::WaitUntilGone(std::span<const std::string> names,
                                            milliseconds timeout) {
  const Deadline deadline(timeout);
  while (true) {
    const base::Result<Topics> described = Describe(names, deadline.remaining());
    if (!described.ok()) return described.status();
    if (described->empty()) return base::Status::Ok();
    if (deadline.passed()) {
      return base::Status::Unavailable("topic " + described->begin()->first +
                                       " is deleted but still shows up in the metadata");
    }
    base::SystemClock::Instance().Pause(kTopicPollInterval);
  }
}

}  // namespace pipeline
