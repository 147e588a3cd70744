#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/status.h"
#include "pipeline/kafka_client.h"
#include "tests/support/fake_log.h"

/// The in-memory twin of the Kafka seam: same contract, no threads, no waiting, and trouble on
/// demand. One FakeCluster stands for the brokers and outlives its clients; one FakeClients stands
/// for one incarnation of a process.
namespace support {

class FakeBroker;
struct Incarnation;

/// The cluster: what is on it survives every crash of its clients.
///
/// The same seed and the same calls give the same results: how many records a poll returns, in what
/// order of partitions, when a queued record leaves the producer, how long a marker takes.
/// Threads: any; deterministic with one.
class FakeCluster {
 public:
  struct Options {
    uint64_t seed = 1;
    /// Gives broker timestamps. Borrowed; null: a clock of the twin's own that stands still.
    const base::Clock* clock = nullptr;
    /// Moved by a Poll() that finds nothing, by its time-out. Borrowed; null: time stands still,
    /// and such a Poll() gives way to other threads.
    base::ManualClock* poll_clock = nullptr;
  };

  FakeCluster() : FakeCluster(Options()) {}
  explicit FakeCluster(const Options& options);
  ~FakeCluster();
  FakeCluster(const FakeCluster&) = delete;
  FakeCluster& operator=(const FakeCluster&) = delete;

  // --- topics, as somebody else's admin client and producer
  /// A topic that exists stays as it is.
  void CreateTopic(const std::string& name, int32_t partitions,
                   const std::map<std::string, std::string>& config = {});
  /// Deletes the topic and makes an empty one of the same name, with another id.
  void RecreateTopic(const std::string& name);
  /// Groups that read it rebalance.
  void GrowTopic(const std::string& name, int32_t partitions_more);
  void SetClusterId(const std::string& id);

  /// Writes a committed record. `timestamp_ms`: the clock's when absent. REQUIRES: the topic
  /// exists.
  base::Offset Append(const std::string& topic, base::Partition partition,
                      std::optional<std::string> key, std::optional<std::string> value,
                      pipeline::Headers headers = {}, std::optional<int64_t> timestamp_ms = {});

  // --- what lies there
  /// By partition, then offset: what a read_committed reader would see.
  std::vector<StoredRecord> CommittedRecords(const std::string& topic) const;
  /// The same, with open and aborted records.
  std::vector<StoredRecord> AllRecords(const std::string& topic) const;
  base::Offset LogStart(const base::TopicPartition& tp) const;
  base::Offset LogEnd(const base::TopicPartition& tp) const;
  base::Offset LastStableOffset(const base::TopicPartition& tp) const;
  base::Positions CommittedPositions(const std::string& group) const;
  /// Transactional ids with a transaction that is open or whose markers are on their way.
  std::vector<std::string> OpenTransactions() const;
  /// Data records of this topic that consumers were given so far, by all incarnations.
  uint64_t RecordsRead(const std::string& topic) const;
  int64_t Generation(const std::string& group) const;
  /// By group.instance.id (else member id): what the last assignment gave to each member.
  std::map<std::string, std::vector<base::TopicPartition>> Shares(const std::string& group) const;
  /// By group.instance.id: what each member may work on now. A member that expired is not there.
  std::map<std::string, std::vector<base::TopicPartition>> Held(const std::string& group) const;

  // --- trouble
  /// Each marker of a transaction reaches its partition (and the group's offsets) after a random
  /// number of client calls, at most this; 0: at once, the default.
  void SetMarkerDelay(uint64_t calls_max);
  /// While held, markers arrive only through DeliverMarkers().
  void HoldMarkers(bool hold);
  void DeliverMarkers();
  void DeliverMarkersTo(const base::TopicPartition& tp);
  /// Those that end pending offsets in groups.
  void DeliverMarkersToGroups();

  /// Aborts every transaction that is open for at least `age` and fences its producer:
  /// transaction.timeout.ms is over.
  void ExpireTransactions(std::chrono::milliseconds age = std::chrono::milliseconds(0));
  /// session.timeout.ms is over for this member. False when there is none.
  bool ExpireMember(const std::string& group, const std::string& group_instance_id);
  /// What LostCommit::kLate held back arrives. How many transactions it committed.
  int DeliverLateCommits();
  void SetReachable(bool reachable);
  /// A poll returns at most 1 … `records` records, drawn each time; 0: as many as asked for.
  void SetPollRecordsMax(size_t records);
  /// Produce() may send queued records before the next flush (default) or never does.
  void SetEarlySends(bool early);

  /// The log cleaner runs over all partitions of the topic, if there is one.
  void Compact(const std::string& topic, bool drop_tombstones = false);
  void DeleteRecordsBefore(const base::TopicPartition& tp, base::Offset offset);

 private:
  friend class FakeClients;
  base::ManualClock own_clock_;
  std::unique_ptr<FakeBroker> broker_;
};

/// How a commit's answer gets lost.
enum class LostCommit {
  kCommitted,  ///< The coordinator committed; the client cannot know.
  kAborted,    ///< The coordinator aborted.
  /// The request and what was not sent before it arrive with DeliverLateCommits(); the process stands
  /// still until then and should be gone by the time of the next call.
  kLate,
  kUndecided,  ///< The request never arrived: open until InitTransactions() or the time-out.
};

/// The clients of one process incarnation.
///
/// Calls have names: "consumer.subscribe", "consumer.assign", "consumer.poll", "consumer.seek",
/// "consumer.committed", "consumer.commit_positions", "consumer.leave", the same with "reader."
/// for a consumer without a group, "producer.init", "producer.begin", "producer.produce",
/// "producer.send_positions", "producer.commit", "producer.abort", "producer.flush",
/// "async_producer.produce", "admin.cluster_id", "admin.describe_topics", "admin.create_topics",
/// "admin.list_offsets", "admin.describe_group", "admin.list_offsets_at", "admin.group_positions",
/// "admin.set_group_positions", "admin.delete_group", "admin.delete_topics".
class FakeClients : public pipeline::KafkaClients {
 public:
  struct Options {
    /// message.max.bytes of the clients.
    size_t record_bytes_max = size_t{32} << 20;
  };

  /// `cluster` outlives this and everything made by it.
  explicit FakeClients(FakeCluster& cluster) : FakeClients(cluster, Options()) {}
  FakeClients(FakeCluster& cluster, const Options& options);
  ~FakeClients() override;

  /// Sees every call as "<call>.before" and "<call>.after", and the middle of two:
  /// "producer.commit.flushed" (all is delivered, the end is not asked for) and
  /// "producer.flush.partial"; and what the group tells the listener as "consumer.on_assigned",
  /// "consumer.on_revoked" and "consumer.on_lost". May call the cluster. When it throws, this
  /// incarnation is dead: what its clients are asked from then on, destructors included, does
  /// nothing and returns Lost.
  using StepHook = std::function<void(std::string_view step)>;
  void SetStepHook(StepHook hook);

  /// As kill -9 for a process whose threads run on: from now on nothing of it reaches the cluster
  /// and every call returns Lost. Also from within the hook: the call that it sees is cut short
  /// there.
  void Kill();

  /// The next `count` calls of this name fail with `status`. A producer's Unavailable makes its
  /// transaction abortable, Lost finishes it; an abort or flush that fails so has still sent some.
  void FailNext(const std::string& call, const base::Status& status, int count = 1);
  void LoseNextCommit(LostCommit how);
  /// The next call of this name does what it should, and then answers `status`: it took longer than
  /// its time-out. For "producer.init", "producer.send_positions" and "producer.flush" with
  /// Unavailable, "producer.abort" with Lost, "consumer.commit_positions" and "admin.create_topics"
  /// with Unavailable.
  void LoseNextAnswer(const std::string& call, const base::Status& status);
  /// The broker refuses the next record that reaches it on this topic, for good.
  void RefuseNext(const std::string& topic, const std::string& reason);

  base::Result<std::unique_ptr<pipeline::Consumer>> NewGroupConsumer(
      const GroupOptions& options) override;
  base::Result<std::unique_ptr<pipeline::Consumer>> NewReader(ReaderUse use) override;
  base::Result<std::unique_ptr<pipeline::Producer>> NewTransactionalProducer(
      const std::string& transactional_id) override;
  base::Result<std::unique_ptr<pipeline::Producer>> NewProducer() override;
  /// Its callbacks run inside Produce(), on the caller's thread.
  base::Result<std::unique_ptr<pipeline::AsyncProducer>> NewAsyncProducer() override;
  pipeline::Admin& admin() override { return *admin_; }

 private:
  std::shared_ptr<Incarnation> incarnation_;
  std::unique_ptr<pipeline::Admin> admin_;
};

}  // namespace support
