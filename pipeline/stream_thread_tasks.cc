// How a stream thread's tasks come and go: assignment, restore, revocation.

#include <algorithm>
#include <set>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "pipeline/record_log.h"
#include "pipeline/state_directory.h"
#include "pipeline/stream_thread.h"
#include "pipeline/task_opening.h"

namespace pipeline {
namespace {

// Waits for changelog records in one turn: a little, so that a restore does not spin.
constexpr milliseconds kRestoreWait{10};
// A failed attempt to bring tasks up is repeated after this.
constexpr std::chrono::milliseconds kTaskRetryWait{100};
// Asking for committed positions blocks while another transaction is open on them.
constexpr milliseconds kCommittedWait{1000};
constexpr std::chrono::seconds kStampEvery{60};
// An input's number is 16 bits of a tag; the last one is left to kChangelogTag.
constexpr size_t kInputsMax = 65'535;

}  // namespace

void StreamThread::OnAssigned(const std::vector<base::TopicPartition>& partitions) {
  std::map<base::TaskId, std::vector<base::TopicPartition>> by_task;
  std::vector<AssignedPartition> assigned;
  for (const base::TopicPartition& tp : partitions) {
    const int32_t subtopology = shared_.topology.SubtopologyOf(tp.topic);
    if (subtopology < 0) continue;
    by_task[{subtopology, tp.partition}].push_back(tp);
    assigned.push_back({tp, std::nullopt, true});
  }
  for (const auto& [id, inputs] : by_task) {
    auto task = std::make_unique<Task>(id, inputs, shared_.clock.Monotonic());
    task->SetOutputBytesMax(shared_.config.record_output_bytes_max);
    for (Task::Input& input : task->inputs()) {
      input.index = NumberOf(input.tp);
      input.partition_count = shared_.partition_counts.find(input.tp.topic)->second;
      routes_[input.tp] = {task.get(), &input};
    }
    PublishRestoring(id);
    Report(*task);
    tasks_[id] = std::move(task);
  }
  UnpublishOthers();
  // Nothing is fetched before its task runs.
  const base::Status status = consumer_->Assign(assigned);
  if (!status.ok()) {
    base::LogWarn("assigning failed", {{"thread", name_}, {"why", status.ToString()}});
  }
  metrics_.assigned.Increment();
  joined_ = true;
  base::LogInfo("assigned",
                {{"thread", name_}, {"tasks", by_task.size()}, {"partitions", partitions.size()}});
}

/// The same for as long as this thread lives: a record that was sent before a rebalance may be
/// refused after it.
uint16_t StreamThread::NumberOf(const base::TopicPartition& tp) {
  const auto known = std::find(input_numbers_.begin(), input_numbers_.end(), tp);
  if (known == input_numbers_.end()) {
    CHECK(input_numbers_.size() < kInputsMax, "more partitions than a tag can number");
    input_numbers_.push_back(tp);
    return static_cast<uint16_t>(input_numbers_.size() - 1);
  }
  return static_cast<uint16_t>(known - input_numbers_.begin());
}

void StreamThread::OnRevoked(const std::vector<base::TopicPartition>& partitions) {
  base::LogInfo("revoked", {{"thread", name_}, {"partitions", partitions.size()}});
  metrics_.revoked.Increment();
  // Readers go first: what is queried must not be older than what the next owner answers.
  for (const auto& [id, task] : tasks_) PublishRestoring(id);
  // Called from within a poll, which may hold records that were never processed.
  inside_batch_ = true;
  const base::Status committed = Commit(shared_.config.revoke_commit_timeout);
  inside_batch_ = false;
  if (!committed.ok()) {
    base::LogWarn("not committed at revocation, the next owner replays",
                  {{"thread", name_}, {"why", committed.ToString()}});
    if (committed.code() == base::StatusCode::kFatal ||
        committed.code() == base::StatusCode::kInternal) {
      // E.g. a database that cannot be written to: it cannot be opened again here.
      pending_failure_ = committed;
    }
    // A commit without an answer cannot be aborted either: that producer is finished.
    producer_lost_ = committed.code() == base::StatusCode::kLost;
    OnLost(partitions);
    return;
  }
  restorer_.Clear();
  for (auto& [id, task] : tasks_) {
    if (task->phase() == TaskPhase::kRunning && task->state() != nullptr) {
      task->MoveTo(TaskPhase::kSuspended);
      Report(*task);
      for (const Task::Input& input : task->inputs()) shared_.positions.Gone(input.tp);
      shared_.tasks.Deposit(id, task->ReleaseState(), shared_.clock.Monotonic());
    } else {
      CloseTask(*task);
    }
  }
  tasks_.clear();
  routes_.clear();
  last_route_ = {nullptr, nullptr};
  joined_ = false;
}

void StreamThread::OnLost(const std::vector<base::TopicPartition>& partitions) {
  metrics_.memberships_lost.Increment();
  metrics_.lost.Increment();
  base::LogWarn("partitions lost", {{"thread", name_}, {"partitions", partitions.size()}});
  // Before anything that takes its time: they may be another's already, with newer rows.
  for (const auto& [id, task] : tasks_) {
    PublishRestoring(id);
    for (const Task::Input& input : task->inputs()) shared_.positions.Gone(input.tp);
  }
  if (in_transaction_ && exactly_once_ && !producer_lost_ && producer_ != nullptr) {
    const base::Status aborted = producer_->AbortTransaction(shared_.config.request_timeout);
    // A producer that cannot even abort is finished; the next turn makes another.
    if (!aborted.ok()) producer_lost_ = true;
  }
  // Without transactions nothing takes back what is still queued; destroying the producer does.
  if (!exactly_once_) producer_lost_ = true;
  GiveUpTransaction();
  CloseAllTasks();
  joined_ = false;
}

base::Status StreamThread::AdvanceTasks(bool* worked) {
  if (producer_lost_) return base::Status::Lost("the producer could not abort its transaction");
  const bool created = std::any_of(tasks_.begin(), tasks_.end(), [](const auto& entry) {
    return entry.second->phase() == TaskPhase::kCreated;
  });
  if (created && shared_.clock.Monotonic() >= retry_tasks_at_) {
    const base::Status opened = OpenCreatedTasks();
    if (opened.code() == base::StatusCode::kUnavailable) {
      retry_tasks_at_ = shared_.clock.Monotonic() + kTaskRetryWait;
      base::LogInfo("tasks cannot start yet", {{"thread", name_}, {"why", opened.message()}});
    } else {
      RETURN_IF_ERROR(opened);
      *worked = true;
    }
  }
  if (restorer_.empty()) return base::Status::Ok();
  base::TaskId corrupt;
  auto finished = restorer_.Step(work_done_ ? milliseconds(0) : kRestoreWait, &corrupt);
  if (!finished.ok()) {
    if (finished.status().code() != base::StatusCode::kCorruption) return finished.status();
    WipeAndReopen(corrupt, finished.status());
    return base::Status::Ok();
  }
  *worked = true;
  for (const Restorer::Finished& done : *finished) {
    RETURN_IF_ERROR(StartRunning(*done.task, done.records));
  }
  for (const auto& [id, task] : tasks_) {
    if (task->phase() == TaskPhase::kRestoring) Report(*task);
  }
  return base::Status::Ok();
}

base::Status StreamThread::OpenCreatedTasks() {
  std::vector<Task*> created;
  std::vector<base::TopicPartition> inputs;
  std::vector<base::TopicPartition> changelogs;
  for (const auto& [id, task] : tasks_) {
    if (task->phase() != TaskPhase::kCreated) continue;
    created.push_back(task.get());
    for (const Task::Input& input : task->inputs()) inputs.push_back(input.tp);
    if (!shared_.config.changelogs) continue;
    for (const state::StoreSpec& spec : shared_.topology.StoreSpecs(id.subtopology)) {
      if (spec.changelog) changelogs.push_back({shared_.ChangelogTopic(spec.name), id.partition});
    }
  }
  // The order matters. This slot's init_transactions is done (Connect). Committed() waits for an
  // old owner's open transaction on these inputs; only then is the changelog's end final for what
  // that owner did, so it is asked for afterwards, and read_uncommitted.
  auto committed = consumer_->Committed(inputs, kCommittedWait);
  if (!committed.ok()) return committed.status();
  const milliseconds timeout = shared_.config.request_timeout;
  std::vector<base::TopicPartition> all = inputs;
  all.insert(all.end(), changelogs.begin(), changelogs.end());
  const auto starts = shared_.clients.admin().ListOffsets(all, OffsetSpec::kEarliest,
                                                          Isolation::kReadUncommitted, timeout);
  if (!starts.ok()) return starts.status();
  base::Positions changelog_ends;
  if (!changelogs.empty()) {
    RETURN_IF_ERROR(CheckTopicIds(shared_, changelogs));
    auto latest = shared_.clients.admin().ListOffsets(changelogs, OffsetSpec::kLatest,
                                                      Isolation::kReadUncommitted, timeout);
    if (!latest.ok()) return latest.status();
    changelog_ends = std::move(*latest);
  }
  // Those with rows first: a fetch for the inputs of the others would be under way, and a broker that
  // has nothing for it keeps it for a while, when theirs are added.
  std::stable_partition(created.begin(), created.end(), [this](const Task* task) {
    return !shared_.topology.StoreSpecs(task->id().subtopology).empty();
  });
  // One whose rows somebody still holds keeps no other from starting.
  base::Status held;
  for (Task* task : created) {
    for (Task::Input& input : task->inputs()) {
      input.committed.reset();
      if (const auto it = committed->find(input.tp); it != committed->end()) {
        input.committed = it->second;
      }
    }
    base::Status opened = OpenTask(*task, *starts, changelog_ends);
    if (opened.code() != base::StatusCode::kUnavailable) {
      RETURN_IF_ERROR(opened);
    } else if (held.ok()) {
      held = std::move(opened);
    }
  }
  return held;
}

/// Committed position, else the stored one, else the earliest record there is.
void StreamThread::ResolveStarts(Task& task, const base::Positions& input_starts) {
  for (Task::Input& input : task.inputs()) {
    const base::Offset earliest = input_starts.at(input.tp);
    input.next = input.committed;
    if (!input.next.has_value() && task.state() != nullptr) {
      input.next = task.state()->Position(input.tp);
    }
    if (input.next.has_value() && *input.next < earliest) {
      CountLost(task, input, earliest);
      input.next = earliest;
    }
    if (!input.next.has_value()) input.next = earliest;
    // What the next commit covers is compared with this, and an abort comes back to it.
    input.committed = input.next;
  }
}

base::Status StreamThread::OpenTask(Task& task, const base::Positions& starts,
                                    const base::Positions& changelog_ends) {
  const bool stateful = !shared_.topology.StoreSpecs(task.id().subtopology).empty();
  std::unique_ptr<state::TaskState> state;
  StandbyTasks::Groups repair;
  if (stateful) {
    auto opened = OpenState(task, changelog_ends, starts, &repair);
    if (!opened.ok()) return opened.status();
    state = std::move(*opened);
  }
  task.Open(shared_.topology, std::move(state), shared_.clock, &shared_.metrics);
  ResolveStarts(task, starts);
  task.MoveTo(TaskPhase::kRestoring);
  if (!stateful || !shared_.config.changelogs) return StartRunning(task, 0);
  restorer_.Add(task, starts, changelog_ends, std::move(repair));
  Report(task);
  return base::Status::Ok();
}

base::Result<std::unique_ptr<state::TaskState>> StreamThread::OpenState(
    const Task& task, const base::Positions& changelog_ends,
    const base::Positions& changelog_starts, StandbyTasks::Groups* repair) {
  std::unique_ptr<state::TaskState> state = shared_.tasks.Take(task.id());
  if (state == nullptr && shared_.standbys != nullptr) {
    StandbyTasks::Taken taken = shared_.standbys->Take(task.id());
    if (taken.busy) return base::Status::Unavailable("its warm copy is being brought up to date");
    state = std::move(taken.state);
    *repair = std::move(taken.repair);
  }
  auto opened = OpenTaskState(shared_, task.id(), std::move(state),
                              distrusted_.contains(task.id()), changelog_starts, changelog_ends);
  // Not before they are gone: a query may hold them, and then this is tried again.
  if (opened.ok()) distrusted_.erase(task.id());
  return opened;
}

base::Status StreamThread::StartRunning(Task& task, int64_t replayed) {
  RETURN_IF_ERROR(CheckStandstill());
  MarkCrashed(task);
  base::Positions starts;
  std::vector<base::TopicPartition> resume;
  for (Task::Input& input : task.inputs()) {
    starts[input.tp] = *input.next;
    resume.push_back(input.tp);
    input.paused = false;
  }
  base::Status started;
  if (task.state() != nullptr) {
    started = task.state()->Commit(starts);
    // Only now is the copy as new as its changelog.
    if (started.ok()) {
      started = StampTaskState(*task.state(), shared_.clock);
    }
    if (started.code() == base::StatusCode::kCorruption) distrusted_.insert(task.id());
    if (started.code() == base::StatusCode::kFatal ||
        started.code() == base::StatusCode::kInternal) {
      return started;
    }
  }
  if (started.ok()) started = consumer_->Seek(starts);
  if (started.ok()) started = consumer_->Resume(resume);
  if (!started.ok()) return base::Status::Lost(started.message());
  task.MoveTo(TaskPhase::kRunning);
  if (task.state() != nullptr) {
    metrics_.restore_seconds.Observe(
        std::chrono::duration<double>(shared_.clock.Monotonic() - task.assigned_at()).count());
    const auto reader = task.state()->MakeReader();
    for (const state::StoreSpec& spec : shared_.topology.StoreSpecs(task.id().subtopology)) {
      shared_.stores.Publish(spec.name, task.id().partition, reader, slot_);
    }
    // The process may have stood still since the last look, and what is up be withdrawn: after this
    // it stays so.
    RETURN_IF_ERROR(CheckStandstill());
    for (const Task::Input& input : task.inputs()) {
      shared_.positions.Committed(input.tp, *input.next);
    }
    base::LogInfo("task restored", {{"task", task.id().ToString()}, {"replayed", replayed}});
  }
  Report(task);
  return base::Status::Ok();
}

/// So that a record that crashed everybody so far is passed over.
void StreamThread::MarkCrashed(Task& task) {
  if (shared_.crashes == nullptr) return;
  for (Task::Input& input : task.inputs()) {
    input.crashed_at = base::Offset{-1};
    const auto id = shared_.topic_ids.find(input.tp.topic);
    if (id == shared_.topic_ids.end()) continue;
    const auto count = shared_.crashes->Find(input.tp, id->second);
    if (!count.has_value() || count->times < shared_.config.crashes_max) continue;
    input.crashed_at = count->offset;
    if (*input.next > count->offset) continue;
    LogRecord(base::LogLevel::kError,
              "a record that crashed its stage too often becomes a dead letter",
              {task.id().ToString(), {input.tp, count->offset}, std::string(kTraceUnknown)},
              {{"crashes", count->times}});
  }
}

void StreamThread::WipeAndReopen(const base::TaskId& id, const base::Status& why) {
  base::LogError("restore failed, restoring in full",
                 {{"task", id.ToString()}, {"why", why.ToString()}});
  const auto it = tasks_.find(id);
  if (it == tasks_.end()) return;
  restorer_.Remove(id);
  std::vector<base::TopicPartition> inputs;
  for (const Task::Input& input : it->second->inputs()) inputs.push_back(input.tp);
  auto fresh = std::make_unique<Task>(id, inputs, it->second->assigned_at());
  fresh->SetOutputBytesMax(shared_.config.record_output_bytes_max);
  for (size_t i = 0; i < inputs.size(); ++i) {
    Task::Input& input = fresh->inputs()[i];
    input.index = it->second->inputs()[i].index;
    input.partition_count = it->second->inputs()[i].partition_count;
    routes_[input.tp] = {fresh.get(), &input};
  }
  last_route_ = {nullptr, nullptr};
  it->second = std::move(fresh);
  retry_tasks_at_ = shared_.clock.Monotonic() + kTaskRetryWait;
  const base::Status destroyed = shared_.states.Destroy(shared_.directory.TaskDirectory(id));
  if (!destroyed.ok()) {
    base::LogError("cannot delete the rows",
                   {{"task", id.ToString()}, {"why", destroyed.ToString()}});
  }
}

/// From where the input would read next up to `start`.
void StreamThread::CountLost(const Task& task, const Task::Input& input, base::Offset start) {
  const base::Offset first = input.next.value_or(start);
  const int64_t records = std::max(int64_t{0}, start.value - first.value);
  metrics_.RecordsLost(input.tp.topic, records);
  LogRecord(base::LogLevel::kError, "records were deleted before they were processed",
            {task.id().ToString(), {input.tp, first}, std::string(kTraceUnknown)},
            {{"records", records}});
}

base::Status StreamThread::HandleOutOfRange() {
  if (consumer_ == nullptr) return base::Status::Ok();
  const std::vector<base::TopicPartition> gone = consumer_->TakeOutOfRange();
  if (gone.empty()) return base::Status::Ok();
  auto starts = shared_.clients.admin().ListOffsets(
      gone, OffsetSpec::kEarliest, Isolation::kReadUncommitted, shared_.config.request_timeout);
  // Without an answer the consumer is made anew; its start checks the range again.
  if (!starts.ok()) return base::Status::Lost(starts.status().message());
  base::Positions seek;
  for (const base::TopicPartition& tp : gone) {
    const auto it = routes_.find(tp);
    if (it == routes_.end()) continue;
    Task::Input& input = *it->second.second;
    const base::Offset start = starts->at(tp);
    CountLost(*it->second.first, input, start);
    input.next = start;
    input.committed = start;
    seek[tp] = start;
  }
  // They are reported once: without the seek they would stand still for ever.
  base::Status moved = consumer_->Seek(seek);
  return moved.ok() ? moved : base::Status::Lost(moved.message());
}

void StreamThread::RenewStamps() {
  const std::chrono::nanoseconds now = shared_.clock.Monotonic();
  if (now - last_stamp_ < kStampEvery) return;
  last_stamp_ = now;
  for (const auto& [id, task] : tasks_) {
    if (task->state() == nullptr || task->phase() != TaskPhase::kRunning) continue;
    const base::Status put = StampTaskState(*task->state(), shared_.clock);
    if (!put.ok()) {
      base::LogWarn("cannot renew the stamp", {{"task", id.ToString()}, {"why", put.ToString()}});
    }
  }
}

void StreamThread::Report(const Task& task) {
  TaskReport report;
  report.id = task.id();
  report.thread = slot_;
  report.phase = task.phase();
  for (const Task::Input& input : task.inputs()) {
    report.inputs.emplace_back(input.tp, input.committed);
    report.timestamps_ms.push_back(input.last_timestamp_ms);
  }
  if (task.phase() == TaskPhase::kRestoring) {
    report.restore_remaining = restorer_.Remaining(task.id());
  }
  shared_.tasks.Report(std::move(report));
}

}  // namespace pipeline
