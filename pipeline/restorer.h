#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/status.h"
#include "pipeline/engine_shared.h"
#include "pipeline/kafka_client.h"
#include "pipeline/restore_repair.h"
#include "pipeline/standby_tasks.h"
#include "pipeline/task.h"

namespace pipeline {

/// Brings the stores of tasks up to their changelogs, several tasks at once, a slice at a time, so
/// that the thread's other tasks keep working meanwhile.
///
/// A changelog is read read_committed from the stored position until the reader's *position*
/// reaches the end that was asked for read_uncommitted: records of a transaction whose commit is
/// decided but whose marker is on its way are waited for (KAFKA-10167), and gaps left by control
/// records and compaction do no harm.
///
/// Threads: the stream thread's.
class Restorer {
 public:
  explicit Restorer(EngineShared& shared) : shared_(shared) {}

  /// Starts on `task`. `starts` and `ends` have each of its changelogs' log start and
  /// read_uncommitted end. `known`: what a warm copy, if the task's rows were one, has left to repair.
  /// REQUIRES: the task is open and has state; it stays alive until finished or removed.
  void Add(Task& task, const base::Positions& starts, const base::Positions& ends,
           StandbyTasks::Groups known = {});
  void Remove(const base::TaskId& id);
  bool empty() const { return tasks_.empty(); }
  void Clear();

  struct Finished {
    Task* task = nullptr;
    int64_t records = 0;
  };
  /// Reads and applies one batch, waiting up to `timeout` for it; returns the tasks that are done,
  /// their derived rows repaired.
  /// Errors: Unavailable (try again); Corruption with the task in `corrupt`; Fatal.
  base::Result<std::vector<Finished>> Step(milliseconds timeout, base::TaskId* corrupt);

  /// Changelog records left by store, for the task's report.
  std::map<std::string, int64_t> Remaining(const base::TaskId& id) const;

 private:
  struct Changelog {
    base::TopicPartition tp;
    std::string store;
    base::Offset position;
    base::Offset end;
  };
  struct Restoring {
    Task* task = nullptr;
    std::vector<Changelog> changelogs;
    int64_t records = 0;
    bool changed = false;
    /// The note that a repair is due is written.
    bool noted = false;
    /// There was no local copy: what is wrong afterwards is wrong in the changelog.
    bool from_nothing = true;
    /// Groups with changed rows, by store; see RestoreRepair.
    GroupsByStore groups;
    /// Too many groups to remember, or an earlier restore did not get to its repair.
    bool repair_all = false;
  };

  base::Status Reassign();
  base::Status Apply(const RecordBatch& batch, base::TaskId* corrupt);
  base::Status Repair(Restoring& restoring);

  EngineShared& shared_;
  std::unique_ptr<Consumer> reader_;
  std::map<base::TaskId, Restoring> tasks_;
  bool assignment_changed_ = false;
};

}  // namespace pipeline
