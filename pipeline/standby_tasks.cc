#include "pipeline/standby_tasks.h"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include "base/log.h"
#include "pipeline/engine_shared.h"
#include "pipeline/restore_repair.h"
#include "pipeline/state_directory.h"
#include "pipeline/task_opening.h"

namespace pipeline {
namespace {

constexpr milliseconds kPollWait{100};
constexpr std::chrono::milliseconds kLagsEvery{1000};
constexpr std::chrono::milliseconds kOpenRetryWait{200};
constexpr std::chrono::seconds kStampEvery{60};
// A row that cannot be read may lie in the changelog: no restore after the other.
constexpr std::chrono::seconds kUnreadableWait{60};
// Beyond this many groups of changed rows whoever takes the copy looks at all of them.
constexpr size_t kGroupsMax = 100'000;
constexpr char kLagName[] = "herald_standby_lag_records";
constexpr char kLagHelp[] =
    "Changelog records that a warm copy of another instance's task is behind.";

base::Labels LabelsOf(const std::string& store, base::Partition partition) {
  return {{"store", store}, {"partition", std::to_string(partition.value)}};
}

}  // namespace

StandbyTasks::StandbyTasks(EngineShared& shared) : shared_(shared) {
  for (const StoreDescription& store : shared.topology.stores()) {
    if (!store.options.changelog) continue;
    applied_[store.name] = shared.metrics.AddCounter(
        "herald_standby_records_total", "Changelog records that were applied to warm copies.",
        {{"store", store.name}});
  }
}

StandbyTasks::~StandbyTasks() {
  const base::MutexLock lock(mutex_);
  for (const auto& [id, copy] : copies_) Unpublish(id);
}

void StandbyTasks::Want(std::set<base::TaskId> wanted) {
  const base::MutexLock lock(mutex_);
  wanted_ = std::move(wanted);
}

std::vector<base::TaskId> StandbyTasks::Tasks() const {
  const base::MutexLock lock(mutex_);
  std::vector<base::TaskId> tasks;
  for (const auto& [id, copy] : copies_) tasks.push_back(id);
  return tasks;
}

StandbyTasks::Taken StandbyTasks::Take(const base::TaskId& id) {
  const base::MutexLock lock(mutex_);
  const auto it = copies_.find(id);
  if (it == copies_.end()) return {};
  Taken taken;
  taken.busy = it->second.busy;
  if (taken.busy) return taken;
  taken.state = std::move(it->second.state);
  taken.repair = std::move(it->second.repair);
  Drop(id);
  // Whoever takes it is the owner; a plan that is a moment old may still say otherwise.
  wanted_.erase(id);
  base::LogInfo("a warm copy takes over", {{"task", id.ToString()}});
  return taken;
}

void StandbyTasks::StartOver() {
  reader_.reset();
  const base::MutexLock lock(mutex_);
  while (!copies_.empty()) Drop(base::TaskId(copies_.begin()->first));
}

base::Status StandbyTasks::RunOnce() {
  CloseUnwanted();
  RETURN_IF_ERROR(OpenNext());
  RETURN_IF_ERROR(Reassign());
  if (reader_ == nullptr) return base::Status::Ok();
  auto batch = reader_->Poll(kPollWait, shared_.config.restore_records_max);
  if (!batch.ok()) return batch.status();
  RETURN_IF_ERROR(Apply(**batch));
  for (const base::TopicPartition& gone : reader_->TakeOutOfRange()) {
    const base::MutexLock lock(mutex_);
    for (const auto& [id, copy] : copies_) {
      const bool mine =
          std::any_of(copy.changelogs.begin(), copy.changelogs.end(),
                      [&](const Changelog& changelog) { return changelog.tp == gone; });
      if (!mine) continue;
      // Opened anew it is found to be too old, and restored in full.
      Drop(base::TaskId(id));
      break;
    }
  }
  return MeasureLags();
}

/// Tasks that a thread of this process has, or is about to open.
std::set<base::TaskId> StandbyTasks::TasksInUse() const {
  std::set<base::TaskId> in_use;
  for (const TaskReport& report : shared_.tasks.Reports()) {
    if (report.phase != TaskPhase::kSuspended) in_use.insert(report.id);
  }
  return in_use;
}

void StandbyTasks::CloseUnwanted() {
  const std::set<base::TaskId> in_use = TasksInUse();
  const base::MutexLock lock(mutex_);
  std::vector<base::TaskId> unwanted;
  for (const auto& [id, copy] : copies_) {
    // One that is assigned here is about to be taken.
    if (!wanted_.contains(id) && !in_use.contains(id)) unwanted.push_back(id);
  }
  for (const base::TaskId& id : unwanted) {
    Drop(id);
    base::LogInfo("a warm copy is not needed here any more", {{"task", id.ToString()}});
  }
}

/// One at a time: each asks the cluster.
base::Status StandbyTasks::OpenNext() {
  if (shared_.clock.Monotonic() < retry_at_) return base::Status::Ok();
  const std::set<base::TaskId> in_use = TasksInUse();
  std::optional<base::TaskId> next;
  {
    const base::MutexLock lock(mutex_);
    for (const base::TaskId& id : wanted_) {
      // The plan is a moment old: what runs here is no copy.
      if (copies_.contains(id) || in_use.contains(id)) continue;
      const auto until = unreadable_until_.find(id);
      if (until != unreadable_until_.end() && shared_.clock.Monotonic() < until->second) continue;
      next = id;
      break;
    }
  }
  if (!next.has_value()) return base::Status::Ok();
  const base::Status opened = Open(*next);
  if (opened.code() != base::StatusCode::kUnavailable) return opened;
  retry_at_ = shared_.clock.Monotonic() + kOpenRetryWait;
  base::LogDebug("a warm copy cannot be opened yet",
                 {{"task", next->ToString()}, {"why", opened.message()}});
  return base::Status::Ok();
}

base::Status StandbyTasks::Open(const base::TaskId& id) {
  Copy copy;
  std::vector<base::TopicPartition> changelogs;
  for (const state::StoreSpec& spec : shared_.topology.StoreSpecs(id.subtopology)) {
    if (!spec.changelog) continue;
    copy.changelogs.push_back(
        {{shared_.ChangelogTopic(spec.name), id.partition}, spec.name, {}, {}});
    changelogs.push_back(copy.changelogs.back().tp);
  }
  RETURN_IF_ERROR(CheckTopicIds(shared_, changelogs));
  const milliseconds timeout = shared_.config.request_timeout;
  auto starts = shared_.clients.admin().ListOffsets(changelogs, OffsetSpec::kEarliest,
                                                    Isolation::kReadUncommitted, timeout);
  if (!starts.ok()) return starts.status();
  auto ends = shared_.clients.admin().ListOffsets(changelogs, OffsetSpec::kLatest,
                                                  Isolation::kReadUncommitted, timeout);
  if (!ends.ok()) return ends.status();
  // What a thread of this process has let go of is taken as it is.
  auto opened = OpenTaskState(shared_, id, shared_.tasks.Take(id), false, *starts, *ends);
  if (!opened.ok()) return opened.status();
  copy.state = std::move(*opened);
  // Whoever wrote last may have come to its end in the middle.
  copy.repair_due = copy.state->Note(kRepairPendingNote).value_or("") == "1";
  copy.repair.known = !copy.repair_due;
  for (Changelog& changelog : copy.changelogs) {
    const base::Offset start = starts->at(changelog.tp);
    changelog.position = std::max(copy.state->Position(changelog.tp).value_or(start), start);
    changelog.end = ends->at(changelog.tp);
    changelog.inside_transaction = copy.repair_due && changelog.position < changelog.end;
  }
  base::LogInfo("keeping a warm copy", {{"task", id.ToString()}, {"behind", LagOf(copy)}});
  const base::MutexLock lock(mutex_);
  shared_.tasks.ForgetSuspended(id);
  copies_[id] = std::move(copy);
  assignment_changed_ = true;
  return base::Status::Ok();
}

base::Status StandbyTasks::Reassign() {
  std::vector<AssignedPartition> assigned;
  {
    const base::MutexLock lock(mutex_);
    if (!assignment_changed_) return base::Status::Ok();
    for (const auto& [id, copy] : copies_) {
      for (const Changelog& changelog : copy.changelogs) {
        assigned.push_back({changelog.tp, changelog.position, false});
      }
    }
    assignment_changed_ = false;
  }
  base::Status status;
  if (assigned.empty()) {
    reader_.reset();
    return status;
  }
  if (reader_ == nullptr) {
    auto reader = shared_.clients.NewReader(KafkaClients::ReaderUse::kFollow);
    status = reader.status();
    if (reader.ok()) reader_ = std::move(*reader);
  }
  if (status.ok()) status = reader_->Assign(assigned);
  if (status.ok()) return status;
  const base::MutexLock lock(mutex_);
  assignment_changed_ = true;
  return status;
}

base::Status StandbyTasks::Apply(const RecordBatch& batch) {
  RowsByChangelog rows;
  for (size_t i = 0; i < batch.size(); ++i) {
    const RawRecord& record = batch.record(i);
    Rows& of_changelog = rows[{record.metadata.topic, record.metadata.partition}];
    of_changelog.rows.push_back({record.key.value_or(std::string_view()), record.value});
    of_changelog.last = record.metadata.offset;
  }
  for (const base::TaskId& id : Tasks()) {
    Copy* copy = nullptr;
    {
      const base::MutexLock lock(mutex_);
      const auto it = copies_.find(id);
      if (it == copies_.end()) continue;  // Taken meanwhile.
      // From here on nobody takes it, and only this thread erases: it stays where it is.
      copy = &it->second;
      copy->busy = true;
    }
    const base::Status applied = ApplyTo(id, *copy, rows);
    const base::MutexLock lock(mutex_);
    copy->busy = false;
    if (applied.ok()) continue;
    if (applied.code() != base::StatusCode::kCorruption) return applied;
    base::LogError("a warm copy is unreadable, it is made anew",
                   {{"task", id.ToString()}, {"why", applied.message()}});
    Drop(id);
    unreadable_until_[id] = shared_.clock.Monotonic() + kUnreadableWait;
    RETURN_IF_ERROR(shared_.states.Destroy(shared_.directory.TaskDirectory(id)));
  }
  return base::Status::Ok();
}

base::Status StandbyTasks::ApplyTo(const base::TaskId& id, Copy& copy,
                                   const RowsByChangelog& rows) {
  static const std::vector<state::RestoredRow> kNone;
  bool inside_transaction = false;
  for (Changelog& changelog : copy.changelogs) {
    const auto found = rows.find({std::string_view(changelog.tp.topic), changelog.tp.partition});
    base::Offset next =
        std::max(changelog.position, reader_->Position(changelog.tp).value_or(base::Offset{0}));
    if (found != rows.end()) next = std::max(next, base::Offset{found->second.last.value + 1});
    if (next != changelog.position) {
      // A record is followed by another one of its transaction or by the marker that ends it, which
      // the reader's position passes without a record.
      changelog.inside_transaction =
          found != rows.end() && next.value == found->second.last.value + 1;
      const base::Status applied =
          ApplyRows(copy, changelog, found == rows.end() ? kNone : found->second.rows, next);
      if (!applied.ok()) return applied.WithContext("warm copy of task " + id.ToString());
    }
    inside_transaction = inside_transaction || changelog.inside_transaction;
  }
  if (inside_transaction || (copy.published && !copy.repair_due)) return base::Status::Ok();
  return Settle(id, copy);
}

base::Status StandbyTasks::ApplyRows(Copy& copy, Changelog& changelog,
                                     const std::vector<state::RestoredRow>& rows,
                                     base::Offset next) {
  const StoreDescription* store = FindStore(shared_.topology, changelog.store);
  if (!rows.empty() && store->options.repair.repair) {
    if (!copy.repair_due) RETURN_IF_ERROR(copy.state->PutNote(kRepairPendingNote, "1"));
    copy.repair_due = true;
    auto& groups = copy.repair.by_store[changelog.store];
    for (const state::RestoredRow& row : rows) {
      if (!copy.repair.known) break;
      const std::string_view group = store->options.repair.group_of(row.key);
      if (groups.find(group) == groups.end()) groups.emplace(group);
      if (groups.size() > kGroupsMax) copy.repair.known = false;
    }
    if (!copy.repair.known) copy.repair.by_store.clear();
  }
  RETURN_IF_ERROR(copy.state->ApplyRestored(changelog.store, rows, changelog.tp, next));
  applied_.at(changelog.store).Increment(static_cast<double>(rows.size()));
  changelog.position = next;
  return base::Status::Ok();
}

/// Only transactions come whole; without them a copy is repaired by whoever takes it, and shows
/// nothing before.
base::Status StandbyTasks::Settle(const base::TaskId& id, Copy& copy) {
  if (shared_.config.guarantee != Guarantee::kExactlyOnce || LagOf(copy) > 0) {
    return base::Status::Ok();
  }
  RETURN_IF_ERROR(RepairGroups(shared_.topology, id,
                               copy.repair.known ? &copy.repair.by_store : nullptr, *copy.state));
  copy.repair = {.known = true, .by_store = {}};
  copy.repair_due = false;
  const auto reader = copy.state->MakeReader();
  const std::shared_ptr<const state::TaskReader::View> view = reader->Snapshot();
  for (const state::StoreSpec& spec : shared_.topology.StoreSpecs(id.subtopology)) {
    shared_.stores.PublishStandby(spec.name, id.partition, {view, LagOf(copy)});
  }
  copy.published = true;
  return base::Status::Ok();
}

int64_t StandbyTasks::LagOf(const Copy& copy) {
  int64_t lag = 0;
  for (const Changelog& changelog : copy.changelogs) {
    lag += std::max(int64_t{0}, changelog.end.value - changelog.position.value);
  }
  return lag;
}

base::Status StandbyTasks::MeasureLags() {
  const std::chrono::nanoseconds now = shared_.clock.Monotonic();
  if (now - lags_at_ < kLagsEvery) return base::Status::Ok();
  lags_at_ = now;
  std::vector<base::TopicPartition> changelogs;
  {
    const base::MutexLock lock(mutex_);
    for (const auto& [id, copy] : copies_) {
      for (const Changelog& changelog : copy.changelogs) changelogs.push_back(changelog.tp);
    }
  }
  if (changelogs.empty()) return base::Status::Ok();
  auto ends = shared_.clients.admin().ListOffsets(
      changelogs, OffsetSpec::kLatest, Isolation::kReadCommitted, shared_.config.request_timeout);
  // What was known stays: there is nothing newer to read either.
  if (!ends.ok()) return base::Status::Ok();
  const base::MutexLock lock(mutex_);
  for (auto& [id, copy] : copies_) {
    for (Changelog& changelog : copy.changelogs) {
      if (const auto end = ends->find(changelog.tp); end != ends->end()) {
        changelog.end = end->second;
      }
      shared_.metrics.AddGauge(kLagName, kLagHelp, LabelsOf(changelog.store, id.partition))
          .Set(static_cast<double>(
              std::max(int64_t{0}, changelog.end.value - changelog.position.value)));
    }
    if (LagOf(copy) == 0 && now - copy.stamped_at >= kStampEvery) {
      RETURN_IF_ERROR(StampTaskState(*copy.state, shared_.clock));
      copy.stamped_at = now;
    }
    if (!copy.published) continue;
    for (const state::StoreSpec& spec : shared_.topology.StoreSpecs(id.subtopology)) {
      shared_.stores.SetStandbyLag(spec.name, id.partition, LagOf(copy));
    }
  }
  return base::Status::Ok();
}

void StandbyTasks::Drop(const base::TaskId& id) {
  const auto it = copies_.find(id);
  if (it == copies_.end()) return;
  Unpublish(id);
  for (const Changelog& changelog : it->second.changelogs) {
    shared_.metrics.RemoveGauge(kLagName, LabelsOf(changelog.store, id.partition));
  }
  copies_.erase(it);
  assignment_changed_ = true;
}

void StandbyTasks::Unpublish(const base::TaskId& id) {
  for (const state::StoreSpec& spec : shared_.topology.StoreSpecs(id.subtopology)) {
    shared_.stores.UnpublishStandby(spec.name, id.partition);
  }
}

}  // namespace pipeline
