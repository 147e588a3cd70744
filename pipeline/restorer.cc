#include "pipeline/restorer.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "pipeline/restore_repair.h"
#include "pipeline/stream_thread_metrics.h"

namespace pipeline {
namespace {

// Beyond this many groups of changed rows a repair walks the whole store instead.
constexpr size_t kRepairGroupsMax = 100'000;

}  // namespace

void Restorer::Add(Task& task, const base::Positions& starts, const base::Positions& ends,
                   StandbyTasks::Groups known) {
  Restoring restoring;
  restoring.task = &task;
  for (const state::StoreSpec& spec : shared_.topology.StoreSpecs(task.id().subtopology)) {
    if (!spec.changelog) continue;
    Changelog changelog;
    changelog.tp = {shared_.ChangelogTopic(spec.name), task.id().partition};
    changelog.store = spec.name;
    const auto start = starts.find(changelog.tp);
    CHECK(start != starts.end(), "the start of each changelog is known before its restore");
    const std::optional<base::Offset> stored = task.state()->Position(changelog.tp);
    if (stored.has_value()) restoring.from_nothing = false;
    changelog.position = std::max(stored.value_or(base::Offset{0}), start->second);
    const auto end = ends.find(changelog.tp);
    CHECK(end != ends.end(), "the end of each changelog is known before its restore");
    changelog.end = end->second;
    restoring.changelogs.push_back(std::move(changelog));
  }
  const bool pending = task.state()->Note(kRepairPendingNote).value_or("") == "1";
  restoring.changed = pending;
  restoring.repair_all = pending && !known.known;
  restoring.groups = std::move(known.by_store);
  tasks_[task.id()] = std::move(restoring);
  assignment_changed_ = true;
}

void Restorer::Remove(const base::TaskId& id) {
  if (tasks_.erase(id) > 0) assignment_changed_ = true;
}

void Restorer::Clear() {
  tasks_.clear();
  reader_.reset();
}

std::map<std::string, int64_t> Restorer::Remaining(const base::TaskId& id) const {
  std::map<std::string, int64_t> remaining;
  const auto it = tasks_.find(id);
  if (it == tasks_.end()) return remaining;
  for (const Changelog& changelog : it->second.changelogs) {
    remaining[changelog.store] =
        std::max(int64_t{0}, changelog.end.value - changelog.position.value);
  }
  return remaining;
}

base::Status Restorer::Reassign() {
  std::vector<AssignedPartition> assigned;
  for (const auto& [id, restoring] : tasks_) {
    for (const Changelog& changelog : restoring.changelogs) {
      if (changelog.position < changelog.end) {
        assigned.push_back({changelog.tp, changelog.position, false});
      }
    }
  }
  if (assigned.empty()) {
    reader_.reset();
  } else {
    if (reader_ == nullptr) {
      auto reader = shared_.clients.NewReader(KafkaClients::ReaderUse::kCatchUp);
      if (!reader.ok()) return reader.status();
      reader_ = std::move(*reader);
    }
    RETURN_IF_ERROR(reader_->Assign(assigned));
  }
  assignment_changed_ = false;
  return base::Status::Ok();
}

base::Result<std::vector<Restorer::Finished>> Restorer::Step(milliseconds timeout,
                                                             base::TaskId* corrupt) {
  if (assignment_changed_) RETURN_IF_ERROR(Reassign());
  if (reader_ != nullptr) {
    auto batch = reader_->Poll(timeout, shared_.config.restore_records_max);
    if (!batch.ok()) return batch.status();
    RETURN_IF_ERROR(Apply(**batch, corrupt));
    for (const base::TopicPartition& tp : reader_->TakeOutOfRange()) {
      for (const auto& [id, restoring] : tasks_) {
        const bool mine = std::any_of(
            restoring.changelogs.begin(), restoring.changelogs.end(),
            [&tp](const Changelog& changelog) { return changelog.tp == tp; });
        if (!mine) continue;
        *corrupt = id;
        return base::Status::Corruption("changelog " + tp.ToString() +
                                        " no longer has the stored position");
      }
    }
  }
  std::vector<Finished> finished;
  for (auto it = tasks_.begin(); it != tasks_.end();) {
    Restoring& restoring = it->second;
    const bool done = std::all_of(restoring.changelogs.begin(), restoring.changelogs.end(),
                                  [](const Changelog& changelog) {
                                    return changelog.position >= changelog.end;
                                  });
    if (!done) {
      ++it;
      continue;
    }
    if (base::Status repaired = Repair(restoring); !repaired.ok()) {
      // Those that are done are told first; this one stays and fails again at the next step.
      if (!finished.empty()) break;
      *corrupt = it->first;
      if (repaired.code() == base::StatusCode::kCorruption && restoring.from_nothing) {
        // Wiping and restoring again would come to the same, for ever.
        return base::Status::Fatal("task " + it->first.ToString() +
                                   ": its changelog holds rows that cannot be read: " +
                                   repaired.message());
      }
      return repaired;
    }
    finished.push_back({restoring.task, restoring.records});
    it = tasks_.erase(it);
    assignment_changed_ = true;
  }
  return finished;
}

base::Status Restorer::Apply(const RecordBatch& batch, base::TaskId* corrupt) {
  // Rows of one changelog lie together or nearly so: one write per changelog and batch.
  std::map<std::pair<std::string_view, base::Partition>, std::vector<state::RestoredRow>> rows;
  for (size_t i = 0; i < batch.size(); ++i) {
    const RawRecord& record = batch.record(i);
    rows[{record.metadata.topic, record.metadata.partition}].push_back(
        {record.key.value_or(std::string_view()), record.value});
  }
  for (auto& [id, restoring] : tasks_) {
    for (Changelog& changelog : restoring.changelogs) {
      const std::optional<base::Offset> position =
          reader_ == nullptr ? std::nullopt : reader_->Position(changelog.tp);
      const auto found = rows.find({changelog.tp.topic, changelog.tp.partition});
      const bool has_rows = found != rows.end();
      if (!has_rows && (!position.has_value() || *position <= changelog.position)) continue;
      const base::Offset next = std::max(changelog.position, position.value_or(changelog.position));
      std::span<const state::RestoredRow> span;
      if (has_rows) {
        span = found->second;
        const StoreDescription* store = FindStore(shared_.topology, changelog.store);
        if (store->options.repair.repair) {
          if (!restoring.noted) {
            RETURN_IF_ERROR(restoring.task->state()->PutNote(kRepairPendingNote, "1"));
            restoring.noted = true;
          }
          auto& groups = restoring.groups[changelog.store];
          for (const state::RestoredRow& row : span) {
            if (restoring.repair_all) break;
            const std::string_view group = store->options.repair.group_of(row.key);
            if (groups.find(group) == groups.end()) groups.emplace(group);
            if (groups.size() > kRepairGroupsMax) restoring.repair_all = true;
          }
        }
        restoring.changed = true;
        restoring.records += static_cast<int64_t>(span.size());
      }
      base::Status applied =
          restoring.task->state()->ApplyRestored(changelog.store, span, changelog.tp, next);
      if (!applied.ok()) {
        *corrupt = id;
        return applied;
      }
      RestoredCounter(shared_.metrics, changelog.store).Increment(static_cast<double>(span.size()));
      changelog.position = next;
    }
  }
  return base::Status::Ok();
}

base::Status Restorer::Repair(Restoring& restoring) {
  if (!restoring.changed) return base::Status::Ok();
  return RepairGroups(shared_.topology, restoring.task->id(),
                      restoring.repair_all ? nullptr : &restoring.groups, *restoring.task->state());
}

}  // namespace pipeline
