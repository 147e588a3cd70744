#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <string>
#include <vector>

#include "pipeline/embedded_broker.h"
#include "pipeline/librdkafka_client.h"

/// What the clients do when the only broker goes away; the embedded broker can.
namespace pipeline {
namespace {

using base::Offset;
using base::Partition;
using base::TopicPartition;
using std::chrono::steady_clock;

constexpr milliseconds kPatience{10000};
constexpr milliseconds kShort{1000};
/// No call that was given kShort, nor a destructor, takes this long.
constexpr milliseconds kTooLong{5000};

class BrokerGoneTest : public testing::Test {
 protected:
  void SetUp() override {
    auto broker = EmbeddedBroker::Start({{"events", 1}});
    ASSERT_TRUE(broker.ok()) << broker.status().ToString();
    broker_ = std::move(broker).value();
    LibrdkafkaOptions options;
    options.brokers = broker_->address();
    options.delivery_timeout = kShort;
    auto clients = NewLibrdkafkaClients(options);
    ASSERT_TRUE(clients.ok()) << clients.status().ToString();
    clients_ = std::move(clients).value();
  }

  static base::Result<Offset> ProduceAndWait(AsyncProducer* producer) {
    std::promise<base::Result<Offset>> told;
    producer->Produce("events", Partition{0}, "k", "v",
                      [&](base::Result<Offset> result) { told.set_value(std::move(result)); });
    auto future = told.get_future();
    if (future.wait_for(kPatience) != std::future_status::ready) {
      ADD_FAILURE() << "nobody called back";
      // The callback still refers to this frame.
      std::abort();
    }
    return future.get();
  }

  std::unique_ptr<EmbeddedBroker> broker_;
  std::unique_ptr<KafkaClients> clients_;
};

class ReadFromTheStart : public RebalanceListener {
 public:
  explicit ReadFromTheStart(Consumer* consumer) : consumer_(consumer) {}
  void OnAssigned(const std::vector<TopicPartition>& partitions) override {
    std::vector<AssignedPartition> assigned;
    for (const TopicPartition& partition : partitions) {
      assigned.push_back({partition, std::nullopt, false});
    }
    ASSERT_TRUE(consumer_->Assign(assigned).ok());
    ++assigned_;
  }
  void OnRevoked(const std::vector<TopicPartition>&) override {}
  void OnLost(const std::vector<TopicPartition>&) override {}
  int assigned_ = 0;

 private:
  Consumer* consumer_;
};

TEST_F(BrokerGoneTest, AMemberIsDestroyedAndLeavesInTime) {
  auto made = clients_->NewGroupConsumer({"group", "one", milliseconds(6000)});
  auto other = clients_->NewGroupConsumer({"other", "two", milliseconds(6000)});
  ASSERT_TRUE(made.ok() && other.ok());
  ReadFromTheStart listener(made->get());
  ReadFromTheStart other_listener(other->get());
  ASSERT_TRUE((*made)->Subscribe({"events"}, &listener).ok());
  ASSERT_TRUE((*other)->Subscribe({"events"}, &other_listener).ok());
  const auto give_up = steady_clock::now() + kPatience;
  while (listener.assigned_ + other_listener.assigned_ < 2 && steady_clock::now() < give_up) {
    ASSERT_TRUE((*made)->Poll(milliseconds(10), 10).ok());
    ASSERT_TRUE((*other)->Poll(milliseconds(10), 10).ok());
  }
  ASSERT_EQ(listener.assigned_ + other_listener.assigned_, 2);
  broker_.reset();

  auto start = steady_clock::now();
  made->reset();
  EXPECT_LT(steady_clock::now() - start, kTooLong);
  start = steady_clock::now();
  const base::Status left = (*other)->Leave(kShort);
  EXPECT_LT(steady_clock::now() - start, kTooLong);
  other->reset();
}

TEST_F(BrokerGoneTest, CallsComeBackInTimeAsUnavailable) {
  auto reader = clients_->NewReader(KafkaClients::ReaderUse::kCatchUp);
  auto producer = clients_->NewProducer();
  ASSERT_TRUE(reader.ok() && producer.ok());
  ASSERT_TRUE((*producer)->Produce({"events", Partition{0}, "k", "v", nullptr, 0}).ok());
  ASSERT_TRUE((*producer)->Flush(kPatience).ok());
  broker_.reset();

  const TopicPartition partition{"events", Partition{0}};
  const auto start = steady_clock::now();
  EXPECT_EQ((*reader)->Committed({&partition, 1}, kShort).status().code(),
            base::StatusCode::kUnavailable);
  ASSERT_TRUE((*producer)->Produce({"events", Partition{0}, "k", "v", nullptr, 0}).ok());
  EXPECT_EQ((*producer)->Flush(kShort).code(), base::StatusCode::kUnavailable);
  Admin& admin = clients_->admin();
  const std::string topic = "events";
  EXPECT_EQ(admin.DescribeTopics({&topic, 1}, kShort).status().code(),
            base::StatusCode::kUnavailable);
  EXPECT_EQ(
      admin.ListOffsets({&partition, 1}, OffsetSpec::kLatest, Isolation::kReadCommitted, kShort)
          .status()
          .code(),
      base::StatusCode::kUnavailable);
  EXPECT_LT(steady_clock::now() - start, 4 * kShort + kTooLong);
  const auto destroying = steady_clock::now();
  producer->reset();
  reader->reset();
  EXPECT_LT(steady_clock::now() - destroying, kTooLong);
}

TEST_F(BrokerGoneTest, ASenderIsToldWithinTheDeliveryTimeout) {
  auto producer = clients_->NewAsyncProducer();
  ASSERT_TRUE(producer.ok());
  const base::Result<Offset> delivered = ProduceAndWait(producer->get());
  ASSERT_TRUE(delivered.ok()) << delivered.status().ToString();
  broker_.reset();
  const auto start = steady_clock::now();
  const base::Result<Offset> gone = ProduceAndWait(producer->get());
  ASSERT_FALSE(gone.ok());
  EXPECT_EQ(gone.status().code(), base::StatusCode::kUnavailable) << gone.status().ToString();
  EXPECT_LT(steady_clock::now() - start, kTooLong);
}

TEST_F(BrokerGoneTest, AnOffsetThatNobodyToldIsNoneAndNoSignThatItIsBack) {
  const std::vector<TopicPartition> partitions = {{"events", Partition{0}}};
  const auto ask = [&] {
    return clients_->admin().ListOffsets(partitions, OffsetSpec::kLatest,
                                         Isolation::kReadCommitted, milliseconds(300));
  };
  ASSERT_TRUE(ask().ok());
  testing::internal::CaptureStderr();
  broker_.reset();
  // That nobody is there any more is heard in the first time, and told in the second.
  for (int i = 0; i < 2; ++i) EXPECT_EQ(ask().status().code(), base::StatusCode::kUnavailable);
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, testing::HasSubstr("no Kafka broker can be reached"));
  EXPECT_THAT(log, testing::Not(testing::HasSubstr("can be reached again")));
}

TEST_F(BrokerGoneTest, SendersThatStillWaitAreToldWhenTheProducerIsDestroyed) {
  LibrdkafkaOptions options;
  options.brokers = broker_->address();
  options.delivery_timeout = milliseconds(60000);
  broker_.reset();
  auto clients = NewLibrdkafkaClients(options);
  ASSERT_TRUE(clients.ok());
  auto producer = (*clients)->NewAsyncProducer();
  ASSERT_TRUE(producer.ok());
  int told = 0;
  for (int i = 0; i < 100; ++i) {
    (*producer)->Produce("events", Partition{0}, "k", "v", [&](base::Result<Offset> result) {
      EXPECT_FALSE(result.ok());
      EXPECT_EQ(result.status().code(), base::StatusCode::kUnavailable);
      ++told;
    });
  }
  EXPECT_EQ((*producer)->Flush(milliseconds(100)).code(), base::StatusCode::kUnavailable);
  const auto start = steady_clock::now();
  producer->reset();
  EXPECT_LT(steady_clock::now() - start, kTooLong);
  EXPECT_EQ(told, 100);
}

}  // namespace
}  // namespace pipeline
