#include "tests/integration/kafka/real_kafka.h"

namespace pipeline {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class LibrdkafkaProducerTest : public RealKafkaTest {
 protected:
  static OutgoingRecord To(const std::string& topic, std::string_view value, uint64_t tag = 0) {
    return {topic, Partition{0}, std::nullopt, value, nullptr, tag};
  }

  std::vector<std::string> ReadAll(const std::string& topic) {
    const TopicPartition partition{topic, Partition{0}};
    const Offset end = EndOf(partition);
    auto reader = NewReader();
    const AssignedPartition assigned{partition, std::nullopt, false};
    EXPECT_OK(reader->Assign({&assigned, 1}));
    std::vector<SeenRecord> seen;
    // The marker of the last transaction may be written after its commit was answered.
    PollUntil(
        reader.get(), [&] { return reader->Position(partition).value_or(Offset{0}) >= end; },
        &seen);
    std::vector<std::string> values;
    for (const SeenRecord& record : seen) values.push_back(record.value);
    return values;
  }
};

TEST_F(LibrdkafkaProducerTest, IsLostWhenAnotherProducerHasItsTransactionalId) {
  const std::string topic = MakeTopic();
  const std::string id = UniqueName("tx");
  auto first = NewTransactional(id);
  ASSERT_OK(first->BeginTransaction());
  ASSERT_OK(first->Produce(To(topic, "of the first")));
  ASSERT_OK(first->Flush(kPatience));
  auto second = NewTransactional(id);
  const base::Status fenced = first->CommitTransaction(kPatience);
  EXPECT_EQ(fenced.code(), base::StatusCode::kLost) << fenced.ToString();
  ASSERT_OK(second->BeginTransaction());
  ASSERT_OK(second->Produce(To(topic, "of the second")));
  ASSERT_OK(second->CommitTransaction(kPatience));
  EXPECT_THAT(ReadAll(topic), ElementsAre("of the second"));
}

TEST_F(LibrdkafkaProducerTest, EndsWhatACrashedRunOfItsIdLeftOpenAndGoesOn) {
  const std::string topic = MakeTopic();
  const std::string id = UniqueName("tx");
  std::vector<std::string> expected;
  // Each round comes upon the open transaction of the round before, as after kill -9.
  for (int round = 0; round < 4; ++round) {
    auto producer = NewTransactional(id);
    ASSERT_OK(producer->BeginTransaction());
    expected.push_back("committed-" + std::to_string(round));
    ASSERT_OK(producer->Produce(To(topic, expected.back())));
    ASSERT_OK(producer->CommitTransaction(kPatience));
    ASSERT_OK(producer->BeginTransaction());
    ASSERT_OK(producer->Produce(To(topic, "left open")));
    ASSERT_OK(producer->Flush(kPatience));
  }
  ASSERT_NE(NewTransactional(id), nullptr);
  EXPECT_EQ(ReadAll(topic), expected);
}

TEST_F(LibrdkafkaProducerTest, NamesTheRecordThatTheBrokerRefusesAndNoOther) {
  const std::string topic = MakeTopic(1, {{"max.message.bytes", "2000"}});
  ASSERT_TRUE(clients_->admin().DescribeTopics({&topic, 1}, kPatience).ok());
  auto producer = NewTransactional(UniqueName("tx"));
  ASSERT_OK(producer->BeginTransaction());
  ASSERT_OK(producer->Produce(To(topic, "small", 1)));
  ASSERT_OK(producer->Produce(To(topic, std::string(3000, 'b'), 2)));
  ASSERT_OK(producer->Produce(To(topic, "small too", 3)));
  const base::Status commit = producer->CommitTransaction(kPatience);
  EXPECT_EQ(commit.code(), base::StatusCode::kUnavailable) << commit.ToString();
  const std::vector<RefusedRecord> refused = producer->TakeRefused();
  ASSERT_EQ(refused.size(), 1U);
  EXPECT_EQ(refused[0].tag, 2U);
  EXPECT_EQ(refused[0].topic, topic);
  EXPECT_THAT(refused[0].reason, HasSubstr("MSG_SIZE_TOO_LARGE"));
  EXPECT_TRUE(producer->TakeRefused().empty());

  ASSERT_OK(producer->AbortTransaction(kPatience));
  ASSERT_OK(producer->BeginTransaction());
  ASSERT_OK(producer->Produce(To(topic, "small", 1)));
  ASSERT_OK(producer->Produce(To(topic, "small too", 3)));
  ASSERT_OK(producer->CommitTransaction(kPatience));
  EXPECT_THAT(ReadAll(topic), ElementsAre("small", "small too"));
}

TEST_F(LibrdkafkaProducerTest, MakesBatchesThatATopicOfSmallOnesTakes) {
  const std::string topic = MakeTopic(1, {{"max.message.bytes", "2000"}});
  ASSERT_TRUE(clients_->admin().DescribeTopics({&topic, 1}, kPatience).ok());
  auto producer = NewTransactional(UniqueName("tx"));
  std::vector<std::string> values;
  for (int i = 0; i < 100; ++i) values.push_back(std::to_string(i) + std::string(500, 'x'));
  ASSERT_OK(producer->BeginTransaction());
  for (const std::string& value : values) ASSERT_OK(producer->Produce(To(topic, value)));
  ASSERT_OK(producer->CommitTransaction(kPatience));
  EXPECT_EQ(ReadAll(topic), values);
}

TEST_F(LibrdkafkaProducerTest, IsLostWhenATopicTakesSmallerBatchesThanItMakesAndRefusesNoRecord) {
  const std::string topic = MakeTopic(1, {{"max.message.bytes", "2000"}});
  const std::string id = UniqueName("tx");
  auto producer = NewTransactional(id);
  const auto produce_all = [&] {
    ASSERT_OK(producer->BeginTransaction());
    for (int i = 0; i < 10; ++i) ASSERT_OK(producer->Produce(To(topic, std::string(500, 'x'))));
  };
  produce_all();
  const base::Status commit = producer->CommitTransaction(kPatience);
  EXPECT_EQ(commit.code(), base::StatusCode::kLost) << commit.ToString();
  EXPECT_THAT(commit.message(), HasSubstr("2000 bytes"));
  EXPECT_TRUE(producer->TakeRefused().empty());
  producer.reset();
  producer = NewTransactional(id);
  produce_all();
  ASSERT_OK(producer->CommitTransaction(kPatience));
  EXPECT_EQ(ReadAll(topic).size(), 10U);
}

TEST_F(LibrdkafkaProducerTest, RefusesWhatIsLargerThanTheClientsLimitWithoutHarmToTheRest) {
  const std::string topic = MakeTopic();
  auto producer = NewTransactional(UniqueName("tx"));
  ASSERT_OK(producer->BeginTransaction());
  ASSERT_OK(producer->Produce(To(topic, "before")));
  const base::Status huge = producer->Produce(To(topic, std::string(21 * 1024 * 1024, 'h')));
  EXPECT_EQ(huge.code(), base::StatusCode::kInvalidArgument) << huge.ToString();
  ASSERT_OK(producer->Produce(To(topic, "after")));
  ASSERT_OK(producer->CommitTransaction(kPatience));
  EXPECT_THAT(ReadAll(topic), ElementsAre("before", "after"));
}

TEST_F(LibrdkafkaProducerTest, AbortedRecordsThatWereStillQueuedAreNoRefusals) {
  const std::string topic = MakeTopic();
  auto producer = NewTransactional(UniqueName("tx"));
  ASSERT_OK(producer->BeginTransaction());
  for (int i = 0; i < 10000; ++i) ASSERT_OK(producer->Produce(To(topic, std::string(500, 'x'))));
  ASSERT_OK(producer->AbortTransaction(kPatience));
  EXPECT_TRUE(producer->TakeRefused().empty());
  ASSERT_OK(producer->BeginTransaction());
  EXPECT_EQ(producer->LastDelivered({topic, Partition{0}}), std::nullopt);
  ASSERT_OK(producer->Produce(To(topic, "kept")));
  ASSERT_OK(producer->CommitTransaction(kPatience));
  EXPECT_THAT(ReadAll(topic), ElementsAre("kept"));
}

TEST_F(LibrdkafkaProducerTest, RemembersTheLastOffsetOfEachFlush) {
  const std::string topic = MakeTopic(2);
  auto made = clients_->NewProducer();
  ASSERT_TRUE(made.ok());
  Producer& producer = **made;
  ASSERT_OK(producer.Produce(To(topic, "a")));
  ASSERT_OK(producer.Produce(To(topic, "b")));
  ASSERT_OK(producer.Flush(kPatience));
  EXPECT_EQ(producer.LastDelivered({topic, Partition{0}}), Offset{1});
  EXPECT_EQ(producer.LastDelivered({topic, Partition{1}}), std::nullopt);
  ASSERT_OK(producer.Produce({topic, Partition{1}, "k", "c", nullptr, 0}));
  ASSERT_OK(producer.Flush(kPatience));
  EXPECT_EQ(producer.LastDelivered({topic, Partition{0}}), std::nullopt);
  EXPECT_EQ(producer.LastDelivered({topic, Partition{1}}), Offset{0});
}

TEST_F(LibrdkafkaProducerTest, ATopicThatDoesNotExistIsUnavailableUntilItDoes) {
  const std::string topic = UniqueName("late");
  auto producer = NewTransactional(UniqueName("tx"));
  ASSERT_OK(producer->BeginTransaction());
  const base::Status missing = producer->Produce(To(topic, "a"));
  EXPECT_EQ(missing.code(), base::StatusCode::kUnavailable) << missing.ToString();
  EXPECT_THAT(missing.message(), HasSubstr(topic));
  const NewTopic late{topic, 1, 1, {}};
  ASSERT_OK(clients_->admin().CreateTopics({&late, 1}, kPatience));
  ASSERT_OK(producer->Produce(To(topic, "a")));
  ASSERT_OK(producer->CommitTransaction(kPatience));
  EXPECT_THAT(ReadAll(topic), ElementsAre("a"));
}

}  // namespace
}  // namespace pipeline
