#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

namespace base {

/// A partition number of a topic, from 0.
struct Partition {
  int32_t value = 0;
  auto operator<=>(const Partition&) const = default;
};

/// Where a record lies in its partition; as a *position*, the next one to read.
struct Offset {
  int64_t value = 0;
  auto operator<=>(const Offset&) const = default;
};

struct TopicPartition {
  std::string topic;
  Partition partition;
  auto operator<=>(const TopicPartition&) const = default;

  /// "events[3]"
  std::string ToString() const { return topic + "[" + std::to_string(partition.value) + "]"; }
};

/// A sub-topology for one partition number; written "1_3": sub-topology 1, partition 3.
struct TaskId {
  int32_t subtopology = 0;
  Partition partition;
  auto operator<=>(const TaskId&) const = default;

  std::string ToString() const {
    return std::to_string(subtopology) + "_" + std::to_string(partition.value);
  }
};

/// Positions by topic and partition.
using Positions = std::map<TopicPartition, Offset>;

}  // namespace base

template <>
struct std::hash<base::TopicPartition> {
  size_t operator()(const base::TopicPartition& tp) const noexcept {
    return std::hash<std::string>()(tp.topic) * 31 + static_cast<size_t>(tp.partition.value);
  }
};
