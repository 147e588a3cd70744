#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/ids.h"
#include "base/mutex.h"
#include "pipeline/pulse.h"
#include "state/task_state.h"

namespace pipeline {

/// Where a query for one partition of a store can be answered.
struct StoreLookup {
  enum class Where {
    /// `reader` answers.
    kHere,
    /// This instance has it but is still restoring it, or just let go of it: try again.
    kRestoring,
    /// This instance does not have it.
    kNotHere,
  };
  Where where = Where::kNotHere;
  std::shared_ptr<const state::TaskReader> reader;
};

/// The stores that other threads may query, by sub-topology store and partition (interactive
/// queries, as in Kafka Streams).
///
/// A partition may move from one stream thread of the process to another; each names itself (its
/// slot), so that the one that is late in letting go does not take down what the other put up.
/// Threads: any.
class StoreRegistry {
 public:
  void Publish(std::string_view store, base::Partition partition,
               std::shared_ptr<const state::TaskReader> reader, int slot = 0);
  /// From now on queries are told to come again.
  void PublishRestoring(std::string_view store, base::Partition partition, int slot = 0);
  /// From now on it is not here; nothing happens when another slot has published since.
  void Unpublish(std::string_view store, base::Partition partition, int slot = 0);

  StoreLookup Find(std::string_view store, base::Partition partition) const;

  /// A warm copy of what another instance has: as it was after a commit, and how many changelog
  /// records it was behind when that was last asked.
  struct Standby {
    std::shared_ptr<const state::TaskReader::View> view;
    int64_t lag = 0;
  };
  void PublishStandby(std::string_view store, base::Partition partition, Standby standby);
  void SetStandbyLag(std::string_view store, base::Partition partition, int64_t lag);
  void UnpublishStandby(std::string_view store, base::Partition partition);
  /// No view: there is none here.
  Standby FindStandby(std::string_view store, base::Partition partition) const;

  /// From now on nothing is here while `pulse` is stale, nor what a slot has that has not begun a
  /// turn for `turn_max`: others may have it by then, with newer rows. Both are borrowed. Called
  /// once, before anything is published.
  void Watch(const Pulse& pulse, const base::Clock& clock, std::chrono::nanoseconds turn_max);
  /// The thread of this slot begins a turn. Nobody asks of one that never began any.
  void TurnBegins(int slot);
  /// Takes down all that is here until it is published again.
  void WithdrawAll();

  /// Slots that are looked after; those above are not.
  static constexpr int kSlotsMax = 64;

 private:
  bool Overdue(int slot) const;

  struct Entry {
    StoreLookup found;
    int slot = 0;
  };
  mutable base::Mutex mutex_;
  std::map<std::pair<std::string, base::Partition>, Entry, std::less<>> stores_
      GUARDED_BY(mutex_);
  std::map<std::pair<std::string, base::Partition>, Standby> standbys_ GUARDED_BY(mutex_);
  const Pulse* pulse_ = nullptr;
  const base::Clock* clock_ = nullptr;
  std::chrono::nanoseconds turn_max_{0};
  /// When the slot's last turn began; 0: never.
  std::array<std::atomic<int64_t>, kSlotsMax> turns_ns_{};
};

}  // namespace pipeline
