#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"

namespace pipeline {

/// Deletes the rows of tasks that left this instance and did not come back, so that a disk does not
/// fill with what other instances have long had.
///
/// A directory that nobody has used for the delay goes. How long it lay there before this process
/// started does not count: whoever starts may still be given the task, and then only the
/// changelog's tail is to be read. Deleting too early costs a full restore and nothing else:
///
///  - A directory that is open is not deleted: its database holds a lock, which a deletion takes.
///  - A task that is assigned while its directory is being deleted cannot open it meanwhile
///    (Unavailable, it tries again) and then starts empty.
///
/// Threads: one.
class OrphanTasks {
 public:
  /// How often the directory is read at most; deletions are late by up to this.
  static constexpr std::chrono::milliseconds kLookEvery{10'000};

  /// `tasks` holds one directory for each task, named by its id. A `delay` of 0: nothing is ever
  /// deleted. `clock` outlives this.
  OrphanTasks(std::filesystem::path tasks, std::chrono::milliseconds delay,
              const base::Clock& clock);

  /// Call it every second or so while this instance knows its share. `in_use`: the tasks that
  /// anybody in this process has, be it running, restoring, suspended or as a standby.
  /// Returns the tasks that were deleted.
  std::vector<base::TaskId> Sweep(const std::set<base::TaskId>& in_use);

  /// This instance does not know its share (no group, no broker): what is unused now may be
  /// assigned soon. The delays begin anew.
  void StartOver() { unused_since_.clear(); }

 private:
  void Look(const std::set<base::TaskId>& in_use);

  const std::filesystem::path tasks_;
  const std::chrono::milliseconds delay_;
  const base::Clock& clock_;
  std::optional<std::chrono::nanoseconds> looked_at_;
  std::map<base::TaskId, std::chrono::nanoseconds> unused_since_;
};

/// "1_3" to a task; nullopt for any other text.
std::optional<base::TaskId> ParseTaskId(std::string_view text);

}  // namespace pipeline
