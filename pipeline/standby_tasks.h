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
  };

  explicit StandbyTasks(EngineShared& shared) : shared_(shared) {}
  ~StandbyTasks();

  /// From now on copies of these are kept, and no others.
  void Want(std::set<base::TaskId> wanted);

  /// Opens or closes a copy, or reads and applies one batch; waits a moment for records.
  /// Errors: Unavailable (try again), Fatal.
  base::Status RunOnce();

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
  };
  struct Copy {
    std::unique_ptr<state::TaskState> state;
    std::vector<Changelog> changelogs;
    Groups repair;
    bool repair_due = false;
    bool published = false;
  };

  std::set<base::TaskId> TasksInUse() const;
  base::Status OpenNext();
  base::Status Open(const base::TaskId& id);
  void CloseUnwanted();
  base::Status Reassign();
  base::Status Apply(const RecordBatch& batch);
  base::Status ApplyTo(const base::TaskId& id, Copy& copy, Changelog& changelog,
                       const std::vector<state::RestoredRow>& rows, base::Offset next)
      REQUIRES(mutex_);
  /// Repairs what has changed and shows it to readers. REQUIRES: whole transactions are applied.
  base::Status Settle(const base::TaskId& id, Copy& copy) REQUIRES(mutex_);
  base::Status MeasureLags();
  /// Closes the copy and takes it down; its directory stays.
  void Drop(const base::TaskId& id) REQUIRES(mutex_);
  void Unpublish(const base::TaskId& id);
  static int64_t LagOf(const Copy& copy);

  EngineShared& shared_;
  std::unique_ptr<Consumer> reader_;
  std::chrono::nanoseconds lags_at_{0};
  std::chrono::nanoseconds retry_at_{0};

  mutable base::Mutex mutex_;
  std::set<base::TaskId> wanted_ GUARDED_BY(mutex_);
  std::map<base::TaskId, Copy> copies_ GUARDED_BY(mutex_);
  bool assignment_changed_ GUARDED_BY(mutex_) = false;
};

}  // namespace pipeline
