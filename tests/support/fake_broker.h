#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/mutex.h"
#include "base/status.h"
#include "pipeline/kafka_client.h"
#include "tests/support/fake_group.h"
#include "tests/support/fake_log.h"

namespace support {

/// What all clients of one FakeCluster share: topics, groups and transactions.
///
/// Time passes in ticks, one for each client call; that is what late markers wait for.
/// Threads: every call and every member under `mutex`.
class FakeBroker {
 public:
  struct Topic {
    std::string id;
    std::map<std::string, std::string> config;
    std::vector<PartitionLog> partitions;
  };

  /// A transactional id at its coordinator.
  struct Transaction {
    int64_t epoch = -1;
    /// The running one's number; 0: none is running.
    int64_t number = 0;
    /// Its end is decided and its markers are on their way.
    bool ending = false;
    bool commit = false;
    int64_t started_ms = 0;
    std::set<base::TopicPartition> partitions;
    std::set<std::string> groups;
  };

  FakeBroker(uint64_t seed, const base::Clock& broker_clock) : random(seed), clock(broker_clock) {}

  // --- topics
  PartitionLog* Log(const base::TopicPartition& tp) REQUIRES(mutex);
  FakeGroup::PartitionCounts Counts() const REQUIRES(mutex);
  void CreateTopic(const pipeline::NewTopic& topic) REQUIRES(mutex);
  /// The same name and settings, empty, with another id.
  void RecreateTopic(const std::string& name) REQUIRES(mutex);
  void AddPartitions(const std::string& name, int32_t count) REQUIRES(mutex);
  /// The largest record that the topic takes, in bytes.
  int64_t RecordBytesMax(const std::string& topic) const REQUIRES(mutex);

  // --- transactions; Lost means fenced
  /// Ends what the id left open and gives the epoch of the new producer.
  /// Unavailable: markers of the last transaction are held back.
  base::Result<int64_t> InitProducer(const std::string& id) REQUIRES(mutex);
  /// Enlists a partition, once the markers of the last transaction have arrived. Gives the number
  /// of the transaction.
  base::Result<int64_t> Enlist(const std::string& id, int64_t epoch, const base::TopicPartition& tp)
      REQUIRES(mutex);
  base::Status AddOffsets(const std::string& id, int64_t epoch, const std::string& group,
                          const base::Positions& positions) REQUIRES(mutex);
  base::Status EndTransaction(const std::string& id, int64_t epoch, bool commit) REQUIRES(mutex);
  /// What a producer had on its way when its process stood still: the rest of a transaction, and
  /// the request to commit it.
  struct LateCommit {
    std::string id;
    int64_t epoch = 0;
    std::vector<std::pair<base::TopicPartition, StoredRecord>> records;
  };
  /// All of it arrives, as far as its producers were not fenced meanwhile. How many were not.
  int DeliverLateCommits() REQUIRES(mutex);

  /// The coordinator's time-out: aborts what is open since before `started_before_ms` and fences
  /// its producers.
  void ExpireTransactions(int64_t started_before_ms) REQUIRES(mutex);

  // --- time
  void Tick() REQUIRES(mutex);
  /// Everything that is on its way arrives, though markers be held.
  void DeliverMarkers(const std::function<bool(const base::TopicPartition&)>& to) REQUIRES(mutex);
  /// Lets ticks pass until `done` or until nothing more is to come by waiting.
  bool WaitUntil(const std::function<bool()>& done) REQUIRES(mutex);

  uint64_t Random(uint64_t below) REQUIRES(mutex) { return below == 0 ? 0 : random() % below; }
  bool Chance(double probability) REQUIRES(mutex) {
    return std::uniform_real_distribution<double>(0, 1)(random) < probability;
  }

  mutable base::Mutex mutex;
  std::mt19937_64 random GUARDED_BY(mutex);
  const base::Clock& clock;
  base::ManualClock* poll_clock = nullptr;  ///< An empty Poll() moves it by its time-out.
  std::string cluster_id GUARDED_BY(mutex) = "twin-cluster";
  std::map<std::string, Topic> topics GUARDED_BY(mutex);
  std::map<std::string, FakeGroup> groups GUARDED_BY(mutex);
  std::map<std::string, Transaction> transactions GUARDED_BY(mutex);
  std::vector<LateCommit> late_commits GUARDED_BY(mutex);
  bool reachable GUARDED_BY(mutex) = true;
  bool hold_markers GUARDED_BY(mutex) = false;
  uint64_t marker_delay_max GUARDED_BY(mutex) = 0;  ///< In ticks, drawn for each partition.
  size_t poll_records_max GUARDED_BY(mutex) =
      0;  ///< Bound of the random bound of a poll; 0: the caller's alone.
  bool early_sends GUARDED_BY(mutex) = true;  ///< Produce() may send at once what is queued.
  std::map<std::string, uint64_t> records_read
      GUARDED_BY(mutex);  ///< By topic: data records given to consumers.

 private:
  /// A marker on its way to a partition, or (with an empty topic) to a group's offsets.
  struct Marker {
    uint64_t due = 0;
    std::string id;
    int64_t transaction = 0;
    bool commit = false;
    base::TopicPartition partition;
    std::string group;
  };

  base::Result<Transaction*> Running(const std::string& id, int64_t epoch) REQUIRES(mutex);
  void BeginEnd(const std::string& id, Transaction& transaction, bool commit) REQUIRES(mutex);
  void Arrive(const Marker& marker) REQUIRES(mutex);
  void FinishIfAllArrived(const std::string& id) REQUIRES(mutex);

  std::vector<Marker> markers_ GUARDED_BY(mutex);
  uint64_t tick_ GUARDED_BY(mutex) = 0;
  int64_t transaction_numbers_ GUARDED_BY(mutex) = 0;
  int64_t topic_ids_ GUARDED_BY(mutex) = 0;
};

}  // namespace support
