#include "pipeline/embedded_broker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <string>
#include <vector>

#include "pipeline/librdkafka_client.h"

namespace pipeline {
namespace {

using base::Offset;
using base::Partition;
using base::TopicPartition;
using std::chrono::steady_clock;

constexpr milliseconds kPatience{10000};

class EmbeddedBrokerTest : public testing::Test {
 protected:
  void SetUp() override {
    auto broker = EmbeddedBroker::Start({{"events", 2}});
    ASSERT_TRUE(broker.ok()) << broker.status().ToString();
    broker_ = std::move(broker).value();
    LibrdkafkaOptions options;
    options.brokers = broker_->address();
    options.embedded_broker = broker_.get();
    auto clients = NewLibrdkafkaClients(options);
    ASSERT_TRUE(clients.ok()) << clients.status().ToString();
    clients_ = std::move(clients).value();
  }

  std::unique_ptr<EmbeddedBroker> broker_;
  std::unique_ptr<KafkaClients> clients_;
};

/// Reads all that it is given.
class ReadFromCommitted : public RebalanceListener {
 public:
  explicit ReadFromCommitted(Consumer* consumer) : consumer_(consumer) {}
  void OnAssigned(const std::vector<TopicPartition>& partitions) override {
    auto committed = consumer_->Committed(partitions, kPatience);
    ASSERT_TRUE(committed.ok()) << committed.status().ToString();
    std::vector<AssignedPartition> assigned;
    for (const TopicPartition& partition : partitions) {
      const auto found = committed->find(partition);
      assigned.push_back({partition, found == committed->end()
                                         ? std::nullopt
                                         : std::optional<Offset>(found->second)});
    }
    ASSERT_TRUE(consumer_->Assign(assigned).ok());
  }
  void OnRevoked(const std::vector<TopicPartition>&) override {}
  void OnLost(const std::vector<TopicPartition>&) override {}

 private:
  Consumer* consumer_;
};

TEST_F(EmbeddedBrokerTest, CarriesRecordsFromAProducerToAGroupAndKeepsItsPositions) {
  auto producer = clients_->NewProducer();
  ASSERT_TRUE(producer.ok()) << producer.status().ToString();
  const Headers headers = {{"reason", "because"}, {"nothing", std::nullopt}};
  const std::vector<OutgoingRecord> sent = {
      {"events", Partition{0}, "a", "first", nullptr, 1},
      {"events", Partition{1}, std::nullopt, "second", &headers, 2},
      {"events", Partition{1}, "", std::nullopt, nullptr, 3},
  };
  for (const OutgoingRecord& record : sent) {
    const base::Status produced = (*producer)->Produce(record);
    ASSERT_TRUE(produced.ok()) << produced.ToString();
  }
  const base::Status flushed = (*producer)->Flush(kPatience);
  ASSERT_TRUE(flushed.ok()) << flushed.ToString();
  EXPECT_EQ((*producer)->LastDelivered({"events", Partition{0}}), Offset{0});
  EXPECT_EQ((*producer)->LastDelivered({"events", Partition{1}}), Offset{1});

  auto consumer = clients_->NewGroupConsumer({"group", "instance-1", milliseconds(6000)});
  ASSERT_TRUE(consumer.ok()) << consumer.status().ToString();
  ReadFromCommitted listener(consumer->get());
  ASSERT_TRUE((*consumer)->Subscribe({"events"}, &listener).ok());
  std::vector<std::string> values;
  size_t headers_seen = 0;
  const auto end = steady_clock::now() + kPatience;
  while (values.size() < sent.size() && steady_clock::now() < end) {
    auto batch = (*consumer)->Poll(milliseconds(100), 100);
    ASSERT_TRUE(batch.ok()) << batch.status().ToString();
    for (size_t i = 0; i < (*batch)->size(); ++i) {
      const RawRecord& record = (*batch)->record(i);
      EXPECT_EQ(record.metadata.topic, "events");
      values.emplace_back(record.value.value_or("(null)"));
      if (record.value == "second") {
        EXPECT_EQ(record.key, std::nullopt);
        EXPECT_EQ((*batch)->ReadHeaders(i), headers);
        ++headers_seen;
      }
      if (!record.value) {
        EXPECT_EQ(record.key, "");
      }
    }
  }
  EXPECT_THAT(values, testing::UnorderedElementsAre("first", "second", "(null)"));
  EXPECT_EQ(headers_seen, 1U);
  const base::Positions positions = {{{"events", Partition{0}}, Offset{1}},
                                     {{"events", Partition{1}}, Offset{2}}};
  for (const auto& [partition, position] : positions) {
    EXPECT_EQ((*consumer)->Position(partition), position) << partition.ToString();
  }
  const base::Status committed = (*consumer)->CommitPositions(positions);
  EXPECT_TRUE(committed.ok()) << committed.ToString();
  auto read = (*consumer)->Committed(
      std::vector<TopicPartition>{{"events", Partition{0}}, {"events", Partition{1}}}, kPatience);
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  EXPECT_EQ(*read, positions);
  const base::Status left = (*consumer)->Leave(kPatience);
  EXPECT_TRUE(left.ok()) << left.ToString();
}

TEST_F(EmbeddedBrokerTest, MakesAndDescribesTopicsAndTellsTheirEnds) {
  Admin& admin = clients_->admin();
  const std::vector<NewTopic> wanted = {{"notifications", 3, 1, {}}, {"events", 2, 1, {}}};
  const base::Status made = admin.CreateTopics(wanted, kPatience);
  ASSERT_TRUE(made.ok()) << made.ToString();
  auto topics = admin.DescribeTopics(
      std::vector<std::string>{"events", "notifications", "no-such-topic"}, kPatience);
  ASSERT_TRUE(topics.ok()) << topics.status().ToString();
  ASSERT_EQ(topics->size(), 2U);
  EXPECT_EQ(topics->at("notifications").partitions, 3);
  EXPECT_EQ(topics->at("events").partitions, 2);

  auto producer = clients_->NewProducer();
  ASSERT_TRUE(producer.ok());
  ASSERT_TRUE((*producer)->Produce({"notifications", Partition{2}, "k", "v", nullptr, 0}).ok());
  ASSERT_TRUE((*producer)->Flush(kPatience).ok());
  const std::vector<TopicPartition> partitions = {{"notifications", Partition{0}},
                                                  {"notifications", Partition{2}}};
  auto ends =
      admin.ListOffsets(partitions, OffsetSpec::kLatest, Isolation::kReadUncommitted, kPatience);
  ASSERT_TRUE(ends.ok()) << ends.status().ToString();
  EXPECT_EQ(ends->at(partitions[0]), Offset{0});
  EXPECT_EQ(ends->at(partitions[1]), Offset{1});
  auto cluster = admin.ClusterId(kPatience);
  ASSERT_TRUE(cluster.ok()) << cluster.status().ToString();
  EXPECT_NE(*cluster, "");
}

TEST_F(EmbeddedBrokerTest, TellsAnHttpThreadTheOffsetOfItsRecord) {
  auto producer = clients_->NewAsyncProducer();
  ASSERT_TRUE(producer.ok());
  std::promise<base::Result<Offset>> told;
  (*producer)->Produce("events", Partition{1}, "k", "v",
                       [&](base::Result<Offset> offset) { told.set_value(std::move(offset)); });
  auto future = told.get_future();
  ASSERT_EQ(future.wait_for(kPatience), std::future_status::ready);
  const base::Result<Offset> offset = future.get();
  ASSERT_TRUE(offset.ok()) << offset.status().ToString();
  EXPECT_EQ(*offset, Offset{0});
  EXPECT_TRUE((*producer)->Flush(kPatience).ok());
}

TEST_F(EmbeddedBrokerTest, DoesNotCallARecordWrittenWhoseBatchWasRefusedWhileALaterOneWasTaken) {
  auto made = clients_->NewProducer();
  ASSERT_TRUE(made.ok());
  Producer& producer = **made;
  // Another partition first, so that what follows does not wait for metadata.
  ASSERT_TRUE(producer.Produce({"events", Partition{0}, "k", "warm", nullptr, 0}).ok());
  ASSERT_TRUE(producer.Flush(kPatience).ok());
  broker_->RefuseNextProduceForTesting();
  // Two batches on their way: no two of these fit into one.
  const std::string large(900'000, 'l');
  ASSERT_TRUE(producer.Produce({"events", Partition{1}, "k", large, nullptr, 0}).ok());
  ASSERT_TRUE(producer.Produce({"events", Partition{1}, "k", large, nullptr, 0}).ok());
  const base::Status flushed = producer.Flush(kPatience);
  const TopicPartition partition{"events", Partition{1}};
  auto ends = clients_->admin().ListOffsets({&partition, 1}, OffsetSpec::kLatest,
                                            Isolation::kReadUncommitted, kPatience);
  ASSERT_TRUE(ends.ok()) << ends.status().ToString();
  ASSERT_EQ(ends->at(partition), Offset{1}) << "the broker was to take the second batch alone";
  EXPECT_EQ(flushed.code(), base::StatusCode::kUnavailable) << flushed.ToString();
  EXPECT_THAT(flushed.message(), testing::HasSubstr("without an offset"));
}

TEST(EmbeddedBroker, RefusesATopicWithoutPartitions) {
  auto broker = EmbeddedBroker::Start({{"events", 0}});
  ASSERT_FALSE(broker.ok());
  EXPECT_EQ(broker.status().code(), base::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace pipeline
