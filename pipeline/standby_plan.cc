#include "pipeline/standby_plan.h"

#include <algorithm>
#include <set>

#include "pipeline/instance_directory.h"

namespace pipeline {
namespace {

/// The instance that the partition goes to; empty when nobody is there. `members` is sorted: range
/// takes static members in the order of their names' bytes.
std::string OwnerOf(base::Partition partition, int32_t partitions,
                    const std::vector<std::string>& members) {
  if (members.empty()) return "";
  return InstanceDirectory::InstanceOfMember(
      members[RangeMember(partition.value, partitions, members.size())]);
}

std::vector<std::string> Without(std::vector<std::string> members, const std::string& instance) {
  std::erase_if(members, [&](const std::string& member) {
    return InstanceDirectory::InstanceOfMember(member) == instance;
  });
  return members;
}

}  // namespace

size_t RangeMember(int32_t partition, int32_t partitions, size_t members) {
  const auto number = static_cast<size_t>(partition);
  const size_t share = static_cast<size_t>(partitions) / members;
  const size_t larger = static_cast<size_t>(partitions) % members;
  if (number < larger * (share + 1)) return number / (share + 1);
  return larger + (number - larger * (share + 1)) / share;
}

std::vector<std::string> StandbyInstances(base::Partition partition, int32_t partitions,
                                          std::vector<std::string> members, size_t count) {
  std::sort(members.begin(), members.end());
  const std::string owner = OwnerOf(partition, partitions, members);
  std::vector<std::string> standbys;
  const auto add = [&](const std::string& instance) {
    if (instance.empty() || instance == owner || standbys.size() >= count) return;
    if (std::find(standbys.begin(), standbys.end(), instance) == standbys.end()) {
      standbys.push_back(instance);
    }
  };
  std::vector<std::string> left = Without(members, owner);
  add(OwnerOf(partition, partitions, left));
  std::set<std::string> instances;
  for (const std::string& member : members) {
    instances.insert(InstanceDirectory::InstanceOfMember(member));
  }
  for (const std::string& instance : instances) {
    if (instance != owner) add(OwnerOf(partition, partitions, Without(members, instance)));
  }
  while (!left.empty() && standbys.size() < count) {
    const std::string next = OwnerOf(partition, partitions, left);
    add(next);
    left = Without(left, next);
  }
  return standbys;
}

}  // namespace pipeline
