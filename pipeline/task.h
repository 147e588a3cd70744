#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/metrics.h"
#include "base/status.h"
#include "pipeline/topology.h"
#include "state/task_state.h"

namespace pipeline {

/// The life of a task. Legal moves:
///
///                  +-----------+      +-----------+      +-----------+
///   assigned  ---> |  created  | ---> | restoring | ---> |  running  |
///                  +-----------+      +-----------+      +-----------+
///                        |                  |   ^              |
///                        |                  v   |              v
///                        |            +-----------+  revoked   |
///                        +----------> | suspended | <----------+
///                        |            +-----------+
///                        v                  v
///                  +------------------------------+
///                  |            closed            |  (from any)
///                  +------------------------------+
enum class TaskPhase : uint8_t { kCreated, kRestoring, kRunning, kSuspended, kClosed };

std::string_view TaskPhaseName(TaskPhase phase);

/// One sub-topology for one partition number: its nodes, its stores, and how far its inputs have
/// been processed.
///
/// Threads: the stream thread that owns it.
class Task {
 public:
  struct Input {
    base::TopicPartition tp;
    /// Index of its source in the TaskTopology.
    size_t source = 0;
    /// Its number within the stream thread, for the tags of outgoing records.
    uint16_t index = 0;
    /// Of its topic.
    int32_t partition_count = 0;
    /// Next offset to process; unset until the start is known.
    std::optional<base::Offset> next;
    /// What the last commit covered.
    std::optional<base::Offset> committed;
    /// Timestamp of the last record that was processed; 0: none yet.
    int64_t last_timestamp_ms = 0;
    /// A record that crashed whoever had it in hand, as often as is borne; -1: none.
    base::Offset crashed_at{-1};
    /// Fetching is stopped until the task runs.
    bool paused = true;
  };

  /// `assigned_at`: when it came here, by the monotonic clock.
  Task(base::TaskId id, const std::vector<base::TopicPartition>& inputs,
       std::chrono::nanoseconds assigned_at = {});

  /// Brings the nodes to life. `state` is nullptr for a sub-topology without stores; the rest is
  /// borrowed and outlives the task. REQUIRES: phase() is kCreated; called once.
  void Open(const Topology& topology, std::unique_ptr<state::TaskState> state,
            const base::Clock& clock, base::Metrics* metrics);

  const base::TaskId& id() const { return id_; }
  std::chrono::nanoseconds assigned_at() const { return assigned_at_; }
  TaskPhase phase() const { return phase_; }
  /// REQUIRES: a legal move.
  void MoveTo(TaskPhase phase);

  std::vector<Input>& inputs() { return inputs_; }
  const std::vector<Input>& inputs() const { return inputs_; }
  state::TaskState* state() { return state_.get(); }
  /// REQUIRES: Open() was called.
  const TaskTopology& topology() const { return *nodes_; }

  /// Bytes of all output of one record at most; kOutputBytesMax unless set.
  void SetOutputBytesMax(size_t bytes) { outputs_.SetBytesMax(bytes); }

  /// Runs one record through the nodes. On an error the record's writes are taken back and outputs()
  /// is empty; on success outputs() holds what it led to, until the next call.
  base::Status Process(const Input& input, const RawRecord& record);
  const OutputBuffer& outputs() const { return outputs_; }
  /// The source or stage whose error Process() returned last.
  const std::string& refused_by() const { return refused_by_; }
  /// For a record that is refused before it gets to a node.
  void ForgetRefusal() { refused_by_.clear(); }

  /// Time-driven work of the stages.
  base::Status Punctuate();

  /// Brings the metrics of the stages up to date: what was processed since the last call.
  void HandOverFigures() { nodes_->HandOverFigures(); }

  /// Takes the state out, to hand it to another thread. The task is good for nothing afterwards.
  std::unique_ptr<state::TaskState> ReleaseState() { return std::move(state_); }

 private:
  const base::TaskId id_;
  const std::chrono::nanoseconds assigned_at_;
  TaskPhase phase_ = TaskPhase::kCreated;
  std::vector<Input> inputs_;
  std::unique_ptr<state::TaskState> state_;
  OutputBuffer outputs_;
  std::string refused_by_;
  internal::StageSample sample_;
  uint64_t processed_ = 0;
  std::unique_ptr<TaskTopology> nodes_;
};

}  // namespace pipeline
