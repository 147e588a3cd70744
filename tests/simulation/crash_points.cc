#include "tests/simulation/crash_points.h"

namespace simulation {
namespace {

constexpr int kStepsMax = 400;
constexpr int kOccurrenceMax = 3;

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

}  // namespace

std::vector<std::string> CommitSteps(bool exactly_once) {
  std::vector<std::string> steps;
  AddCall(steps, "producer.produce");
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
  for (const char* call : {"consumer.subscribe", "consumer.assign", "consumer.poll",
                           "consumer.seek", "consumer.committed", "consumer.leave", "reader.assign",
                           "reader.poll", "admin.list_offsets"}) {
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
  const uint64_t choice = random() % 3;
  if (choice == 0) steps = CommitSteps(plan.exactly_once());
  if (choice == 1 && first) steps = SetUpSteps();
  CrashPoint point;
  point.step = steps[random() % steps.size()];
  point.occurrence = static_cast<int>(1 + random() % (first ? 2 : kOccurrenceMax));
  point.steps_max = kStepsMax;
  return point;
}

}  // namespace simulation
