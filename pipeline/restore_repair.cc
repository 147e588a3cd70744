#include "pipeline/restore_repair.h"

#include "base/check.h"
#include "state/key_encoding.h"

namespace pipeline {
namespace {

// A repair commits its rows whenever this many bytes wait.
constexpr size_t kRepairBytesMax = size_t{8} << 20;

base::Status RepairOne(const StoreDescription& store, std::string_view group,
                       state::TaskState& state) {
  const StoreLookupFunction lookup = [&](std::string_view name) -> state::KeyValueStore& {
    return state.Store(name);
  };
  state.BeginRecord();
  RETURN_IF_ERROR(store.options.repair.repair(group, lookup));
  if (state.pending_bytes() > kRepairBytesMax) return state.Commit({});
  return base::Status::Ok();
}

base::Status RepairAll(const StoreDescription& store, state::TaskState& state) {
  std::string from;
  while (true) {
    std::string group;
    bool found = false;
    RETURN_IF_ERROR(
        state.Store(store.name).Scan(from, "", [&](std::string_view key, std::string_view) {
          group = store.options.repair.group_of(key);
          found = true;
          return false;
        }));
    if (!found) return base::Status::Ok();
    RETURN_IF_ERROR(RepairOne(store, group, state));
    from = state::PrefixEnd(group);
    if (from.empty()) return base::Status::Ok();
  }
}

}  // namespace

base::Status RepairGroups(const Topology& topology, const base::TaskId& id,
                          const GroupsByStore* groups, state::TaskState& state) {
  const bool due = state.Note(kRepairPendingNote).value_or("") == "1";
  if (groups == nullptr && !due) return base::Status::Ok();
  state.BeginRecord();
  for (const StoreDescription& store : topology.stores()) {
    if (store.subtopology != id.subtopology || !store.options.repair.repair) continue;
    if (groups == nullptr) {
      RETURN_IF_ERROR(RepairAll(store, state));
      continue;
    }
    const auto changed = groups->find(store.name);
    if (changed == groups->end()) continue;
    for (const std::string& group : changed->second) {
      RETURN_IF_ERROR(RepairOne(store, group, state));
    }
  }
  RETURN_IF_ERROR(state.Commit({}));
  return due ? state.PutNote(kRepairPendingNote, "0") : base::Status::Ok();
}

const StoreDescription* FindStore(const Topology& topology, const std::string& name) {
  for (const StoreDescription& store : topology.stores()) {
    if (store.name == name) return &store;
  }
  CHECK(false, "a store that the topology does not have: " + name);
}

}  // namespace pipeline
