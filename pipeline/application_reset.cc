#include "pipeline/application_reset.h"

#include <utility>

namespace pipeline {

ApplicationReset::ApplicationReset(Admin& admin, const Topology& topology, ResetOptions options)
    : admin_(admin), topology_(topology), options_(std::move(options)) {}

std::vector<std::string> ApplicationReset::Changelogs() const {
  // By their full names: all topics that begin with "herald-" may be those of "herald-2", too.
  std::vector<std::string> names;
  for (const StoreDescription& store : topology_.stores()) {
    if (!store.options.changelog) continue;
    names.push_back(options_.topic_prefix + options_.application_id + "-" + store.name +
                    "-changelog");
  }
  return names;
}

base::Result<ResetPlan> ApplicationReset::Plan() {
  ResetPlan plan;
  plan.group = options_.application_id;
  RETURN_IF_ERROR(CheckMembers());
  auto inputs = InputPartitions();
  if (!inputs.ok()) return inputs.status();
  std::vector<std::string> internal = Changelogs();
  internal.push_back(options_.topic_prefix + options_.application_id + "-instances");
  auto existing = admin_.DescribeTopics(internal, options_.request_timeout);
  if (!existing.ok()) return existing.status();
  for (const auto& [name, topic] : *existing) plan.topics.push_back(name);
  auto committed = admin_.GroupPositions(plan.group, *inputs, options_.request_timeout);
  if (committed.status().code() == base::StatusCode::kInvalidArgument) {
    return base::Status::InvalidArgument(
        committed.status().message() +
        "; an instance that was killed left it, and the brokers end it when its time is over "
        "(a minute, unless transaction.timeout.ms says otherwise): try again then");
  }
  if (!committed.ok()) return committed.status();
  auto targets = Targets(*inputs);
  if (!targets.ok()) return targets.status();
  for (const base::TopicPartition& partition : *inputs) {
    ResetPlan::Input input{partition, std::nullopt, std::nullopt};
    if (const auto it = committed->find(partition); it != committed->end()) input.from = it->second;
    if (const auto it = targets->find(partition); it != targets->end()) input.to = it->second;
    plan.inputs.push_back(std::move(input));
  }
  return plan;
}

base::Status ApplicationReset::CheckMembers() {
  auto group = admin_.DescribeGroup(options_.application_id, options_.request_timeout);
  if (!group.ok()) return group.status();
  if (group->members.empty() && group->stable) return base::Status::Ok();
  std::string names;
  for (const GroupMember& member : group->members) {
    names += (names.empty() ? "" : ", ") + member.group_instance_id;
  }
  return base::Status::InvalidArgument(
      "group " + options_.application_id + " has members" + (names.empty() ? "" : ": " + names) +
      "; stop these instances first (one that was killed, or stopped with --stay-on-stop, is a "
      "member until its --session-timeout-ms is over)");
}

base::Result<std::vector<base::TopicPartition>> ApplicationReset::InputPartitions() {
  const std::vector<std::string> names = topology_.SourceTopics();
  auto described = admin_.DescribeTopics(names, options_.request_timeout);
  if (!described.ok()) return described.status();
  std::vector<base::TopicPartition> partitions;
  for (const std::string& name : names) {
    const auto topic = described->find(name);
    if (topic == described->end()) {
      return base::Status::InvalidArgument("topic " + name +
                                           " does not exist: is --topic-prefix right?");
    }
    for (int32_t i = 0; i < topic->second.partitions; ++i) {
      partitions.push_back({name, base::Partition{i}});
    }
  }
  return partitions;
}

base::Result<Positions> ApplicationReset::Targets(const std::vector<base::TopicPartition>& inputs) {
  if (options_.to == ResetTo::kStart) return Positions();
  const OffsetSpec spec =
      options_.to == ResetTo::kEarliest ? OffsetSpec::kEarliest : OffsetSpec::kLatest;
  // Behind what an open transaction has written so far: it belongs to what was before.
  auto targets =
      admin_.ListOffsets(inputs, spec, Isolation::kReadUncommitted, options_.request_timeout);
  if (!targets.ok() || options_.to != ResetTo::kTime) return targets;
  auto at = admin_.ListOffsetsAt(inputs, options_.time_ms, options_.request_timeout);
  if (!at.ok()) return at;
  for (const auto& [partition, offset] : *at) (*targets)[partition] = offset;
  return targets;
}

base::Status ApplicationReset::CarryOut(const ResetPlan& plan,
                                        const std::function<void(Step)>& done) {
  // First, because the group's coordinator does it only while nobody is a member: an instance that
  // was started a moment ago keeps its changelog.
  RETURN_IF_ERROR(admin_.DeleteGroup(plan.group, options_.request_timeout));
  done(Step::kGroupDeleted);
  RETURN_IF_ERROR(admin_.DeleteTopics(plan.topics, options_.request_timeout));
  done(Step::kTopicsDeleted);
  Positions positions;
  for (const ResetPlan::Input& input : plan.inputs) {
    if (input.to.has_value()) positions.emplace(input.partition, *input.to);
  }
  RETURN_IF_ERROR(admin_.SetGroupPositions(plan.group, positions, options_.request_timeout));
  done(Step::kPositionsSet);
  return base::Status::Ok();
}

}  // namespace pipeline
