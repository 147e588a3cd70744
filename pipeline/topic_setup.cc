#include "pipeline/topic_setup.h"

#include <utility>
#include <vector>

#include "base/log.h"

namespace pipeline {
namespace {

/// The partition count of each copartition group, from the topics that exist.
base::Result<std::map<std::string, int32_t>> GroupCounts(
    std::span<const TopicSpec> specs, const std::map<std::string, TopicDescription>& existing) {
  std::map<std::string, std::pair<int32_t, std::string>> counts;
  std::map<std::string, int32_t> result;
  for (const TopicSpec& spec : specs) {
    const auto found = existing.find(spec.name);
    if (spec.copartition_group.empty() || found == existing.end()) continue;
    const auto [it, first] = counts.emplace(
        spec.copartition_group, std::pair(found->second.partitions, spec.name));
    if (!first && it->second.first != found->second.partitions) {
      return base::Status::Fatal(
          "topics " + it->second.second + " (" + std::to_string(it->second.first) +
          " partitions) and " + spec.name + " (" + std::to_string(found->second.partitions) +
          " partitions) must have the same number of partitions: they share their keys");
    }
    result[spec.copartition_group] = found->second.partitions;
  }
  return result;
}

base::Status Check(const TopicSpec& spec, const TopicDescription& topic) {
  const auto policy = topic.config.find("cleanup.policy");
  if (policy != topic.config.end() && policy->second != spec.cleanup_policy) {
    return base::Status::Fatal("topic " + spec.name + " has cleanup.policy=" + policy->second +
                               ", it must be " + spec.cleanup_policy);
  }
  if (spec.exact_partitions && topic.partitions != spec.partitions) {
    return base::Status::Fatal("topic " + spec.name + " has " + std::to_string(topic.partitions) +
                               " partitions, it must have " + std::to_string(spec.partitions));
  }
  return base::Status::Ok();
}

}  // namespace

base::Result<std::map<std::string, TopicDescription>> EnsureTopics(
    Admin& admin, std::span<const TopicSpec> specs, int32_t default_partitions,
    int32_t replication_factor, std::chrono::milliseconds timeout) {
  std::vector<std::string> names;
  for (const TopicSpec& spec : specs) names.push_back(spec.name);
  auto existing = admin.DescribeTopics(names, timeout);
  if (!existing.ok()) return existing.status();
  auto groups = GroupCounts(specs, *existing);
  if (!groups.ok()) return groups.status();

  std::vector<NewTopic> missing;
  for (const TopicSpec& spec : specs) {
    if (const auto found = existing->find(spec.name); found != existing->end()) {
      RETURN_IF_ERROR(Check(spec, found->second));
      continue;
    }
    NewTopic topic;
    topic.name = spec.name;
    topic.partitions = spec.partitions > 0 ? spec.partitions : default_partitions;
    if (const auto group = groups->find(spec.copartition_group); group != groups->end()) {
      topic.partitions = group->second;
    }
    topic.replication_factor = replication_factor;
    topic.config = spec.config;
    topic.config["cleanup.policy"] = spec.cleanup_policy;
    base::LogInfo("making topic", {{"topic", topic.name}, {"partitions", topic.partitions}});
    missing.push_back(std::move(topic));
  }
  if (missing.empty()) return existing;
  RETURN_IF_ERROR(admin.CreateTopics(missing, timeout));
  auto described = admin.DescribeTopics(names, timeout);
  if (!described.ok()) return described.status();
  // Another instance may have made them meanwhile, with other counts.
  if (auto counts = GroupCounts(specs, *described); !counts.ok()) return counts.status();
  for (const TopicSpec& spec : specs) {
    const auto found = described->find(spec.name);
    if (found == described->end()) {
      return base::Status::Unavailable("topic " + spec.name + " was made but is not visible yet");
    }
    RETURN_IF_ERROR(Check(spec, found->second));
  }
  return described;
}

}  // namespace pipeline
