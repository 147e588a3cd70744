// The commit of a stream thread, and the argument why a crash between any two of its steps is safe.

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "pipeline/disk_space.h"
#include "pipeline/stream_thread.h"

namespace pipeline {

base::Status StreamThread::EnsureTransaction() {
  if (in_transaction_) return base::Status::Ok();
  if (exactly_once_) RETURN_IF_ERROR(producer_->BeginTransaction());
  in_transaction_ = true;
  transaction_began_ = shared_.clock.Monotonic();
  changelog_sent_ = false;
  return base::Status::Ok();
}

bool StreamThread::ShouldCommit(bool input_dry) const {
  if (consumer_ == nullptr || tasks_.empty()) return false;
  // Low load: as soon as nothing waits. High load: when the interval is over.
  if (work_done_ && input_dry) return true;
  return shared_.clock.Monotonic() - last_commit_ >= shared_.config.commit_interval;
}

void StreamThread::CollectPositions(base::Positions* positions) {
  for (auto& [id, task] : tasks_) {
    if (task->phase() != TaskPhase::kRunning) continue;
    for (Task::Input& input : task->inputs()) {
      if (!inside_batch_) {
        // Control records behind the last record count as read, else a lag would stay.
        const std::optional<base::Offset> position = consumer_->Position(input.tp);
        if (position.has_value() && position > input.next) input.next = position;
      }
      if (input.next.has_value() && input.next != input.committed) {
        (*positions)[input.tp] = *input.next;
      }
    }
  }
}

/// Exactly once:
///   1. changelog records of all pending rows are produced into the transaction that holds the
///      outputs and dead letters of the same input records;
///   2. the inputs' positions are added to it, checked against the group's generation;
///   3. the transaction is committed;
///   4. each task writes one batch: rows + changelog position + input positions.
/// A crash before 3: the broker aborts the transaction (at the latest when this slot's next producer
/// initialises), local rows are untouched because pending rows live in memory only, and the inputs
/// are replayed. A crash between 3 and 4: the changelog is ahead of the rows by exactly this
/// transaction, and the restore replays that tail. The answer to 3 unknown: treated as a crash
/// (Lost), so the restore reads what the broker decided. After 4 all agree. Rows never run ahead of
/// the changelog, hence never have to be wiped.
///
/// At least once:
///   1. changelog records are produced; 2. everything is flushed, each delivery report good;
///   3. positions are committed; 4. the same batch. A crash before 3 replays inputs whose outputs
///   are already out: repeats, never gaps. A failure after 1 is taken for a crash (Lost): the
///   changelog has rows now that the local ones lack, and a later, smaller commit would move the
///   position past them. Whoever restores from the changelog has them, so takes the records for known
///   and writes nothing, and this copy would never get them.
base::Status StreamThread::Commit(milliseconds timeout) {
  const std::chrono::nanoseconds started = shared_.clock.Monotonic();
  last_commit_ = started;
  base::Positions positions;
  CollectPositions(&positions);
  if (positions.empty() && !work_done_) return base::Status::Ok();
  if (positions.empty()) {
    // Work of a punctuation alone: the positions as they stand, so that this commit too is checked
    // against the generation. Without it a member that has lost its partitions could still write.
    for (const auto& [id, task] : tasks_) {
      if (task->phase() != TaskPhase::kRunning) continue;
      for (const Task::Input& input : task->inputs()) {
        if (input.committed.has_value()) positions[input.tp] = *input.committed;
      }
    }
  }
  // Before anything goes out: what is not begun has not to be finished by a restore.
  RETURN_IF_ERROR(
      CheckDiskSpace(shared_.config.state_directory, shared_.config.disk_reserve_bytes));
  RETURN_IF_ERROR(EnsureTransaction());
  RETURN_IF_ERROR(ProduceChangelogs());
  if (exactly_once_) {
    if (!positions.empty()) {
      RETURN_IF_ERROR(producer_->SendPositions(positions, *consumer_->Group(), timeout));
    }
    RETURN_IF_ERROR(producer_->CommitTransaction(timeout));
  } else {
    RETURN_IF_ERROR(producer_->Flush(timeout));
    if (!positions.empty()) RETURN_IF_ERROR(consumer_->CommitPositions(positions));
  }
  in_transaction_ = false;
  metrics_.transaction_bytes.Observe(static_cast<double>(output_bytes_ + PendingBytes()));
  if (base::Status rows = CommitRows(); !rows.ok()) {
    // The topics are ahead of the rows now: only a restore brings them together, not a replay.
    return rows.code() == base::StatusCode::kUnavailable ? base::Status::Lost(rows.message())
                                                         : rows;
  }
  // From here, not from the start: commits that take as long as the interval would follow each other
  // with next to nothing between them, and small transactions cost the most.
  last_commit_ = shared_.clock.Monotonic();
  metrics_.commits.Increment();
  metrics_.commit_seconds.Observe(std::chrono::duration<double>(last_commit_ - started).count());
  metrics_.transaction_seconds.Observe(
      std::chrono::duration<double>(last_commit_ - transaction_began_).count());
  metrics_.HandOver();
  return base::Status::Ok();
}

size_t StreamThread::PendingBytes() const {
  size_t bytes = 0;
  for (const auto& [id, task] : tasks_) {
    if (task->state() != nullptr) bytes += task->state()->pending_bytes();
  }
  return bytes;
}

base::Status StreamThread::ProduceChangelogs() {
  if (!shared_.config.changelogs) return base::Status::Ok();
  for (auto& [id, task] : tasks_) {
    if (task->state() == nullptr || !task->state()->has_pending()) continue;
    std::string_view current;
    std::string topic;
    uint64_t records = 0;
    base::Status status = task->state()->VisitPending(
        [&, partition = id.partition](std::string_view store, std::string_view key,
                                      std::optional<std::string_view> value) {
          if (store != current) {
            if (records > 0) metrics_.ProducedTo(topic, std::exchange(records, 0));
            current = store;
            topic = shared_.ChangelogTopic(store);
          }
          ++records;
          OutgoingRecord record;
          record.topic = topic;
          record.partition = partition;
          record.key = key;
          record.value = value;
          record.tag = kChangelogTag;
          changelog_sent_ = true;
          base::Status produced = producer_->Produce(record);
          if (produced.code() == base::StatusCode::kInvalidArgument) {
            return base::Status::Fatal("changelog " + topic + " takes no row of " +
                                       std::to_string(key.size() + value.value_or("").size()) +
                                       " bytes: " + produced.message());
          }
          return produced;
        });
    if (records > 0) metrics_.ProducedTo(topic, records);
    RETURN_IF_ERROR(std::move(status));
  }
  return base::Status::Ok();
}

base::Status StreamThread::CommitRows() {
  for (auto& [id, task] : tasks_) {
    if (task->phase() != TaskPhase::kRunning) continue;
    bool moved = false;
    base::Positions stored;
    for (Task::Input& input : task->inputs()) {
      if (input.next == input.committed) continue;
      moved = true;
      stored[input.tp] = *input.next;
      input.committed = input.next;
    }
    if (task->state() != nullptr && (moved || task->state()->has_pending())) {
      if (shared_.config.changelogs) {
        for (const state::StoreSpec& spec : shared_.topology.StoreSpecs(id.subtopology)) {
          if (!spec.changelog) continue;
          const base::TopicPartition tp{shared_.ChangelogTopic(spec.name), id.partition};
          if (const auto last = producer_->LastDelivered(tp); last.has_value()) {
            stored[tp] = base::Offset{last->value + 1};
          }
        }
      }
      if (base::Status written = task->state()->Commit(stored); !written.ok()) {
        if (written.code() == base::StatusCode::kCorruption) distrusted_.insert(id);
        return written.WithContext("task " + id.ToString());
      }
    }
    if (!moved) continue;
    Report(*task);
    if (task->state() == nullptr) continue;
    for (const Task::Input& input : task->inputs()) {
      if (stored.contains(input.tp)) shared_.positions.Committed(input.tp, *input.next);
    }
  }
  const int64_t now_ms = shared_.clock.NowMs();
  for (const int64_t origin_ms : origin_times_ms_) {
    // One of a clock that is ahead of ours took no time that we know of.
    const int64_t taken_ms = std::max(now_ms - origin_ms, int64_t{0});
    metrics_.latency_seconds.Observe(static_cast<double>(taken_ms) / 1000.0);
  }
  origin_times_ms_.clear();
  std::erase_if(refused_inputs_, [this](const auto& entry) {
    const auto route = routes_.find(entry.first.first);
    return route == routes_.end() ||
           entry.first.second < route->second.second->committed.value_or(base::Offset{0});
  });
  work_done_ = false;
  output_bytes_ = 0;
  return base::Status::Ok();
}

}  // namespace pipeline
