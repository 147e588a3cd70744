#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/ids.h"

namespace support {

/// One consumer group as its coordinator has it: classic protocol, static membership, eager
/// rebalances with Kafka's range assignor, committed offsets and those that wait for a transaction.
///
/// A rebalance is prepared until every member has joined again, which a member does from its Poll()
/// after it gave up its share; then the generation grows and each takes its new share at its next
/// Poll(). Threads: the broker's lock.
class FakeGroup {
 public:
  using PartitionCounts = std::map<std::string, int32_t>;

  struct Member {
    std::string member_id;
    std::string instance_id;  ///< Empty: a dynamic member.
    std::vector<std::string> topics;
    bool joined = false;           ///< For the generation that is being prepared.
    int64_t seen_generation = -1;  ///< The one whose share it has taken.
    std::vector<base::TopicPartition> share;
  };

  /// A member joins. A static member that is there already is replaced: the new one takes its share
  /// and nobody else notices. Returns the member id.
  std::string Join(const std::string& instance_id, const std::vector<std::string>& topics,
                   const PartitionCounts& counts);

  /// Null when the id was never given, has expired, or was taken over by a static rejoin.
  Member* Find(const std::string& member_id);
  /// Another process has joined with this instance id since.
  bool FencedBy(const std::string& member_id, const std::string& instance_id) const;

  /// The member goes; the rest rebalances.
  void Remove(const std::string& member_id, const PartitionCounts& counts);
  /// As Remove(), by instance id; false when there is none.
  bool Expire(const std::string& instance_id, const PartitionCounts& counts);

  /// A member that gave up its share is ready for the next generation.
  void Rejoin(Member& member, const PartitionCounts& counts);

  /// Every member has to join again, e.g. because a topic has grown.
  void StartRebalance(const PartitionCounts& counts);

  bool preparing() const { return preparing_; }
  int64_t generation() const { return generation_; }
  bool SubscribedTo(const std::string& topic) const;
  std::map<std::string, std::vector<base::TopicPartition>> Shares() const;
  /// By instance id: what each member has taken and was not told to give up since it joined last.
  std::map<std::string, std::vector<base::TopicPartition>> Held() const;

  base::Positions committed;
  /// Offsets inside transactions whose end has not reached the group's partition yet.
  std::map<int64_t, base::Positions> pending;

 private:
  void CompleteIfAllJoined(const PartitionCounts& counts);
  void AssignRanges(const PartitionCounts& counts);

  std::vector<Member> members_;
  bool preparing_ = false;
  int64_t generation_ = 0;
  int64_t member_ids_ = 0;
};

}  // namespace support
