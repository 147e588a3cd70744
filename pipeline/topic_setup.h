#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "base/status.h"
#include "pipeline/kafka_client.h"

namespace pipeline {

/// A topic that must exist, and how.
struct TopicSpec {
  std::string name;
  /// "delete" or "compact"; an existing topic must have it.
  std::string cleanup_policy;
  /// For a topic that is made; 0: as the default count given to EnsureTopics().
  int32_t partitions = 0;
  /// Topics of one group have the same keys and must have equal partition counts; a missing one
  /// gets the count of those that exist. Empty: no group. A spec with `partitions` set belongs to
  /// none.
  std::string copartition_group = {};
  /// True: an existing topic's count must be `partitions`.
  bool exact_partitions = false;
  /// Further settings for a topic that is made, e.g. retention.ms. Not checked on existing ones.
  std::map<std::string, std::string> config = {};
};

/// Makes the topics that are missing and checks those that exist.
///
/// Returns all of them described. Errors: Fatal for a wrong clean-up policy or partition count,
/// naming topic, what it has and what it needs; Unavailable when the cluster does not answer.
base::Result<std::map<std::string, TopicDescription>> EnsureTopics(
    Admin& admin, std::span<const TopicSpec> specs, int32_t default_partitions,
    int32_t replication_factor, std::chrono::milliseconds timeout);

}  // namespace pipeline
