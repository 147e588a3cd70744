#include <array>
#include <utility>

#include "base/check.h"
#include "pipeline/librdkafka_consumer.h"

/// The consumer as a member of its group.
namespace pipeline {
namespace {

using rdkafka::Deadline;
using rdkafka::PartitionList;

constexpr size_t kDrainRecords = 1000;
constexpr int kLeavePollMs = 50;

std::vector<base::TopicPartition> ToVector(const rd_kafka_topic_partition_list_t& list) {
  std::vector<base::TopicPartition> partitions;
  partitions.reserve(static_cast<size_t>(list.cnt));
  for (int i = 0; i < list.cnt; ++i) {
    partitions.push_back(rdkafka::ToTopicPartition(list.elems[i]));
  }
  return partitions;
}

/// Serves callbacks of `queue` for up to `timeout_ms` and destroys what comes.
void Drain(rd_kafka_queue_t* queue, int timeout_ms) {
  std::array<rd_kafka_message_t*, kDrainRecords> messages{};
  const ssize_t count =
      rd_kafka_consume_batch_queue(queue, timeout_ms, messages.data(), messages.size());
  for (ssize_t i = 0; i < count; ++i) {
    rd_kafka_message_destroy(messages[static_cast<size_t>(i)]);
  }
}

}  // namespace

void LibrdkafkaConsumer::OnRebalance(rd_kafka_t*, rd_kafka_resp_err_t error,
                                     rd_kafka_topic_partition_list_t* partitions, void* opaque) {
  static_cast<LibrdkafkaConsumer*>(opaque)->Rebalance(error, *partitions);
}

void LibrdkafkaConsumer::Rebalance(rd_kafka_resp_err_t error,
                                   const rd_kafka_topic_partition_list_t& partitions) {
  rebalanced_ = true;
  joining_.reset();
  if (error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
    assigned_ = false;
    if (listener_ != nullptr && !left_) {
      listener_->OnAssigned(ToVector(partitions));
      CHECK(assigned_, "OnAssigned() calls Assign()");
    } else {
      rd_kafka_assign(handle_.get(), nullptr);
    }
    return;
  }
  if (listener_ != nullptr) {
    const bool ours = error == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS &&
                      rd_kafka_assignment_lost(handle_.get()) == 0;
    if (ours) {
      listener_->OnRevoked(ToVector(partitions));
    } else {
      listener_->OnLost(ToVector(partitions));
    }
  }
  reading_.clear();
  out_of_range_.clear();
  rd_kafka_assign(handle_.get(), nullptr);
}

void LibrdkafkaConsumer::OnError(rd_kafka_t*, int code, const char* reason, void* opaque) {
  auto& consumer = *static_cast<LibrdkafkaConsumer*>(opaque);
  const auto error = static_cast<rd_kafka_resp_err_t>(code);
  // That brokers are away is no error of Poll(): librdkafka goes on trying, and what is open may
  // still get through.
  consumer.shared_->outage.Note(error, "consumer", reason);
  if (error == RD_KAFKA_RESP_ERR__FATAL) consumer.fatal_ = true;
  if (rdkafka::IsRefusal(error)) consumer.pending_error_ = rdkafka::FatalStatusOf(error, reason);
}

int LibrdkafkaConsumer::OnStatistics(rd_kafka_t*, char* json, size_t size, void* opaque) {
  static_cast<LibrdkafkaConsumer*>(opaque)->statistics_->Put({json, size});
  return 0;
}

base::Status LibrdkafkaConsumer::FatalStatus() const {
  std::array<char, 512> reason{};
  const rd_kafka_resp_err_t error =
      rd_kafka_fatal_error(handle_.get(), reason.data(), reason.size());
  if (error == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID) {
    // Not always another process: after its session time-out librdkafka joins anew with each try, and
    // a try whose answer was lost with a broker is fenced by the next one.
    return base::Status::Internal("the group instance id \"" + instance_id_ +
                                  "\" was taken over, by another process or by an older request of "
                                  "this one");
  }
  return rdkafka::FatalStatusOf(error, reason.data());
}

base::Result<Positions> LibrdkafkaConsumer::Committed(
    std::span<const base::TopicPartition> partitions, milliseconds timeout) {
  Positions committed;
  if (partitions.empty()) return committed;
  PartitionList list = rdkafka::NewPartitionList(partitions.size());
  for (const base::TopicPartition& partition : partitions) rdkafka::Add(list.get(), partition);
  const rd_kafka_resp_err_t error =
      rd_kafka_committed(handle_.get(), list.get(), Deadline(timeout).remaining_ms());
  if (error == RD_KAFKA_RESP_ERR__FATAL) return FatalStatus();
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return rdkafka::RequestStatus(error, "asking for committed positions");
  }
  for (int i = 0; i < list->cnt; ++i) {
    const rd_kafka_topic_partition_t& element = list->elems[i];
    const base::TopicPartition partition = rdkafka::ToTopicPartition(element);
    if (element.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return rdkafka::RequestStatus(element.err,
                                    "asking for the committed position of " + partition.ToString());
    }
    if (element.offset >= 0) committed.emplace(partition, base::Offset{element.offset});
  }
  return committed;
}

base::Status LibrdkafkaConsumer::CommitPositions(const Positions& positions) {
  if (positions.empty()) return base::Status::Ok();
  const PartitionList list = rdkafka::ToList(positions);
  rd_kafka_resp_err_t error = rd_kafka_commit(handle_.get(), list.get(), 0);
  for (int i = 0; i < list->cnt && error == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
    error = list->elems[i].err;
  }
  switch (error) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
      return base::Status::Ok();
    case RD_KAFKA_RESP_ERR__FATAL:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
      return FatalStatus();
    case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID:
    case RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST:
      return base::Status::Lost("committing positions: " + rdkafka::ErrorText(error));
    default:
      return rdkafka::RequestStatus(error, "committing positions");
  }
}

std::unique_ptr<GroupMetadata> LibrdkafkaConsumer::Group() const {
  return std::make_unique<LibrdkafkaGroupMetadata>(rd_kafka_consumer_group_metadata(handle_.get()));
}

base::Status LibrdkafkaConsumer::Leave(milliseconds timeout) {
  const Deadline deadline(timeout);
  left_ = true;
  // A plain close does not leave the group for a static member; to unsubscribe does, once the
  // revoke that follows has been served.
  rd_kafka_unsubscribe(handle_.get());
  do {
    Drain(queue_.get(), std::min(deadline.remaining_ms(), kLeavePollMs));
  } while (!reading_.empty() && !deadline.passed());
  return Close(deadline.remaining());
}

/// Waits for the answer to our leaving, while brokers may be away.
base::Status LibrdkafkaConsumer::Close(milliseconds timeout) {
  const Deadline deadline(timeout);
  const rdkafka::Queue queue(rd_kafka_queue_new(handle_.get()));
  const rdkafka::Error error(rd_kafka_consumer_close_queue(handle_.get(), queue.get()));
  if (error != nullptr) {
    return rdkafka::RequestStatus(rd_kafka_error_code(error.get()), "leaving the group");
  }
  while (rd_kafka_consumer_closed(handle_.get()) == 0) {
    if (deadline.passed()) {
      return base::Status::Unavailable("leaving the group: no answer in time");
    }
    Drain(queue.get(), std::min(deadline.remaining_ms(), kLeavePollMs));
  }
  return base::Status::Ok();
}

}  // namespace pipeline
