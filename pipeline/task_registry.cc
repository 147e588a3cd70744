#include "pipeline/task_registry.h"

#include <utility>

namespace pipeline {

void TaskRegistry::Deposit(const base::TaskId& task, std::unique_ptr<state::TaskState> state,
                           std::chrono::nanoseconds now) {
  const base::MutexLock lock(mutex_);
  deposits_[task] = {std::move(state), now};
}

std::unique_ptr<state::TaskState> TaskRegistry::Take(const base::TaskId& task) {
  const base::MutexLock lock(mutex_);
  const auto it = deposits_.find(task);
  if (it == deposits_.end()) return nullptr;
  std::unique_ptr<state::TaskState> state = std::move(it->second.state);
  deposits_.erase(it);
  return state;
}

std::vector<base::TaskId> TaskRegistry::CloseDepositsBefore(std::chrono::nanoseconds before) {
  std::vector<base::TaskId> closed;
  // Closed after the lock is gone: it takes RocksDB a while.
  std::vector<std::unique_ptr<state::TaskState>> closing;
  const base::MutexLock lock(mutex_);
  for (auto it = deposits_.begin(); it != deposits_.end();) {
    const auto report = reports_.find(it->first);
    const bool suspended =
        report != reports_.end() && report->second.phase == TaskPhase::kSuspended;
    // One that is assigned here again is about to be taken, however long that thread takes.
    const bool back = report != reports_.end() && !suspended;
    if (it->second.at >= before || back) {
      ++it;
      continue;
    }
    closed.push_back(it->first);
    closing.push_back(std::move(it->second.state));
    if (suspended) reports_.erase(report);
    it = deposits_.erase(it);
  }
  return closed;
}

void TaskRegistry::Report(TaskReport report) {
  const base::MutexLock lock(mutex_);
  reports_[report.id] = std::move(report);
}

void TaskRegistry::Forget(const base::TaskId& task) {
  const base::MutexLock lock(mutex_);
  reports_.erase(task);
}

void TaskRegistry::ForgetSuspended(const base::TaskId& task) {
  const base::MutexLock lock(mutex_);
  const auto it = reports_.find(task);
  if (it != reports_.end() && it->second.phase == TaskPhase::kSuspended) reports_.erase(it);
}

std::vector<TaskReport> TaskRegistry::Reports() const {
  const base::MutexLock lock(mutex_);
  std::vector<TaskReport> reports;
  reports.reserve(reports_.size());
  for (const auto& [id, report] : reports_) reports.push_back(report);
  return reports;
}

}  // namespace pipeline
