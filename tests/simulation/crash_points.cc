#include "tests/simulation/crash_points.h"

namespace simulation {
namespace {

constexpr int kStepsMax = 400;
constexpr int kOccurrenceMax = 3;
/// A process commits often, and the first commits hold little.
constexpr int kCommitStepsMax = 1500;
constexpr int kCommitOccurrenceMax = 12;

void AddCall(std::vector<std::string>& steps, const std::string& call) {
  steps.push_back(call + ".before");
  steps.push_back(call + ".after");
}

std::vector<std::string> SetUpSteps() {
  std::vector<std::string> steps;
  AddCall(steps, "admin.create_topics");
  AddCall(steps, "admin.describe_topics");
  return steps;
}

/// After these the topics have what the rows do not have yet.
std::vector<std::string> ApartSteps(bool exactly_once) {
  if (exactly_once) return {"producer.commit.after", "state.commit.before"};
  return {"producer.flush.after", "consumer.commit_positions.after", "state.commit.before"};
}

}  // namespace

std::vector<std::string> CommitSteps(bool exactly_once) {
  std::vector<std::string> steps;
  AddCall(steps, "producer.produce");
  AddCall(steps, "state.commit");
  if (exactly_once) {
    AddCall(steps, "producer.begin");
    AddCall(steps, "producer.send_positions");
    AddCall(steps, "producer.commit");
    steps.push_back("producer.commit.flushed");
  } else {
    AddCall(steps, "producer.flush");
    steps.push_back("producer.flush.partial");
    AddCall(steps, "consumer.commit_positions");
  }
  return steps;
}

std::vector<std::string> AllSteps(bool exactly_once) {
  std::vector<std::string> steps = CommitSteps(exactly_once);
  for (const std::string& step : SetUpSteps()) steps.push_back(step);
  for (const char* call :
       {"consumer.subscribe", "consumer.assign", "consumer.poll", "consumer.seek",
        "consumer.committed", "consumer.leave", "reader.assign", "reader.poll",
        "admin.list_offsets", "consumer.on_assigned", "consumer.on_revoked", "consumer.on_lost",
        "state.open", "state.restore", "state.note", "state.destroy"}) {
    AddCall(steps, call);
  }
  if (exactly_once) {
    AddCall(steps, "producer.init");
    AddCall(steps, "producer.abort");
  }
  return steps;
}

CrashPoint DrawCrashPoint(std::mt19937_64& random, const Plan& plan, bool first) {
  std::vector<std::string> steps = AllSteps(plan.exactly_once());
  int occurrence_max = kOccurrenceMax;
  CrashPoint point;
  point.steps_max = kStepsMax;
  const uint64_t choice = random() % 3;
  if (choice == 0) {
    // Twice as often where topics and rows are apart.
    steps = random() % 2 == 0 ? CommitSteps(plan.exactly_once()) : ApartSteps(plan.exactly_once());
    occurrence_max = kCommitOccurrenceMax;
    point.steps_max = kCommitStepsMax;
  } else if (choice == 1 && first) {
    steps = SetUpSteps();
    occurrence_max = 2;
  }
  point.step = steps[random() % steps.size()];
  point.occurrence = static_cast<int>(1 + random() % static_cast<uint64_t>(occurrence_max));
  return point;
}

}  // namespace simulation
