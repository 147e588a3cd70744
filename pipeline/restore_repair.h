#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/status.h"
#include "pipeline/topology.h"
#include "state/task_state.h"

namespace pipeline {

/// Groups with changed rows, by store; see RestoreRepair.
using GroupsByStore = std::map<std::string, std::set<std::string, std::less<>>>;

/// Note in a task's state, "1": rows were restored, what is derived from them is not repaired yet.
inline constexpr std::string_view kRepairPendingNote = "repair-pending";

/// Repairs what is derived from these groups' rows, or from all rows when `groups` is nullptr and
/// the note says that it is due; commits it, and takes the note away. REQUIRES: nothing is pending
/// in `state`. Errors: as of the topology's repair and of TaskState.
base::Status RepairGroups(const Topology& topology, const base::TaskId& id,
                          const GroupsByStore* groups, state::TaskState& state);

/// REQUIRES: the topology has a store of that name.
const StoreDescription* FindStore(const Topology& topology, const std::string& name);

}  // namespace pipeline
