#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "base/status.h"
#include "pipeline/kafka_client.h"
#include "pipeline/restore_repair.h"
#include "state/task_state.h"

namespace pipeline {

struct EngineShared;

/// Warm copies of tasks that other instances run, kept up to date from their changelogs, so that
/// this instance can take one over without a full restore (Kafka Streams' standby tasks). While a
/// task's owner is gone, its copy answers reads, a little old.
///
/// Threads: Want() and RunOnce() from the standby thread; Take() from any. The stream thread that
/// is given a task takes the copy with Take(); nobody else may have it then.
class StandbyTasks {
 public:
  /// What is not repaired yet of a copy's rows; see RestoreRepair.
  struct Groups {
    /// False: nobody knows which; then all are looked at, if the copy says that a repair is due.
    bool known = false;
    GroupsByStore by_store;
  };
  struct Taken {
    /// nullptr: there is no copy here.
    std::unique_ptr<state::TaskState> state;
    Groups repair;
    /// There is one, and it is being written to right now: ask again.
    bool busy = false;
  };

  explicit StandbyTasks(EngineShared& shared);
  ~StandbyTasks();

  /// From now on copies of these are kept, and no others.
  void Want(std::set<base::TaskId> wanted);

  /// Opens or closes a copy, or reads and applies one batch; waits a moment for records.
  /// Errors: Unavailable (try again), Fatal; all others: StartOver(), and again after a while.
  base::Status RunOnce();
  /// Closes all copies and the reader.
  void StartOver();

  /// Gives the copy away. Threads: any.
  Taken Take(const base::TaskId& id);

  /// Tasks of which there is a copy here. Threads: any.
  std::vector<base::TaskId> Tasks() const;

 private:
  struct Changelog {
    base::TopicPartition tp;
    std::string store;
    base::Offset position;
    /// When it was asked for last.
    base::Offset end;
    /// The last row that was applied has others of its transaction, or their marker, behind it.
    bool inside_transaction = false;
  };
  struct Copy {
    std::unique_ptr<state::TaskState> state;
    std::vector<Changelog> changelogs;
    Groups repair;
    bool repair_due = false;
    bool published = false;
    /// The standby thread works on it without the lock: nobody may take it.
    bool busy = false;
    std::chrono::nanoseconds stamped_at{0};
  };
  struct Rows {
    std::vector<state::RestoredRow> rows;
    base::Offset last;
  };
  using RowsByChangelog = std::map<std::pair<std::string_view, base::Partition>, Rows>;

  std::set<base::TaskId> TasksInUse() const;
  base::Status OpenNext();
  base::Status Open(const base::TaskId& id);
  void CloseUnwanted();
  base::Status Reassign();
  base::Status Apply(const RecordBatch& batch);
  // These work on a copy that is busy.
  base::Status ApplyTo(const base::TaskId& id, Copy& copy, const RowsByChangelog& rows);
  base::Status ApplyRows(Copy& copy, Changelog& changelog,
                         const std::vector<state::RestoredRow>& rows, base::Offset next);
  /// Repairs what has changed and shows it to readers. REQUIRES: whole transactions are applied.
  base::Status Settle(const base::TaskId& id, Copy& copy);
  base::Status MeasureLags();
  /// Closes the copy and takes it down; its directory stays.
  void Drop(const base::TaskId& id) REQUIRES(mutex_);
  void Unpublish(const base::TaskId& id);
  static int64_t LagOf(const Copy& copy);

  EngineShared& shared_;
  /// Records, by store.
  std::map<std::string, base::Counter> applied_;
  std::unique_ptr<Consumer> reader_;
  std::chrono::nanoseconds lags_at_{0};
  std::chrono::nanoseconds retry_at_{0};
  /// Copies that turned out unreadable are made again then.
  std::map<base::TaskId, std::chrono::nanoseconds> unreadable_until_;

  mutable base::Mutex mutex_;
  std::set<base::TaskId> wanted_ GUARDED_BY(mutex_);
  std::map<base::TaskId, Copy> copies_ GUARDED_BY(mutex_);
  bool assignment_changed_ GUARDED_BY(mutex_) = false;
};

}  // namespace pipeline
