// What an application's reset asks a real Kafka for.

#include <optional>
#include <string>
#include <vector>

#include "tests/integration/kafka/real_kafka.h"

namespace pipeline {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class LibrdkafkaResetTest : public RealKafkaTest {
 protected:
  Admin& admin() { return clients_->admin(); }

  /// Of all partitions of the topic.
  Positions Committed(const std::string& group, const std::string& topic) {
    std::vector<TopicPartition> partitions;
    const auto described = admin().DescribeTopics({&topic, 1}, kPatience);
    for (int32_t i = 0; i < described->at(topic).partitions; ++i) {
      partitions.push_back({topic, Partition{i}});
    }
    auto positions = admin().GroupPositions(group, partitions, kPatience);
    EXPECT_TRUE(positions.ok()) << positions.status().ToString();
    return positions.ok() ? *positions : Positions();
  }

  void ExpectRefused(const base::Status& status, const std::string& word) {
    EXPECT_EQ(status.code(), base::StatusCode::kInvalidArgument) << status.ToString();
    EXPECT_THAT(status.message(), HasSubstr(word));
  }
};

TEST_F(LibrdkafkaResetTest, SetsTellsAndDeletesThePositionsOfAGroupWithoutMembers) {
  const std::string topic = MakeTopic(2);
  const std::string group = UniqueName("group");
  EXPECT_THAT(Committed(group, topic), IsEmpty());
  EXPECT_OK(admin().DeleteGroup(group, kPatience));
  const Positions positions = {{{topic, Partition{0}}, Offset{3}},
                               {{topic, Partition{1}}, Offset{0}}};
  ASSERT_OK(admin().SetGroupPositions(group, positions, kPatience));
  EXPECT_EQ(Committed(group, topic), positions);
  ASSERT_OK(admin().SetGroupPositions(group, {}, kPatience));
  ASSERT_OK(admin().DeleteGroup(group, kPatience));
  EXPECT_THAT(Committed(group, topic), IsEmpty());
  ASSERT_OK(admin().SetGroupPositions(group, positions, kPatience));
  EXPECT_EQ(Committed(group, topic), positions) << "a group that was deleted is made again";
}

TEST_F(LibrdkafkaResetTest, LeavesAGroupWithMembersAlone) {
  const std::string topic = MakeTopic();
  const TopicPartition partition{topic, Partition{0}};
  const std::string group = UniqueName("group");
  auto member = NewMember(group, "one");
  GroupWatcher watcher(member.get());
  ASSERT_OK(member->Subscribe({topic}, &watcher));
  PollUntil(member.get(), [&] { return watcher.assigned > 0; });
  ASSERT_OK(member->CommitPositions({{partition, Offset{0}}}));
  ExpectRefused(admin().DeleteGroup(group, kPatience), group);
  ExpectRefused(admin().SetGroupPositions(group, {{partition, Offset{5}}}, kPatience), "members");
  EXPECT_EQ(Committed(group, topic), (Positions{{partition, Offset{0}}}));
  ASSERT_OK(member->Leave(kPatience));
  EXPECT_OK(admin().DeleteGroup(group, kPatience));
}

TEST_F(LibrdkafkaResetTest, SaysThatAnOpenTransactionHoldsPositions) {
  const std::string topic = MakeTopic();
  const TopicPartition partition{topic, Partition{0}};
  const std::string group = UniqueName("group");
  auto member = NewMember(group, "one");
  GroupWatcher watcher(member.get());
  ASSERT_OK(member->Subscribe({topic}, &watcher));
  PollUntil(member.get(), [&] { return watcher.assigned > 0; });
  auto producer = NewTransactional(UniqueName("tx"));
  ASSERT_OK(producer->BeginTransaction());
  ASSERT_OK(producer->SendPositions({{partition, Offset{1}}}, *member->Group(), kPatience));
  ASSERT_OK(member->Leave(kPatience));
  auto positions = admin().GroupPositions(group, {&partition, 1}, kPatience);
  ASSERT_FALSE(positions.ok());
  ExpectRefused(positions.status(), "open transaction");
  ASSERT_OK(producer->AbortTransaction(kPatience));
  EXPECT_THAT(Committed(group, topic), IsEmpty());
}

TEST_F(LibrdkafkaResetTest, FindsTheFirstRecordOfATimeOrLater) {
  const std::string topic = MakeTopic(2, {{"message.timestamp.type", "LogAppendTime"}});
  const TopicPartition partition{topic, Partition{0}};
  const TopicPartition empty{topic, Partition{1}};
  const std::vector<TopicPartition> both = {partition, empty};
  Commit(topic, {"a", "b"});
  auto all = admin().ListOffsetsAt(both, 0, kPatience);
  ASSERT_TRUE(all.ok()) << all.status().ToString();
  EXPECT_EQ(*all, (Positions{{partition, Offset{0}}})) << "a partition without a record is absent";
  constexpr int64_t kFarFutureMs = 32'503'680'000'000;
  auto none = admin().ListOffsetsAt(both, kFarFutureMs, kPatience);
  ASSERT_TRUE(none.ok()) << none.status().ToString();
  EXPECT_THAT(*none, IsEmpty());
}

TEST_F(LibrdkafkaResetTest, DeletesTopicsSoThatNewOnesOfTheNameAreOthers) {
  const std::vector<std::string> names = {MakeTopic(3), UniqueName("never-made")};
  const auto before = admin().DescribeTopics(names, kPatience);
  ASSERT_TRUE(before.ok()) << before.status().ToString();
  ASSERT_OK(admin().DeleteTopics(names, kPatience));
  const auto after = admin().DescribeTopics(names, kPatience);
  ASSERT_TRUE(after.ok()) << after.status().ToString();
  EXPECT_THAT(*after, IsEmpty());
  ASSERT_OK(admin().DeleteTopics(names, kPatience));
  ASSERT_OK(admin().DeleteTopics({}, kPatience));
  const std::vector<NewTopic> again = {{names[0], 1, 1, {}}};
  ASSERT_OK(admin().CreateTopics(again, kPatience));
  const auto made = admin().DescribeTopics(names, kPatience);
  ASSERT_TRUE(made.ok()) << made.status().ToString();
  EXPECT_NE(made->at(names[0]).id, before->at(names[0]).id);
}

}  // namespace
}  // namespace pipeline
