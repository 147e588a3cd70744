#include "tests/integration/kafka/real_kafka.h"

namespace pipeline {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Pair;

class LibrdkafkaAdminTest : public RealKafkaTest {};

TEST_F(LibrdkafkaAdminTest, DescribesTopicsWithTheirIdsAndSettings) {
  const std::string first =
      MakeTopic(3, {{"cleanup.policy", "compact"}, {"delete.retention.ms", "604800000"}});
  const std::string second = MakeTopic(1, {{"max.message.bytes", "2000"}});
  auto topics = clients_->admin().DescribeTopics(
      std::vector<std::string>{first, second, "no-such-topic"}, kPatience);
  ASSERT_TRUE(topics.ok()) << topics.status().ToString();
  ASSERT_EQ(topics->size(), 2U);
  EXPECT_EQ(topics->at(first).partitions, 3);
  EXPECT_EQ(topics->at(second).partitions, 1);
  EXPECT_NE(topics->at(first).id, "");
  EXPECT_NE(topics->at(second).id, "");
  EXPECT_NE(topics->at(first).id, topics->at(second).id);
  EXPECT_THAT(topics->at(first).config, Contains(Pair("cleanup.policy", "compact")));
  EXPECT_THAT(topics->at(first).config, Contains(Pair("delete.retention.ms", "604800000")));
  EXPECT_THAT(topics->at(second).config, Contains(Pair("cleanup.policy", "delete")));
  EXPECT_THAT(topics->at(second).config, Contains(Pair("max.message.bytes", "2000")));
}

TEST_F(LibrdkafkaAdminTest, LeavesATopicAloneThatExistsAndSaysWhatTheBrokerRefuses) {
  const std::string topic = MakeTopic(2);
  const std::vector<NewTopic> again = {{topic, 5, 1, {}}};
  ASSERT_OK(clients_->admin().CreateTopics(again, kPatience));
  auto described = clients_->admin().DescribeTopics({&topic, 1}, kPatience);
  ASSERT_TRUE(described.ok());
  EXPECT_EQ(described->at(topic).partitions, 2);

  const std::vector<NewTopic> too_many = {{UniqueName("topic"), 1, 7, {}}};
  const base::Status refused = clients_->admin().CreateTopics(too_many, kPatience);
  EXPECT_EQ(refused.code(), base::StatusCode::kFatal) << refused.ToString();
  EXPECT_THAT(refused.message(), HasSubstr(too_many[0].name));
}

TEST_F(LibrdkafkaAdminTest, TellsTheEndWithAndWithoutAnOpenTransaction) {
  const std::string topic = MakeTopic();
  const TopicPartition partition{topic, Partition{0}};
  Commit(topic, {"a"});
  auto producer = NewTransactional(UniqueName("tx"));
  ASSERT_OK(producer->BeginTransaction());
  ASSERT_OK(producer->Produce({topic, Partition{0}, "k", "open", nullptr, 0}));
  ASSERT_OK(producer->Flush(kPatience));
  const auto end = [&](OffsetSpec spec, Isolation isolation) {
    auto offsets = clients_->admin().ListOffsets({&partition, 1}, spec, isolation, kPatience);
    return offsets.ok() ? offsets->at(partition) : Offset{-1};
  };
  EXPECT_EQ(end(OffsetSpec::kEarliest, Isolation::kReadUncommitted), Offset{0});
  EXPECT_EQ(end(OffsetSpec::kLatest, Isolation::kReadCommitted), Offset{2});
  EXPECT_EQ(end(OffsetSpec::kLatest, Isolation::kReadUncommitted), Offset{3});
  ASSERT_OK(producer->AbortTransaction(kPatience));
}

TEST_F(LibrdkafkaAdminTest, SaysWhichTopicHasNoOffsets) {
  const TopicPartition missing{UniqueName("missing"), Partition{0}};
  auto offsets = clients_->admin().ListOffsets({&missing, 1}, OffsetSpec::kLatest,
                                               Isolation::kReadCommitted, milliseconds(3000));
  ASSERT_FALSE(offsets.ok());
  EXPECT_EQ(offsets.status().code(), base::StatusCode::kUnavailable);
  EXPECT_THAT(offsets.status().message(), HasSubstr(missing.topic));
}

TEST_F(LibrdkafkaAdminTest, KnowsTheClustersId) {
  auto id = clients_->admin().ClusterId(kPatience);
  ASSERT_TRUE(id.ok()) << id.status().ToString();
  auto again = NewClients()->admin().ClusterId(kPatience);
  ASSERT_TRUE(again.ok()) << again.status().ToString();
  EXPECT_EQ(*id, *again);
  EXPECT_NE(*id, "");
}

}  // namespace
}  // namespace pipeline
