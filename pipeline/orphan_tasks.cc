#include "pipeline/orphan_tasks.h"

#include <algorithm>
#include <charconv>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "state/task_state.h"

namespace pipeline {

OrphanTasks::OrphanTasks(std::filesystem::path tasks, std::chrono::milliseconds delay,
                         const base::Clock& clock)
    : tasks_(std::move(tasks)), delay_(delay), clock_(clock) {}

std::vector<base::TaskId> OrphanTasks::Sweep(const std::set<base::TaskId>& in_use) {
  std::vector<base::TaskId> deleted;
  if (delay_.count() <= 0) return deleted;
  for (const base::TaskId& task : in_use) unused_since_.erase(task);
  const std::chrono::nanoseconds now = clock_.Monotonic();
  if (looked_at_.has_value() && now - *looked_at_ < std::min(kLookEvery, delay_)) return deleted;
  looked_at_ = now;
  Look(in_use);
  for (auto it = unused_since_.begin(); it != unused_since_.end();) {
    auto& [task, since] = *it;
    if (now - since < delay_) {
      ++it;
      continue;
    }
    const base::Status destroyed = state::TaskState::Destroy(tasks_ / task.ToString());
    if (destroyed.ok()) {
      base::LogInfo("rows of a task that nobody uses here deleted",
                    {{"task", task.ToString()}, {"unused_ms", delay_.count()}});
      deleted.push_back(task);
      it = unused_since_.erase(it);
      continue;
    }
    // Open after all: somebody was faster, or a query still reads it. The next look tries again.
    if (destroyed.code() != base::StatusCode::kUnavailable) {
      base::LogWarn("rows of a task that nobody uses here cannot be deleted",
                    {{"task", task.ToString()}, {"why", destroyed.message()}});
      since = now;  // Said once in a delay.
    }
    ++it;
  }
  return deleted;
}

void OrphanTasks::Look(const std::set<base::TaskId>& in_use) {
  const std::chrono::nanoseconds now = clock_.Monotonic();
  std::map<base::TaskId, std::chrono::nanoseconds> unused;
  std::error_code error;
  for (std::filesystem::directory_iterator it(tasks_, error), end; !error && it != end;
       it.increment(error)) {
    const std::optional<base::TaskId> task = ParseTaskId(it->path().filename().native());
    if (!task.has_value() || in_use.contains(*task)) continue;
    const auto known = unused_since_.find(*task);
    unused[*task] = known == unused_since_.end() ? now : known->second;
  }
  if (error) {
    base::LogWarn("the tasks' directory cannot be read",
                  {{"path", tasks_.native()}, {"why", error.message()}});
    return;
  }
  unused_since_ = std::move(unused);
}

std::optional<base::TaskId> ParseTaskId(std::string_view text) {
  base::TaskId task;
  const char* const end = text.data() + text.size();
  const auto [middle, first] = std::from_chars(text.data(), end, task.subtopology);
  if (first != std::errc() || middle == end || *middle != '_') return std::nullopt;
  const auto [rest, second] = std::from_chars(middle + 1, end, task.partition.value);
  if (second != std::errc() || rest != end) return std::nullopt;
  // "01_3", "-1_3": names that we never give.
  if (task.subtopology < 0 || task.partition.value < 0 || task.ToString() != text) {
    return std::nullopt;
  }
  return task;
}

}  // namespace pipeline
