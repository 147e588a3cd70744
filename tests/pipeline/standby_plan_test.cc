#include "pipeline/standby_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "pipeline/instance_directory.h"

namespace pipeline {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// The members' shares by RangeMember(), as numbers of partitions.
std::vector<int> Shares(int32_t partitions, size_t members) {
  std::vector<int> shares(members, 0);
  for (int32_t partition = 0; partition < partitions; ++partition) {
    ++shares[RangeMember(partition, partitions, members)];
  }
  return shares;
}

std::string OwnerOf(int32_t partition, int32_t partitions, std::vector<std::string> members) {
  std::sort(members.begin(), members.end());
  return InstanceDirectory::InstanceOfMember(
      members[RangeMember(partition, partitions, members.size())]);
}

TEST(RangeMember, GivesContiguousSharesAndOneMoreToTheFirst) {
  EXPECT_THAT(Shares(7, 3), ElementsAre(3, 2, 2));
  EXPECT_THAT(Shares(2, 3), ElementsAre(1, 1, 0));
  EXPECT_THAT(Shares(6, 1), ElementsAre(6));
  for (int32_t partition = 1; partition < 7; ++partition) {
    EXPECT_GE(RangeMember(partition, 7, 3), RangeMember(partition - 1, 7, 3));
  }
}

TEST(StandbyInstances, NamesTheOneThatIsPromotedWhenTheOwnerGoes) {
  const std::vector<std::string> members{"a-0", "a-1", "b-0", "b-1", "c-0", "c-1"};
  constexpr int32_t kPartitions = 13;
  for (int32_t partition = 0; partition < kPartitions; ++partition) {
    const std::string owner = OwnerOf(partition, kPartitions, members);
    std::vector<std::string> left = members;
    std::erase_if(left, [&](const std::string& member) { return member.starts_with(owner); });
    EXPECT_THAT(StandbyInstances(base::Partition{partition}, kPartitions, members, 1),
                ElementsAre(OwnerOf(partition, kPartitions, left)));
  }
}

TEST(StandbyInstances, NeverNamesTheOwnerNorAnybodyTwice) {
  const std::vector<std::string> members{"c-0", "a-0", "d-0", "b-0"};
  for (int32_t partition = 0; partition < 9; ++partition) {
    const auto standbys = StandbyInstances(base::Partition{partition}, 9, members, 10);
    const std::set<std::string> distinct(standbys.begin(), standbys.end());
    EXPECT_EQ(distinct.size(), standbys.size());
    EXPECT_EQ(distinct.size(), 3U) << "all but the owner";
    EXPECT_FALSE(distinct.contains(OwnerOf(partition, 9, members)));
  }
}

TEST(StandbyInstances, NamesNobodyWhenThereIsNobodyElse) {
  EXPECT_THAT(StandbyInstances(base::Partition{0}, 4, {"a-0", "a-1"}, 1), IsEmpty());
  EXPECT_THAT(StandbyInstances(base::Partition{0}, 4, {}, 1), IsEmpty());
}

}  // namespace
}  // namespace pipeline
