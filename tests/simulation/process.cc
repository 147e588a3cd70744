#include "tests/simulation/process.h"

#include <utility>

#include "stages/notification_topology.h"
#include "tests/simulation/event_story.h"

namespace simulation {
namespace {

std::vector<pipeline::TopicSpec> Specs() {
  const stages::Topics topics;
  std::vector<pipeline::TopicSpec> specs;
  for (const std::string& name :
       {topics.events, topics.notifications, topics.inbox_actions, topics.dead_letters}) {
    pipeline::TopicSpec spec;
    spec.name = name;
    spec.cleanup_policy = "delete";
    specs.push_back(std::move(spec));
  }
  pipeline::TopicSpec users;
  users.name = topics.users;
  users.cleanup_policy = "compact";
  specs.push_back(std::move(users));
  return specs;
}

}  // namespace

void CreateTopics(const Plan& plan, support::FakeCluster& cluster) {
  const stages::Topics topics;
  cluster.CreateTopic(topics.events, plan.event_partitions);
  cluster.CreateTopic(topics.notifications, plan.inbox_partitions,
                      {{"max.message.bytes", std::to_string(kNotificationRecordBytesMax)}});
  cluster.CreateTopic(topics.inbox_actions, plan.inbox_partitions);
  cluster.CreateTopic(topics.dead_letters, 1);
  cluster.CreateTopic(topics.users, 2, {{"cleanup.policy", "compact"}});
}

Process::Process(const Plan& plan, const std::string& instance,
                 const std::filesystem::path& directory, state::TaskStates& states,
                 support::FakeCluster& cluster, const base::Clock& clock)
    : topology_(stages::BuildNotificationTopology(stages::Topics(), {})),
      clients_(cluster),
      states_(states, [this](std::string_view step) { OnStep(step); }),
      engine_(topology_, plan.Config(instance, directory), Specs(), plan.inbox_partitions, clients_,
              clock, states_) {
  clients_.SetStepHook([this](std::string_view step) { OnStep(step); });
}

void Process::CrashAt(const CrashPoint& point) {
  crash_point_ = point;
  armed_ = true;
}

void Process::LingerAt(const std::string& step, std::function<void()> meanwhile) {
  linger_at_ = step;
  meanwhile_ = std::move(meanwhile);
}

void Process::OnStep(std::string_view step) {
  if (meanwhile_ && step == linger_at_) std::exchange(meanwhile_, nullptr)();
  if (!armed_) return;
  const bool here = step == crash_point_.step && --crash_point_.occurrence <= 0;
  if (!here && --crash_point_.steps_max > 0) return;
  armed_ = false;
  clients_.Kill();
  throw SimulatedCrash{std::string(step)};
}

base::Result<pipeline::Turn> Process::RunOnce() {
  if (!started_) {
    const base::Status status = engine_.Start();
    if (status.code() == base::StatusCode::kUnavailable) return pipeline::Turn::kRetry;
    if (!status.ok()) return status;
    started_ = true;
  }
  return engine_.RunOnce();
}

}  // namespace simulation
