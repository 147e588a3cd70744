#include "pipeline/task.h"

#include <array>

#include "base/check.h"

namespace pipeline {
namespace {

constexpr size_t kPhases = 5;
/// The stages' times are taken of one record in so many: two looks at the clock for each stage.
constexpr uint64_t kStageSampleEvery = 64;

// kLegalMoves[from][to], in the order of TaskPhase; the picture is in the header.
constexpr std::array<std::array<bool, kPhases>, kPhases> kLegalMoves = {{
    /* created   */ {false, true, false, true, true},
    /* restoring */ {false, false, true, true, true},
    /* running   */ {false, false, false, true, true},
    /* suspended */ {false, true, false, false, true},
    /* closed    */ {false, false, false, false, false},
}};

}  // namespace

std::string_view TaskPhaseName(TaskPhase phase) {
  static constexpr std::array<std::string_view, kPhases> kNames = {"created", "restoring", "running",
                                                                   "suspended", "closed"};
  return kNames[static_cast<size_t>(phase)];
}

Task::Task(base::TaskId id, const std::vector<base::TopicPartition>& inputs,
           std::chrono::nanoseconds assigned_at)
    : id_(id), assigned_at_(assigned_at) {
  for (const base::TopicPartition& tp : inputs) {
    Input input;
    input.tp = tp;
    inputs_.push_back(std::move(input));
  }
}

void Task::Open(const Topology& topology, std::unique_ptr<state::TaskState> state,
                const base::Clock& clock, base::Metrics* metrics) {
  CHECK(phase_ == TaskPhase::kCreated && nodes_ == nullptr, "a task is opened once");
  state_ = std::move(state);
  internal::BuildArgs args;
  args.stores = [this](std::string_view name) -> state::KeyValueStore& {
    CHECK(state_ != nullptr, "a stage asks for a store in a task without state");
    return state_->Store(name);
  };
  args.outputs = &outputs_;
  args.refused_by = &refused_by_;
  args.clock = &clock;
  args.metrics = metrics;
  args.sample = &sample_;
  nodes_ = topology.Instantiate(id_.subtopology, args);
  for (Input& input : inputs_) input.source = nodes_->SourceIndex(input.tp.topic);
}

void Task::MoveTo(TaskPhase phase) {
  CHECK(kLegalMoves[static_cast<size_t>(phase_)][static_cast<size_t>(phase)],
        "task " + id_.ToString() + " from " + std::string(TaskPhaseName(phase_)) + " to " +
            std::string(TaskPhaseName(phase)));
  phase_ = phase;
}

base::Status Task::Process(const Input& input, const RawRecord& record) {
  outputs_.Clear();
  refused_by_.clear();
  // Also after a record at which a stage threw.
  sample_ = {.on = processed_++ % kStageSampleEvery == 0};
  if (state_ != nullptr) state_->BeginRecord();
  base::Status status = nodes_->Deliver(input.source, record);
  if (!status.ok()) {
    outputs_.Clear();
    if (state_ != nullptr) state_->RollbackRecord();
  }
  return status;
}

base::Status Task::Punctuate() {
  outputs_.Clear();
  sample_ = {};
  if (state_ != nullptr) state_->BeginRecord();
  return nodes_->Punctuate();
}

}  // namespace pipeline
