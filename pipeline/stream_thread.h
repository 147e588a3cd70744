#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "pipeline/crash_mark.h"
#include "pipeline/engine_shared.h"
#include "pipeline/kafka_client.h"
#include "pipeline/record_trace.h"
#include "pipeline/restorer.h"
#include "pipeline/standby_tasks.h"
#include "pipeline/stream_thread_metrics.h"
#include "pipeline/task.h"

namespace pipeline {

/// What one turn of a stream thread's loop came to.
enum class Turn {
  /// Something was done; go on at once.
  kWorked,
  /// Nothing to do now (the poll has waited already).
  kIdle,
  /// The cluster could not be reached, or must be asked again: wait a moment before the next turn.
  kRetry,
};

/// One member of the group with its consumer, its producer and its tasks: poll a batch, process,
/// punctuate, maybe commit.
///
/// Crash safety rests on the order inside Commit(), argued in stream_thread_commit.cc. Destroying a
/// StreamThread without Stop() is a crash: nothing is committed or flushed.
///
/// Threads: one at a time; tests step it by hand.
class StreamThread : private RebalanceListener {
 public:
  /// `slot` numbers the threads of the instance from 0; with the instance id it makes the member's
  /// and the producer's stable names.
  StreamThread(EngineShared& shared, std::string instance_id, int slot);
  ~StreamThread() override;

  /// Does ahead what the first turn can do before the global tables are read: init_transactions, and
  /// a consumer that reaches for the group without joining it. What fails is tried again by the
  /// first turn, which tells. REQUIRES: no turn yet.
  void Prepare();

  /// One turn. The first ones connect: init_transactions, then join the group.
  /// Errors: Fatal, and Internal (destroy this one and make another, see StatusCode); all else is
  /// handled inside (abort and replay, or close dirty and restart). An exception of a stage passes
  /// through and means Internal.
  base::Result<Turn> RunOnce();

  /// Commits what is done, leaves the group and closes. Gives up within the configured time-outs
  /// when the cluster is gone; what was not committed is replayed by whoever takes over.
  /// With EngineConfig::stay_on_stop the group is not left.
  void Stop();

  /// After an error: aborts an open transaction, which would block readers until it times out. The
  /// group is not left.
  void Abandon();

  /// In the group, and every assigned task runs.
  bool Ready() const;

  /// "<application id>-<instance id>-<slot>"
  static std::string TransactionalId(const EngineConfig& config, const std::string& instance_id,
                                     int slot);

 private:
  /// The tag of changelog records; those of other records carry their input's number and offset.
  static constexpr uint64_t kChangelogTag = ~uint64_t{0};

  struct RefusedInput {
    std::string reason;
    /// Its dead letter was refused as well.
    bool dead_letter = false;
  };

  // RebalanceListener; called from within Poll() and Leave().
  void OnAssigned(const std::vector<base::TopicPartition>& partitions) override;
  void OnRevoked(const std::vector<base::TopicPartition>& partitions) override;
  void OnLost(const std::vector<base::TopicPartition>& partitions) override;

  base::Status MakeProducer();
  base::Status MakeConsumer();
  base::Status Connect();
  /// Counts the record that was in hand when this slot's last thread came to its end.
  base::Status CountCrash();
  /// Lost when the process stood still for so long that others may have this thread's share.
  base::Status CheckStandstill();
  base::Status RunStages(Task& task, Task::Input& input, const RawRecord& record);
  /// Drops consumer, producer and tasks as a crash would; the next turn connects again.
  void RestartDirty(const base::Status& why);
  void CloseTask(Task& task);
  void CloseAllTasks();
  void PublishRestoring(const base::TaskId& id);
  /// Says that what this thread had and has no more is not here.
  void UnpublishOthers();

  // Bringing tasks up (stream_thread_tasks.cc).
  base::Status AdvanceTasks(bool* worked);
  base::Status OpenCreatedTasks();
  /// `starts`: of its inputs and its changelogs.
  base::Status OpenTask(Task& task, const base::Positions& starts,
                        const base::Positions& changelog_ends);
  uint16_t NumberOf(const base::TopicPartition& tp);
  void ResolveStarts(Task& task, const base::Positions& input_starts);
  base::Result<std::unique_ptr<state::TaskState>> OpenState(
      const Task& task, const base::Positions& changelog_ends,
      const base::Positions& changelog_starts, StandbyTasks::Groups* repair);
  base::Status StartRunning(Task& task, int64_t replayed);
  base::Status HandleOutOfRange();
  void MarkCrashed(Task& task);
  void WipeAndReopen(const base::TaskId& id, const base::Status& why);
  void RenewStamps();
  void CountLost(const Task& task, const Task::Input& input, base::Offset start);
  void Report(const Task& task);

  // The hot path.
  base::Status ProcessBatch(const RecordBatch& batch);
  base::Status ProcessRecord(Task& task, Task::Input& input, const RecordBatch& batch,
                             size_t index);
  base::Status ProduceOutputs(const Task& task, Task::Input& input, const RawRecord& record,
                              const Headers* headers);
  base::Status SendToItsPartition(Task& task, Task::Input& input, const RecordBatch& batch,
                                  size_t index, base::Partition right);
  base::Status Refuse(const Task& task, const Task::Input& input, const RecordBatch& batch,
                      size_t index, const base::Status& why);
  /// The trace of a record of `batch`; looks at headers and value again, so for what is rare.
  RecordTrace TraceOf(const Task& task, const Task::Input& input, const RecordBatch& batch,
                      size_t index) const;
  base::Status PunctuateWhenDue();
  std::pair<Task*, Task::Input*> Route(const RecordMetadata& metadata);

  // stream_thread_commit.cc
  base::Status EnsureTransaction();
  base::Status Commit(milliseconds timeout);
  base::Status ProduceChangelogs();
  /// Of all tasks' rows.
  size_t PendingBytes() const;
  void CollectPositions(base::Positions* positions);
  base::Status CommitRows();
  base::Status AbortAndReplay(const base::Status& why);
  /// What is open is given up, whoever aborts it.
  void GiveUpTransaction();
  bool ShouldCommit(bool input_dry) const;

  EngineShared& shared_;
  const std::string instance_id_;
  const int slot_;
  const bool exactly_once_;
  const std::string name_;

  std::unique_ptr<Producer> producer_;
  std::chrono::nanoseconds producer_made_at_{0};
  std::unique_ptr<Consumer> consumer_;
  /// Not subscribed yet.
  std::unique_ptr<Consumer> prepared_consumer_;
  bool joined_ = false;
  bool producer_lost_ = false;
  /// What went wrong within a rebalance and is for the caller of RunOnce() to know.
  base::Status pending_failure_;
  /// Opened by the first Connect(); unset when crashes are not counted.
  std::optional<CrashMark> mark_;
  uint64_t standstills_seen_ = 0;

  // Tasks before the restorer: it borrows them.
  std::map<base::TaskId, std::unique_ptr<Task>> tasks_;
  Restorer restorer_;
  std::map<base::TopicPartition, std::pair<Task*, Task::Input*>> routes_;
  std::pair<Task*, Task::Input*> last_route_{nullptr, nullptr};
  std::string_view last_topic_;
  base::Partition last_partition_;
  /// All inputs that this thread ever had, by their number.
  std::vector<base::TopicPartition> input_numbers_;
  std::chrono::nanoseconds retry_tasks_at_{0};
  /// Tasks whose stores this thread has published, here or as restoring.
  std::set<base::TaskId> published_;
  /// Tasks whose rows turned out unreadable: wiped before they are opened again.
  std::set<base::TaskId> distrusted_;

  bool in_transaction_ = false;
  /// Changelog records of this transaction have been produced.
  bool changelog_sent_ = false;
  /// Records were processed since the last commit.
  bool work_done_ = false;
  /// The consumer may have handed out records that were not processed: its positions say nothing.
  bool inside_batch_ = false;
  size_t output_bytes_ = 0;
  /// When the open transaction's first record came.
  std::chrono::nanoseconds transaction_began_{0};
  std::chrono::nanoseconds last_commit_{0};
  std::chrono::nanoseconds last_punctuate_{0};
  std::chrono::nanoseconds last_stamp_{0};
  /// Produce times of a sample of the records since the last commit, for the latency histogram.
  std::vector<int64_t> origin_times_ms_;
  /// Input records whose output a broker refused, so that their replay becomes a dead letter.
  std::map<std::pair<base::TopicPartition, base::Offset>, RefusedInput> refused_inputs_;

  StreamThreadMetrics metrics_;
};

}  // namespace pipeline
