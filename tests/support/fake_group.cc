#include "tests/support/fake_group.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace support {

std::string FakeGroup::Join(const std::string& instance_id, const std::vector<std::string>& topics,
                            const PartitionCounts& counts) {
  const std::string member_id =
      (instance_id.empty() ? "member" : instance_id) + "-" + std::to_string(++member_ids_);
  if (!instance_id.empty()) {
    for (Member& member : members_) {
      if (member.instance_id != instance_id) continue;
      const bool same_topics = member.topics == topics;
      member.member_id = member_id;
      member.topics = topics;
      member.seen_generation = -1;
      if (preparing_) {
        member.joined = true;
        CompleteIfAllJoined(counts);
      } else if (!same_topics) {
        StartRebalance(counts);
        Rejoin(*Find(member_id), counts);
      }
      return member_id;
    }
  }
  Member member;
  member.member_id = member_id;
  member.instance_id = instance_id;
  member.topics = topics;
  members_.push_back(std::move(member));
  StartRebalance(counts);
  Rejoin(members_.back(), counts);
  return member_id;
}

FakeGroup::Member* FakeGroup::Find(const std::string& member_id) {
  for (Member& member : members_) {
    if (member.member_id == member_id) return &member;
  }
  return nullptr;
}

bool FakeGroup::FencedBy(const std::string& member_id, const std::string& instance_id) const {
  if (instance_id.empty()) return false;
  return std::any_of(members_.begin(), members_.end(), [&](const Member& member) {
    return member.instance_id == instance_id && member.member_id != member_id;
  });
}

void FakeGroup::Remove(const std::string& member_id, const PartitionCounts& counts) {
  std::erase_if(members_, [&](const Member& member) { return member.member_id == member_id; });
  if (preparing_) {
    CompleteIfAllJoined(counts);
  } else {
    StartRebalance(counts);
  }
}

bool FakeGroup::Expire(const std::string& instance_id, const PartitionCounts& counts) {
  for (const Member& member : members_) {
    if (member.instance_id != instance_id) continue;
    Remove(std::string(member.member_id), counts);
    return true;
  }
  return false;
}

void FakeGroup::Rejoin(Member& member, const PartitionCounts& counts) {
  member.joined = true;
  CompleteIfAllJoined(counts);
}

void FakeGroup::StartRebalance(const PartitionCounts& counts) {
  if (!preparing_) {
    preparing_ = true;
    for (Member& member : members_) member.joined = false;
  }
  CompleteIfAllJoined(counts);
}

bool FakeGroup::SubscribedTo(const std::string& topic) const {
  return std::any_of(members_.begin(), members_.end(), [&](const Member& member) {
    return std::find(member.topics.begin(), member.topics.end(), topic) != member.topics.end();
  });
}

std::map<std::string, std::vector<base::TopicPartition>> FakeGroup::Shares() const {
  std::map<std::string, std::vector<base::TopicPartition>> shares;
  for (const Member& member : members_) {
    shares[member.instance_id.empty() ? member.member_id : member.instance_id] = member.share;
  }
  return shares;
}

std::map<std::string, std::vector<base::TopicPartition>> FakeGroup::Held() const {
  std::map<std::string, std::vector<base::TopicPartition>> held;
  for (const Member& member : members_) {
    auto& partitions = held[member.instance_id];
    const bool given_up = preparing_ && member.joined;
    if (!given_up && member.seen_generation == generation_) partitions = member.share;
  }
  return held;
}

void FakeGroup::CompleteIfAllJoined(const PartitionCounts& counts) {
  const bool all = std::all_of(members_.begin(), members_.end(),
                               [](const Member& member) { return member.joined; });
  if (!all) return;
  preparing_ = false;
  ++generation_;
  for (Member& member : members_) {
    member.share.clear();
    member.seen_generation = -1;
  }
  AssignRanges(counts);
}

void FakeGroup::AssignRanges(const PartitionCounts& counts) {
  std::vector<Member*> sorted;
  for (Member& member : members_) sorted.push_back(&member);
  std::sort(sorted.begin(), sorted.end(), [](const Member* left, const Member* right) {
    return std::forward_as_tuple(left->instance_id.empty(), left->instance_id, left->member_id) <
           std::forward_as_tuple(right->instance_id.empty(), right->instance_id, right->member_id);
  });
  for (const auto& [topic, count] : counts) {
    std::vector<Member*> interested;
    for (Member* member : sorted) {
      const auto& topics = member->topics;
      if (std::find(topics.begin(), topics.end(), topic) != topics.end()) {
        interested.push_back(member);
      }
    }
    if (interested.empty()) continue;
    const auto members = static_cast<int32_t>(interested.size());
    int32_t next = 0;
    for (int32_t i = 0; i < members; ++i) {
      const int32_t share = count / members + (i < count % members ? 1 : 0);
      for (int32_t taken = 0; taken < share; ++taken, ++next) {
        interested[static_cast<size_t>(i)]->share.push_back({topic, base::Partition{next}});
      }
    }
  }
}

}  // namespace support
