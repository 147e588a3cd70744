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
#include "pipeline/task.h"
#include "state/task_state.h"

namespace pipeline {

/// What /v1/status and the metrics say about one task.
struct TaskReport {
  base::TaskId id;
  int thread = 0;
  TaskPhase phase = TaskPhase::kCreated;
  /// Inputs with the position that the last commit covered (unset while not known).
  std::vector<std::pair<base::TopicPartition, std::optional<base::Offset>>> inputs;
  /// Timestamps of the last records processed, of the inputs in their order; 0: none yet.
  std::vector<int64_t> timestamps_ms;
  /// Changelog records still to be read, by store; empty when not restoring.
  std::map<std::string, int64_t> restore_remaining;
};

/// The tasks of one process: who has what, and the states that one thread let go of and another
/// may pick up without opening them again. Threads: any.
class TaskRegistry {
 public:
  /// Keeps the state of a suspended task, at `now`.
  void Deposit(const base::TaskId& task, std::unique_ptr<state::TaskState> state,
               std::chrono::nanoseconds now);
  /// The deposited state, if there is one.
  std::unique_ptr<state::TaskState> Take(const base::TaskId& task);
  /// Closes the states that nobody took since `before`; returns their tasks.
  std::vector<base::TaskId> CloseDepositsBefore(std::chrono::nanoseconds before);

  void Report(TaskReport report);
  void Forget(const base::TaskId& task);
  /// The same for a suspended one; another is somebody's by now.
  void ForgetSuspended(const base::TaskId& task);
  std::vector<TaskReport> Reports() const;

 private:
  struct DepositEntry {
    std::unique_ptr<state::TaskState> state;
    std::chrono::nanoseconds at{0};
  };
  mutable base::Mutex mutex_;
  std::map<base::TaskId, DepositEntry> deposits_ GUARDED_BY(mutex_);
  std::map<base::TaskId, TaskReport> reports_ GUARDED_BY(mutex_);
};

}  // namespace pipeline
