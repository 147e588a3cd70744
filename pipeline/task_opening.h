#pragma once

#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/status.h"
#include "pipeline/engine_shared.h"
#include "state/task_state.h"

namespace pipeline {

/// Rows belong to one incarnation of their changelog: before anything is restored or wiped by what
/// a changelog says, it is asked whether it still is the one that was there at the start. (It is
/// not when somebody made the topic anew, or when the brokers are another cluster by now.) Errors:
/// Unavailable (try again), Fatal.
base::Status CheckTopicIds(EngineShared& shared,
                           const std::vector<base::TopicPartition>& changelogs);

/// The local copy of a task's rows, fit to be brought up to its changelogs: `kept` when it still
/// can be, else the one on disk, else an empty one. `distrusted`: what is there turned out
/// unreadable. `starts` and `ends` have each of its changelogs' log start and read_uncommitted end.
///
/// A copy that cannot be brought up is deleted and restored in full: one that is past the
/// changelog's end, one whose position was deleted from it, and one that may have missed a
/// tombstone.
///
/// Errors: Unavailable (somebody holds the directory, try again), Internal, Fatal.
/// Threads: any; one at a time for a task.
base::Result<std::unique_ptr<state::TaskState>> OpenTaskState(
    EngineShared& shared, const base::TaskId& id, std::unique_ptr<state::TaskState> kept,
    bool distrusted, const base::Positions& starts, const base::Positions& ends);

/// Notes that the copy is as new as its changelogs now.
base::Status StampTaskState(state::TaskState& state, const base::Clock& clock);

}  // namespace pipeline
