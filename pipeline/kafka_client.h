#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/status.h"
#include "pipeline/record.h"

/// The seam to Kafka: nothing outside pipeline/librdkafka_* and the embedded broker knows librdkafka.
/// The in-memory twin is tests/support/fake_kafka.h.
namespace pipeline {

using std::chrono::milliseconds;
using base::Positions;

/// Records of one poll, in order per partition. Owns the memory that they view.
class RecordBatch {
 public:
  virtual ~RecordBatch() = default;
  virtual size_t size() const = 0;
  /// REQUIRES: index < size().
  virtual const RawRecord& record(size_t index) const = 0;
  /// Copies the headers; most records' headers are never looked at.
  virtual Headers ReadHeaders(size_t index) const = 0;
};

/// What the group does with a consumer. Called from within Consumer::Poll() and Consumer::Leave().
class RebalanceListener {
 public:
  virtual ~RebalanceListener() = default;
  /// The consumer's whole new share. The listener calls Consumer::Assign() before it returns.
  virtual void OnAssigned(const std::vector<base::TopicPartition>& partitions) = 0;
  /// All of the consumer's share goes (eager protocol). The listener commits what it can within
  /// its budget; the consumer's assignment is cleared after it returns.
  virtual void OnRevoked(const std::vector<base::TopicPartition>& partitions) = 0;
  /// As OnRevoked, but the partitions may already be another's: commit nothing.
  virtual void OnLost(const std::vector<base::TopicPartition>& partitions) = 0;
};

/// The group generation that a transaction's offsets are checked against (KIP-447). Take it from
/// the consumer afresh for each transaction.
class GroupMetadata {
 public:
  virtual ~GroupMetadata() = default;
};

struct AssignedPartition {
  base::TopicPartition partition;
  /// Where to read from; nullopt: from the earliest record there is.
  std::optional<base::Offset> start;
  bool paused = false;
};

/// Reads records: as a group member (Subscribe) or by hand (Assign alone). Reads committed records
/// only. Threads: one, the creator's or whoever it was handed to.
class Consumer {
 public:
  virtual ~Consumer() = default;  ///< Does not leave the group and commits nothing: as a crash.

  /// Joins the group. `listener` outlives the consumer. REQUIRES: made with a group.
  virtual base::Status Subscribe(const std::vector<std::string>& topics,
                                 RebalanceListener* listener) = 0;

  /// Replaces what is read. In a group: from OnAssigned() only, with exactly its partitions.
  virtual base::Status Assign(std::span<const AssignedPartition> partitions) = 0;

  /// Waits up to `timeout` for at least one record and returns those that are there, at most
  /// `records_max`; an empty batch when there are none. Serves the group: call it at least every
  /// `max.poll.interval.ms`.
  /// Errors: Unavailable when brokers cannot be reached (try again); Internal when somebody has taken
  /// over this instance id (another process, or an older request of this consumer's): make it again,
  /// but not for ever; Lost when the membership is gone and the consumer must be made
  /// again. A partition whose position no longer exists is not an error of Poll: see
  /// TakeOutOfRange().
  virtual base::Result<std::unique_ptr<RecordBatch>> Poll(milliseconds timeout,
                                                          size_t records_max) = 0;

  /// Partitions whose position the broker no longer has; they stand still until Seek().
  virtual std::vector<base::TopicPartition> TakeOutOfRange() = 0;

  virtual base::Status Pause(std::span<const base::TopicPartition> partitions) = 0;
  virtual base::Status Resume(std::span<const base::TopicPartition> partitions) = 0;

  /// Moves assigned partitions; records already fetched from the old place are dropped.
  virtual base::Status Seek(const Positions& positions) = 0;

  /// The next offset to read of an assigned partition, past control records; nullopt before the
  /// first record or control record was seen since Assign() or Seek().
  virtual std::optional<base::Offset> Position(const base::TopicPartition& tp) const = 0;

  /// The group's committed positions; partitions without one are absent. Waits while another
  /// transaction holds uncommitted offsets of these partitions, up to `timeout` (then Unavailable).
  virtual base::Result<Positions> Committed(std::span<const base::TopicPartition> partitions,
                                            milliseconds timeout) = 0;

  /// Commits positions outside of a transaction (at least once) and waits for the answer.
  virtual base::Status CommitPositions(const Positions& positions) = 0;

  virtual std::unique_ptr<GroupMetadata> Group() const = 0;

  /// Leaves the group so that others take over at once: serves OnRevoked(), then closes. No other
  /// call is allowed after it. Gives up after `timeout`.
  virtual base::Status Leave(milliseconds timeout) = 0;
};

struct OutgoingRecord {
  std::string_view topic;
  base::Partition partition;
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  /// Borrowed for the call; nullptr: none.
  const Headers* headers = nullptr;
  /// Comes back in RefusedRecord, so that the sender knows what it was.
  uint64_t tag = 0;
};

/// A record that the broker will never take as it is.
struct RefusedRecord {
  std::string topic;
  base::Partition partition;
  uint64_t tag = 0;
  std::string reason;
  /// Not for what is in it (too large), but for the time that we wrote it at: a clock is wrong.
  bool by_its_time = false;
};

/// Writes records for one stream thread, in transactions when made with a transactional id.
///
/// Error codes say what to do: Unavailable from a transactional call means abort and replay; Lost
/// means this producer is finished (fenced, or in an unknown state): destroy it, close the tasks
/// dirty, make a new one, InitTransactions().
///
/// Threads: one.
class Producer {
 public:
  virtual ~Producer() = default;  ///< Aborts nothing and flushes nothing: as a crash.

  /// Fences and finishes what an earlier producer of this id left open. Unavailable: try again.
  virtual base::Status InitTransactions(milliseconds timeout) = 0;
  virtual base::Status BeginTransaction() = 0;

  /// Queues a record; copies its bytes. Waits for room in the bounded queue.
  /// Errors: InvalidArgument when it is larger than the client's limit (nothing was queued);
  /// Unavailable / Lost as above.
  virtual base::Status Produce(const OutgoingRecord& record) = 0;

  /// Adds input positions to the transaction.
  virtual base::Status SendPositions(const Positions& positions, const GroupMetadata& group,
                                     milliseconds timeout) = 0;

  /// Flushes and commits; ok means committed. Unavailable: certainly not committed, abort and
  /// replay. Lost: fenced, or the answer is unknown and the broker decides.
  virtual base::Status CommitTransaction(milliseconds timeout) = 0;
  virtual base::Status AbortTransaction(milliseconds timeout) = 0;

  /// Waits until every queued record has its delivery report (at least once).
  /// Unavailable: not within `timeout`, or a record was not delivered.
  virtual base::Status Flush(milliseconds timeout) = 0;

  /// The highest offset reported delivered to `tp` since BeginTransaction() (or since the last
  /// call of Flush() before this one); nullopt: none.
  virtual std::optional<base::Offset> LastDelivered(const base::TopicPartition& tp) const = 0;

  /// Records refused for good since the last call. A transaction with one cannot commit.
  virtual std::vector<RefusedRecord> TakeRefused() = 0;

  /// Lets the client tell what it has to tell; to be called now and then while nothing is produced.
  virtual void ServeEvents() {}
};

/// Writes single records for other threads (HTTP): idempotent, acks=all. Threads: any.
class AsyncProducer {
 public:
  virtual ~AsyncProducer() = default;

  /// Called once, on a thread of the producer's; must not block.
  using Delivered = std::function<void(base::Result<base::Offset>)>;

  /// Errors in the callback: InvalidArgument (too large for the topic), Unavailable (not reachable
  /// within the delivery time-out, or the bounded queue is full).
  virtual void Produce(std::string_view topic, base::Partition partition,
                       std::optional<std::string_view> key, std::optional<std::string_view> value,
                       const Headers& headers, Delivered delivered) = 0;
  /// A record without headers.
  void Produce(std::string_view topic, base::Partition partition,
               std::optional<std::string_view> key, std::optional<std::string_view> value,
               Delivered delivered) {
    Produce(topic, partition, key, value, Headers(), std::move(delivered));
  }

  /// Waits for all that is queued.
  virtual base::Status Flush(milliseconds timeout) = 0;
};

struct NewTopic {
  std::string name;
  int32_t partitions = 1;
  int32_t replication_factor = 1;
  std::map<std::string, std::string> config;
};

struct TopicDescription {
  std::string name;
  /// Kafka's own id of this incarnation of the topic (KIP-516), as text; empty when unknown.
  std::string id;
  int32_t partitions = 0;
  /// The settings that we check, e.g. "cleanup.policy"; empty when the broker does not tell.
  std::map<std::string, std::string> config;
};

enum class OffsetSpec { kEarliest, kLatest };
enum class Isolation { kReadCommitted, kReadUncommitted };

/// A member of a consumer group as its coordinator has it.
struct GroupMember {
  /// Its stable name (KIP-345); empty for a dynamic member.
  std::string group_instance_id;
  std::vector<base::TopicPartition> partitions;
};

struct GroupDescription {
  /// False in the middle of a rebalance: then the members' shares say nothing.
  bool stable = false;
  std::vector<GroupMember> members;
};

/// Questions to the cluster. Threads: any. Errors: Unavailable when brokers cannot be reached within
/// the time-out; Fatal when they refuse (authorisation, invalid request).
class Admin {
 public:
  virtual ~Admin() = default;

  virtual base::Result<std::string> ClusterId(milliseconds timeout) = 0;
  /// Topics that do not exist are absent from the result.
  virtual base::Result<std::map<std::string, TopicDescription>> DescribeTopics(
      std::span<const std::string> names, milliseconds timeout) = 0;
  /// A topic that exists already is not an error. Returns when metadata shows them all.
  virtual base::Status CreateTopics(std::span<const NewTopic> topics, milliseconds timeout) = 0;
  virtual base::Result<Positions> ListOffsets(std::span<const base::TopicPartition> partitions,
                                              OffsetSpec spec, Isolation isolation,
                                              milliseconds timeout) = 0;
  /// A group that nobody has joined is stable and has no members. Classic protocol only. The
  /// embedded broker cannot answer (Fatal).
  virtual base::Result<GroupDescription> DescribeGroup(const std::string& group,
                                                       milliseconds timeout) = 0;

  // --- what an application's reset asks for; the embedded broker cannot answer (Fatal)
  /// The offset of the first record whose timestamp is `time_ms` or later; a partition without one
  /// is absent.
  virtual base::Result<Positions> ListOffsetsAt(std::span<const base::TopicPartition> partitions,
                                                int64_t time_ms, milliseconds timeout) = 0;
  /// What the group has committed of these partitions; those without a position are absent.
  /// Errors: InvalidArgument while an open transaction holds positions of one.
  virtual base::Result<Positions> GroupPositions(const std::string& group,
                                                 std::span<const base::TopicPartition> partitions,
                                                 milliseconds timeout) = 0;
  /// Commits for a group without members, which is made when it does not exist.
  /// Errors: InvalidArgument when the group has members.
  virtual base::Status SetGroupPositions(const std::string& group, const Positions& positions,
                                         milliseconds timeout) = 0;
  /// Deletes the group and all that it has committed. One that does not exist is not an error.
  /// Errors: InvalidArgument when the group has members.
  virtual base::Status DeleteGroup(const std::string& group, milliseconds timeout) = 0;
  /// A topic that does not exist is not an error. Returns when metadata shows none of them.
  virtual base::Status DeleteTopics(std::span<const std::string> names, milliseconds timeout) = 0;
};

/// Makes clients of one cluster. Threads: any; it outlives what it made.
class KafkaClients {
 public:
  virtual ~KafkaClients() = default;

  struct GroupOptions {
    std::string group_id;
    /// Static membership (KIP-345).
    std::string group_instance_id;
    milliseconds session_timeout{10000};
    /// At least `session_timeout`.
    milliseconds max_poll_interval{300000};
  };
  virtual base::Result<std::unique_ptr<Consumer>> NewGroupConsumer(const GroupOptions& options) = 0;
  enum class ReaderUse {
    /// To an end that is known, partitions come and go: never long without looking at what is new.
    kCatchUp,
    /// For good, mostly without news: asks the brokers seldom, and has a record at once all the same.
    kFollow,
  };
  /// Reads by Assign() alone: changelogs, global tables.
  virtual base::Result<std::unique_ptr<Consumer>> NewReader(ReaderUse use) = 0;
  virtual base::Result<std::unique_ptr<Producer>> NewTransactionalProducer(
      const std::string& transactional_id) = 0;
  /// Idempotent, without transactions.
  virtual base::Result<std::unique_ptr<Producer>> NewProducer() = 0;
  virtual base::Result<std::unique_ptr<AsyncProducer>> NewAsyncProducer() = 0;
  virtual Admin& admin() = 0;

  /// Brings the metrics of the clients up to date. Threads: one.
  virtual void UpdateMetrics() {}
};

}  // namespace pipeline
