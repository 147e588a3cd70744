#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/mutex.h"
#include "base/status.h"
#include "pipeline/global_table.h"
#include "pipeline/instance.h"
#include "pipeline/kafka_client.h"
#include "pipeline/serde.h"

namespace pipeline {

/// A record that was in hand when a stream thread came to its end; see CrashLedger.
struct CrashedRecord {
  /// Of the topic's incarnation.
  std::string topic_id;
  base::Offset offset;
  /// In a row.
  int times = 0;
  /// Which end it was; see CrashMark.
  uint64_t run = 0;
  /// Counts what was written about the partition: the higher one is the newer.
  int64_t number = 0;
};

/// The value of topic "<application id>-instances"; the key is the instance's id, or says of which
/// partition a crashed record is.
struct InstanceRecord {
  std::string address;
  /// When the process started, milliseconds since the epoch.
  int64_t started_ms = 0;
  /// Set: none of the above.
  std::optional<CrashedRecord> crashed = std::nullopt;
};

/// JSON `{"address":"ADDR:PORT","started":"2026-11-21T05:00:00Z"}`, or
/// `{"crashed":{"topic_id":"…","offset":7,"times":2,"run":"4242","number":3}}`.
template <>
struct Serde<InstanceRecord> {
  base::Result<InstanceRecord> Decode(const RawRecord& record);
  void Encode(const InstanceRecord& value, std::string& out);
};

/// An instance and what the group has given it.
struct InstanceShare {
  Instance instance;
  std::vector<base::TopicPartition> partitions;
};

/// Who has which partition: the group says which member has it, the member's name says of which
/// instance it is, and topic "<application id>-instances" says where that one answers. (A member's
/// client.id could not: a static member that comes back keeps the one of the process before.)
///
/// What it says may be a moment old; so whoever is asked in an owner's name checks that it is one.
///
/// Threads: any; Refresh() from one.
class InstanceDirectory {
 public:
  /// `own_id` is this instance; `addresses` outlives this.
  InstanceDirectory(std::string own_id, const GlobalTable<InstanceRecord>& addresses)
      : own_id_(std::move(own_id)), addresses_(addresses) {}

  /// Takes over what the group says. In the middle of a rebalance nobody is known to own anything.
  void Refresh(const GroupDescription& group);
  /// The group could not be asked for some time: nobody is known.
  void Forget();

  /// nullopt while it is not known; then, and when it is not where it should be, Refresh() is due.
  std::optional<Instance> FindOwner(const base::TopicPartition& tp) const;
  /// All members, by instance id, each with its share of all topics.
  std::vector<InstanceShare> Shares() const;

  /// The members' names when the group was stable the last time, dead ones among them until it says so.
  std::vector<std::string> Members() const;
  /// An instance by its id, with its address when it has told one.
  Instance Find(const std::string& id) const { return Describe(id); }

  /// "<instance id>-<slot>" without the slot.
  static std::string InstanceOfMember(const std::string& group_instance_id);

 private:
  Instance Describe(const std::string& id) const;

  const std::string own_id_;
  const GlobalTable<InstanceRecord>& addresses_;
  mutable base::Mutex mutex_;
  std::map<base::TopicPartition, std::string> owners_ GUARDED_BY(mutex_);
  std::map<std::string, std::vector<base::TopicPartition>> shares_ GUARDED_BY(mutex_);
  std::vector<std::string> members_ GUARDED_BY(mutex_);
};

}  // namespace pipeline
