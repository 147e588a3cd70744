#include <algorithm>
#include <future>
#include <thread>
#include <vector>

#include "pipeline/librdkafka_async_producer.h"
#include "tests/integration/kafka/real_kafka.h"

namespace pipeline {
namespace {

class LibrdkafkaAsyncProducerTest : public RealKafkaTest {
 protected:
  void SetUp() override {
    RealKafkaTest::SetUp();
    auto made = clients_->NewAsyncProducer();
    ASSERT_TRUE(made.ok()) << made.status().ToString();
    producer_ = std::move(made).value();
  }

  std::future<base::Result<Offset>> Send(const std::string& topic, std::string_view value) {
    auto told = std::make_shared<std::promise<base::Result<Offset>>>();
    producer_->Produce(topic, Partition{0}, std::nullopt, value,
                       [told](base::Result<Offset> result) { told->set_value(std::move(result)); });
    return told->get_future();
  }

  base::Result<Offset> SendAndWait(const std::string& topic, std::string_view value) {
    auto told = Send(topic, value);
    if (told.wait_for(kPatience) != std::future_status::ready) {
      return base::Status::Fatal("nobody called back");
    }
    return told.get();
  }

  std::unique_ptr<AsyncProducer> producer_;
};

TEST_F(LibrdkafkaAsyncProducerTest, WritesTheHeadersThatItIsGiven) {
  const std::string topic = MakeTopic();
  auto told = std::make_shared<std::promise<base::Result<Offset>>>();
  producer_->Produce(topic, Partition{0}, std::nullopt, "value",
                     {{"traceparent", "00-1"}, {"empty", ""}, {"null", std::nullopt}},
                     [told](base::Result<Offset> result) { told->set_value(std::move(result)); });
  auto outcome = told->get_future();
  ASSERT_EQ(outcome.wait_for(kPatience), std::future_status::ready);
  ASSERT_TRUE(outcome.get().ok());
  const auto reader = NewReader();
  const AssignedPartition all{{topic, Partition{0}}, std::nullopt, false};
  ASSERT_OK(reader->Assign({&all, 1}));
  const auto end = std::chrono::steady_clock::now() + kPatience;
  Headers headers;
  while (headers.empty() && std::chrono::steady_clock::now() < end) {
    auto batch = reader->Poll(milliseconds(100), 10);
    ASSERT_TRUE(batch.ok()) << batch.status().ToString();
    if ((*batch)->size() > 0) headers = (*batch)->ReadHeaders(0);
  }
  EXPECT_EQ(headers,
            (Headers{{"traceparent", "00-1"}, {"empty", ""}, {"null", std::nullopt}}));
}

TEST_F(LibrdkafkaAsyncProducerTest, TellsManySendersTheOffsetsOfTheirRecords) {
  constexpr int kSenders = 4;
  constexpr int kRecords = 500;
  const std::string topic = MakeTopic();
  std::vector<std::vector<int64_t>> offsets(kSenders);
  {
    std::vector<std::jthread> senders;
    for (auto& mine : offsets) {
      senders.emplace_back([&] {
        std::vector<std::future<base::Result<Offset>>> told;
        for (int i = 0; i < kRecords; ++i) told.push_back(Send(topic, "v"));
        for (auto& future : told) {
          auto result = future.get();
          ASSERT_TRUE(result.ok()) << result.status().ToString();
          mine.push_back(result->value);
        }
      });
    }
  }
  EXPECT_OK(producer_->Flush(kPatience));
  std::vector<bool> seen(kSenders * kRecords);
  for (const auto& mine : offsets) {
    EXPECT_TRUE(std::is_sorted(mine.begin(), mine.end()));
    for (const int64_t offset : mine) seen.at(static_cast<size_t>(offset)) = true;
  }
  EXPECT_EQ(std::count(seen.begin(), seen.end(), true), kSenders * kRecords);
}

TEST_F(LibrdkafkaAsyncProducerTest, TellsTheSenderOfARecordThatIsTooLargeForItsTopic) {
  const std::string topic = MakeTopic(1, {{"max.message.bytes", "2000"}});
  const base::Result<Offset> large = SendAndWait(topic, std::string(3000, 'x'));
  ASSERT_FALSE(large.ok());
  EXPECT_EQ(large.status().code(), base::StatusCode::kInvalidArgument);
  const base::Result<Offset> small = SendAndWait(topic, "small");
  EXPECT_TRUE(small.ok()) << small.status().ToString();
}

TEST_F(LibrdkafkaAsyncProducerTest, RefusesNoSmallRecordForTheSakeOfItsBatch) {
  const std::string topic = MakeTopic(1, {{"max.message.bytes", "2000"}});
  const std::string value(500, 'x');
  // So many at once that they share batches; senders try again what is Unavailable.
  for (int attempt = 0;; ++attempt) {
    std::vector<std::future<base::Result<Offset>>> told;
    for (int i = 0; i < 200; ++i) told.push_back(Send(topic, value));
    size_t delivered = 0;
    for (auto& future : told) {
      const base::Result<Offset> result = future.get();
      if (result.ok()) {
        ++delivered;
      } else {
        ASSERT_EQ(result.status().code(), base::StatusCode::kUnavailable)
            << result.status().ToString();
      }
    }
    if (delivered == told.size()) break;
    ASSERT_LT(attempt, 3) << "batches stay too large";
  }
}

TEST_F(LibrdkafkaAsyncProducerTest, GoesOnAfterLibrdkafkasProducerHasFailedForGood) {
  const std::string topic = MakeTopic();
  ASSERT_TRUE(SendAndWait(topic, "before").ok());
  static_cast<LibrdkafkaAsyncProducer&>(*producer_).FailForGoodForTesting();
  const auto end = std::chrono::steady_clock::now() + kPatience;
  base::Result<Offset> after = SendAndWait(topic, "after");
  while (!after.ok() && std::chrono::steady_clock::now() < end) {
    EXPECT_EQ(after.status().code(), base::StatusCode::kUnavailable);
    after = SendAndWait(topic, "after");
  }
  EXPECT_TRUE(after.ok()) << after.status().ToString();
}

}  // namespace
}  // namespace pipeline
