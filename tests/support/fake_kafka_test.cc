#include "tests/support/fake_kafka.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/fake_kafka_test_util.h"

namespace support {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

TEST(FakeKafka, KeepsNullAndEmptyApartAndCopiesHeaders) {
  FakeCluster cluster;
  cluster.CreateTopic("t", 1);
  cluster.Append("t", base::Partition{0}, std::nullopt, "", {{"h", std::nullopt}}, 7);
  FakeClients clients(cluster);
  auto reader = ReaderOf(clients, {kT0});
  auto batch = std::move(reader->Poll(kWait, 10)).value();
  ASSERT_EQ(batch->size(), 1U);
  EXPECT_FALSE(batch->record(0).key.has_value());
  EXPECT_EQ(batch->record(0).value, "");
  EXPECT_EQ(batch->record(0).metadata.timestamp_ms, 7);
  EXPECT_EQ(batch->ReadHeaders(0), (pipeline::Headers{{"h", std::nullopt}}));
}

TEST(FakeKafka, ShowsATransactionOnlyAfterItsMarkerAndPassesTheMarker) {
  FakeCluster cluster;
  cluster.CreateTopic("t", 1);
  FakeClients clients(cluster);
  auto reader = ReaderOf(clients, {kT0});
  auto producer = ProducerOf(clients, "tx");
  ASSERT_TRUE(producer->BeginTransaction().ok());
  Send(*producer, "t", 0, "a");
  ASSERT_TRUE(producer->Flush(kWait).ok());
  EXPECT_EQ(cluster.LogEnd(kT0).value, 1);
  EXPECT_EQ(cluster.LastStableOffset(kT0).value, 0);
  EXPECT_THAT(Drain(*reader), IsEmpty());
  EXPECT_FALSE(reader->Position(kT0).has_value());
  ASSERT_TRUE(producer->CommitTransaction(kWait).ok());
  EXPECT_THAT(Drain(*reader), ElementsAre("a"));
  EXPECT_EQ(reader->Position(kT0), base::Offset{2});
  EXPECT_EQ(producer->LastDelivered(kT0), base::Offset{0});
}

TEST(FakeKafka, SkipsAbortedRecordsAndRecordsThatWereNeverSent) {
  FakeCluster cluster;
  cluster.CreateTopic("t", 1);
  FakeClients clients(cluster);
  auto producer = ProducerOf(clients, "tx");
  ASSERT_TRUE(producer->BeginTransaction().ok());
  Send(*producer, "t", 0, "a");
  ASSERT_TRUE(producer->Flush(kWait).ok());
  Send(*producer, "t", 0, "b");
  ASSERT_TRUE(producer->AbortTransaction(kWait).ok());
  ASSERT_TRUE(producer->BeginTransaction().ok());
  Send(*producer, "t", 0, "c");
  ASSERT_TRUE(producer->CommitTransaction(kWait).ok());
  auto reader = ReaderOf(clients, {kT0});
  EXPECT_THAT(Drain(*reader), ElementsAre("c"));
  EXPECT_THAT(Values(cluster.CommittedRecords("t")), ElementsAre("c"));
}

TEST(FakeKafka, HoldsBackEverythingBehindAnOpenTransactionOfAnotherProducer) {
  FakeCluster cluster;
  cluster.CreateTopic("t", 1);
  FakeClients clients(cluster);
  auto first = ProducerOf(clients, "first");
  auto second = ProducerOf(clients, "second");
  ASSERT_TRUE(first->BeginTransaction().ok());
  ASSERT_TRUE(second->BeginTransaction().ok());
  Send(*first, "t", 0, "a");
  ASSERT_TRUE(first->Flush(kWait).ok());
  Send(*second, "t", 0, "b");
  ASSERT_TRUE(second->CommitTransaction(kWait).ok());
  auto reader = ReaderOf(clients, {kT0});
  EXPECT_THAT(Drain(*reader), IsEmpty());
  ASSERT_TRUE(first->AbortTransaction(kWait).ok());
  EXPECT_THAT(Drain(*reader), ElementsAre("b"));
}

TEST(FakeKafka, DecidesACommitBeforeItsMarkersArrive) {
  FakeCluster cluster;
  cluster.CreateTopic("t", 1);
  cluster.CreateTopic("u", 1);
  cluster.HoldMarkers(true);
  FakeClients clients(cluster);
  auto producer = ProducerOf(clients, "tx");
  ASSERT_TRUE(producer->BeginTransaction().ok());
  Send(*producer, "t", 0, "a");
  Send(*producer, "u", 0, "b");
  ASSERT_TRUE(producer->CommitTransaction(kWait).ok());
  auto reader = ReaderOf(clients, {kT0, kU0});
  EXPECT_THAT(Drain(*reader), IsEmpty());
  cluster.DeliverMarkersTo(kU0);
  EXPECT_THAT(Drain(*reader), ElementsAre("b"));
  EXPECT_THAT(cluster.OpenTransactions(), ElementsAre("tx"));
  cluster.DeliverMarkers();
  EXPECT_THAT(Drain(*reader), ElementsAre("a"));
  EXPECT_THAT(cluster.OpenTransactions(), IsEmpty());
}

TEST(FakeKafka, LetsTheNextTransactionWaitForTheMarkersOfTheLast) {
  FakeCluster cluster;
  cluster.CreateTopic("t", 1);
  cluster.HoldMarkers(true);
  FakeClients clients(cluster);
  auto producer = ProducerOf(clients, "tx");
  ASSERT_TRUE(producer->BeginTransaction().ok());
  Send(*producer, "t", 0, "a");
  ASSERT_TRUE(producer->CommitTransaction(kWait).ok());
  ASSERT_TRUE(producer->BeginTransaction().ok());
  cluster.SetEarlySends(false);
  Send(*producer, "t", 0, "b");
  EXPECT_EQ(producer->CommitTransaction(kWait).code(), base::StatusCode::kUnavailable);
  auto next = std::move(clients.NewTransactionalProducer("tx")).value();
  EXPECT_EQ(next->InitTransactions(kWait).code(), base::StatusCode::kUnavailable);
  cluster.HoldMarkers(false);
  cluster.SetMarkerDelay(20);
  EXPECT_TRUE(next->InitTransactions(kWait).ok());
  EXPECT_THAT(Values(cluster.CommittedRecords("t")), ElementsAre("a"));
}

TEST(FakeKafka, ArrivesWithLateMarkersAfterSomeCalls) {
  FakeCluster cluster({.seed = 3});
  cluster.CreateTopic("t", 8);
  cluster.SetMarkerDelay(30);
  FakeClients clients(cluster);
  auto producer = ProducerOf(clients, "tx");
  ASSERT_TRUE(producer->BeginTransaction().ok());
  for (int32_t p = 0; p < 8; ++p) Send(*producer, "t", p, "x");
  ASSERT_TRUE(producer->CommitTransaction(kWait).ok());
  const size_t at_once = cluster.CommittedRecords("t").size();
  EXPECT_LT(at_once, 8U);
  for (int i = 0; i < 31; ++i) ASSERT_TRUE(clients.admin().ClusterId(kWait).ok());
  EXPECT_EQ(cluster.CommittedRecords("t").size(), 8U);
}

TEST(FakeKafka, FencesTheOldProducerAndAbortsWhatItLeftOpen) {
  FakeCluster cluster;
  cluster.CreateTopic("t", 1);
  FakeClients clients(cluster);
  auto old = ProducerOf(clients, "tx");
  ASSERT_TRUE(old->BeginTransaction().ok());
  Send(*old, "t", 0, "a");
  ASSERT_TRUE(old->Flush(kWait).ok());
  auto next = ProducerOf(clients, "tx");
  EXPECT_EQ(cluster.LastStableOffset(kT0).value, 2);
  EXPECT_EQ(old->CommitTransaction(kWait).code(), base::StatusCode::kLost);
  EXPECT_EQ(old->AbortTransaction(kWait).code(), base::StatusCode::kLost);
  EXPECT_THAT(cluster.CommittedRecords("t"), IsEmpty());
}

TEST(FakeKafka, FencesAProducerWhoseTransactionTimedOut) {
  FakeCluster cluster;
  cluster.CreateTopic("t", 1);
  FakeClients clients(cluster);
  auto producer = ProducerOf(clients, "tx");
  ASSERT_TRUE(producer->BeginTransaction().ok());
  Send(*producer, "t", 0, "a");
  ASSERT_TRUE(producer->Flush(kWait).ok());
  cluster.ExpireTransactions();
  EXPECT_THAT(cluster.OpenTransactions(), IsEmpty());
  EXPECT_EQ(producer->CommitTransaction(kWait).code(), base::StatusCode::kLost);
}

TEST(FakeKafka, LeavesALostCommitToTheBroker) {
  for (const auto& [how, expected] : {std::pair{LostCommit::kCommitted, 1},
                                      {LostCommit::kAborted, 0},
                                      {LostCommit::kUndecided, 0}}) {
    FakeCluster cluster;
    cluster.CreateTopic("t", 1);
    FakeClients clients(cluster);
    auto producer = ProducerOf(clients, "tx");
    ASSERT_TRUE(producer->BeginTransaction().ok());
    Send(*producer, "t", 0, "a");
    clients.LoseNextCommit(how);
    EXPECT_EQ(producer->CommitTransaction(kWait).code(), base::StatusCode::kLost);
    EXPECT_EQ(producer->BeginTransaction().code(), base::StatusCode::kLost);
    EXPECT_EQ(cluster.OpenTransactions().size(), how == LostCommit::kUndecided ? 1U : 0U);
    auto next = ProducerOf(clients, "tx");
    EXPECT_EQ(cluster.CommittedRecords("t").size(), static_cast<size_t>(expected));
  }
}

TEST(FakeKafka, MakesAnUnavailableTransactionAbortable) {
  FakeCluster cluster;
  cluster.CreateTopic("t", 1);
  FakeClients clients(cluster);
  auto producer = ProducerOf(clients, "tx");
  ASSERT_TRUE(producer->BeginTransaction().ok());
  Send(*producer, "t", 0, "a");
  clients.FailNext("producer.commit", base::Status::Unavailable("ordered"));
  EXPECT_EQ(producer->CommitTransaction(kWait).code(), base::StatusCode::kUnavailable);
  EXPECT_EQ(producer->CommitTransaction(kWait).code(), base::StatusCode::kUnavailable);
  ASSERT_TRUE(producer->AbortTransaction(kWait).ok());
  EXPECT_THAT(cluster.CommittedRecords("t"), IsEmpty());
  ASSERT_TRUE(producer->BeginTransaction().ok());
  Send(*producer, "t", 0, "b");
  ASSERT_TRUE(producer->CommitTransaction(kWait).ok());
  EXPECT_THAT(Values(cluster.CommittedRecords("t")), ElementsAre("b"));
}

TEST(FakeKafka, RefusesWhatIsTooLargeForTheTopicAndWhatWasOrdered) {
  FakeCluster cluster;
  cluster.CreateTopic("t", 1, {{"max.message.bytes", "200"}});
  cluster.CreateTopic("u", 1);
  FakeClients clients(cluster);
  auto producer = ProducerOf(clients, "tx");
  ASSERT_TRUE(producer->BeginTransaction().ok());
  cluster.SetEarlySends(false);
  clients.RefuseNext("u", "INVALID_TIMESTAMP");
  Send(*producer, "u", 0, "x", 4);
  Send(*producer, "t", 0, std::string(300, 'a'), 5);
  EXPECT_EQ(producer->CommitTransaction(kWait).code(), base::StatusCode::kUnavailable);
  std::vector<std::string> refused;
  for (const auto& record : producer->TakeRefused()) {
    refused.push_back(record.topic + std::to_string(record.tag) + record.reason);
  }
  EXPECT_THAT(refused, UnorderedElementsAre("t5MESSAGE_TOO_LARGE", "u4INVALID_TIMESTAMP"));
  EXPECT_THAT(producer->TakeRefused(), IsEmpty());
}

TEST(FakeKafka, TellsARecordThatTheClientItselfRefuses) {
  FakeCluster cluster;
  cluster.CreateTopic("t", 1);
  FakeClients clients(cluster, {.record_bytes_max = 100});
  auto producer = std::move(clients.NewProducer()).value();
  pipeline::OutgoingRecord record;
  const std::string value(200, 'a');
  record.topic = "t";
  record.value = value;
  EXPECT_EQ(producer->Produce(record).code(), base::StatusCode::kInvalidArgument);
}

TEST(FakeKafka, TellsAFlushOfARecordThatWasNotDelivered) {
  FakeCluster cluster;
  cluster.CreateTopic("t", 1);
  FakeClients clients(cluster);
  auto producer = std::move(clients.NewProducer()).value();
  clients.RefuseNext("t", "INVALID_TIMESTAMP");
  for (int i = 0; i < 20; ++i) Send(*producer, "t", 0, "a");
  EXPECT_EQ(producer->Flush(kWait).code(), base::StatusCode::kUnavailable);
  EXPECT_EQ(producer->TakeRefused().size(), 1U);
  EXPECT_TRUE(producer->Flush(kWait).ok());
  EXPECT_EQ(cluster.CommittedRecords("t").size(), 19U);
}

TEST(FakeKafka, ForgetsUnflushedRecordsAndTellsDeliveredOffsetsPerFlush) {
  FakeCluster cluster;
  cluster.CreateTopic("t", 1);
  cluster.SetEarlySends(false);
  FakeClients clients(cluster);
  auto producer = std::move(clients.NewProducer()).value();
  Send(*producer, "t", 0, "a");
  Send(*producer, "t", 0, "b");
  ASSERT_TRUE(producer->Flush(kWait).ok());
  EXPECT_EQ(producer->LastDelivered(kT0), base::Offset{1});
  Send(*producer, "t", 0, "c");
  EXPECT_FALSE(producer->LastDelivered(kT0).has_value());
  producer.reset();
  EXPECT_THAT(Values(cluster.CommittedRecords("t")), ElementsAre("a", "b"));
}

TEST(FakeKafka, LeavesGapsWhenItCompactsAndKeepsTheLastRecord) {
  FakeCluster cluster;
  cluster.CreateTopic("t", 1, {{"cleanup.policy", "compact"}});
  for (const char* key : {"a", "b", "a", "b", "b"}) {
    cluster.Append("t", base::Partition{0}, key, "v");
  }
  cluster.Append("t", base::Partition{0}, "a", std::nullopt);
  cluster.Compact("t");
  std::vector<int64_t> offsets;
  for (const auto& record : cluster.CommittedRecords("t")) offsets.push_back(record.offset.value);
  EXPECT_THAT(offsets, ElementsAre(4, 5));
  cluster.Append("t", base::Partition{0}, "c", "v");
  cluster.Compact("t", /*drop_tombstones=*/true);
  FakeClients clients(cluster);
  auto reader = ReaderOf(clients, {kT0});
  EXPECT_THAT(Drain(*reader), ElementsAre("v", "v"));
  EXPECT_EQ(reader->Position(kT0), base::Offset{7});
}

TEST(FakeKafka, StandsStillOutOfRangeUntilItIsMoved) {
  FakeCluster cluster;
  cluster.CreateTopic("t", 1);
  for (int i = 0; i < 5; ++i) cluster.Append("t", base::Partition{0}, "k", std::to_string(i));
  cluster.DeleteRecordsBefore(kT0, base::Offset{3});
  FakeClients clients(cluster);
  auto reader = ReaderOf(clients, {kT0}, base::Offset{1});
  EXPECT_THAT(Drain(*reader), IsEmpty());
  EXPECT_THAT(reader->TakeOutOfRange(), ElementsAre(kT0));
  EXPECT_THAT(Drain(*reader), IsEmpty());
  EXPECT_THAT(reader->TakeOutOfRange(), IsEmpty());
  ASSERT_TRUE(reader->Seek({{kT0, base::Offset{3}}}).ok());
  EXPECT_THAT(Drain(*reader), ElementsAre("3", "4"));
}

TEST(FakeKafka, PausesAndResumes) {
  FakeCluster cluster;
  cluster.CreateTopic("t", 1);
  cluster.Append("t", base::Partition{0}, "k", "a");
  FakeClients clients(cluster);
  auto reader = ReaderOf(clients, {kT0});
  ASSERT_TRUE(reader->Pause(std::vector{kT0}).ok());
  EXPECT_THAT(Drain(*reader), IsEmpty());
  ASSERT_TRUE(reader->Resume(std::vector{kT0}).ok());
  EXPECT_THAT(Drain(*reader), ElementsAre("a"));
}

TEST(FakeKafka, ReturnsAtMostTheRecordsAskedForInOrder) {
  FakeCluster cluster;
  cluster.CreateTopic("t", 1);
  for (int i = 0; i < 9; ++i) cluster.Append("t", base::Partition{0}, "k", std::to_string(i));
  cluster.SetPollRecordsMax(4);
  FakeClients clients(cluster);
  auto reader = ReaderOf(clients, {kT0});
  std::string seen;
  for (int polls = 0; polls < 9; ++polls) {
    auto batch = std::move(reader->Poll(kWait, 3)).value();
    EXPECT_LE(batch->size(), 3U);
    for (size_t i = 0; i < batch->size(); ++i) seen += *batch->record(i).value;
  }
  EXPECT_EQ(seen, "012345678");
}

TEST(FakeKafka, MovesTheClockWhenAPollFindsNothing) {
  base::ManualClock clock(1000);
  FakeCluster cluster({.poll_clock = &clock});
  cluster.CreateTopic("t", 1);
  FakeClients clients(cluster);
  auto reader = ReaderOf(clients, {kT0});
  EXPECT_THAT(Drain(*reader), IsEmpty());
  EXPECT_EQ(clock.NowMs(), 1000 + kWait.count());
  cluster.Append("t", base::Partition{0}, "k", "a");
  EXPECT_EQ(cluster.CommittedRecords("t")[0].timestamp_ms, clock.NowMs());
}

TEST(FakeKafka, IsUnavailableWhileBrokersCannotBeReached) {
  FakeCluster cluster;
  cluster.CreateTopic("t", 1);
  FakeClients clients(cluster);
  auto reader = ReaderOf(clients, {kT0});
  auto producer = ProducerOf(clients, "tx");
  ASSERT_TRUE(producer->BeginTransaction().ok());
  cluster.SetReachable(false);
  EXPECT_EQ(reader->Poll(kWait, 1).status().code(), base::StatusCode::kUnavailable);
  EXPECT_EQ(clients.admin().ClusterId(kWait).status().code(), base::StatusCode::kUnavailable);
  Send(*producer, "t", 0, "a");
  EXPECT_EQ(producer->CommitTransaction(kWait).code(), base::StatusCode::kUnavailable);
  EXPECT_EQ(producer->AbortTransaction(kWait).code(), base::StatusCode::kLost);
  cluster.SetReachable(true);
  EXPECT_THAT(Drain(*reader), IsEmpty());
}

TEST(FakeKafka, IsDeadAfterItsHookThrows) {
  FakeCluster cluster;
  cluster.CreateTopic("t", 1);
  FakeClients clients(cluster);
  auto producer = ProducerOf(clients, "tx");
  ASSERT_TRUE(producer->BeginTransaction().ok());
  Send(*producer, "t", 0, "a");
  std::vector<std::string> steps;
  clients.SetStepHook([&](std::string_view step) {
    steps.emplace_back(step);
    if (step == "producer.commit.flushed") throw std::string("crash");
  });
  EXPECT_THROW((void)producer->CommitTransaction(kWait), std::string);
  EXPECT_EQ(producer->CommitTransaction(kWait).code(), base::StatusCode::kLost);
  EXPECT_EQ(clients.admin().ClusterId(kWait).status().code(), base::StatusCode::kLost);
  EXPECT_THAT(steps, ElementsAre("producer.commit.before", "producer.commit.flushed"));
  EXPECT_THAT(cluster.OpenTransactions(), ElementsAre("tx"));
  producer.reset();
  FakeClients reborn(cluster);
  ProducerOf(reborn, "tx");
  EXPECT_THAT(cluster.OpenTransactions(), IsEmpty());
  EXPECT_THAT(cluster.CommittedRecords("t"), IsEmpty());
}

TEST(FakeKafka, CutsACallShortWhereItIsKilled) {
  FakeCluster cluster;
  cluster.CreateTopic("t", 1);
  FakeClients clients(cluster);
  auto producer = ProducerOf(clients, "tx");
  ASSERT_TRUE(producer->BeginTransaction().ok());
  Send(*producer, "t", 0, "a");
  clients.SetStepHook([&](std::string_view step) {
    if (step == "producer.commit.flushed") clients.Kill();
  });
  EXPECT_EQ(producer->CommitTransaction(kWait).code(), base::StatusCode::kLost);
  EXPECT_EQ(producer->AbortTransaction(kWait).code(), base::StatusCode::kLost);
  EXPECT_THAT(cluster.OpenTransactions(), ElementsAre("tx"));
}

TEST(FakeKafka, TakesRecordsOfSeveralThreadsWhileAnotherReads) {
  FakeCluster cluster;
  cluster.CreateTopic("t", 1);
  FakeClients clients(cluster);
  auto producer = std::move(clients.NewAsyncProducer()).value();
  std::atomic<int> delivered = 0;
  std::vector<std::jthread> threads;
  for (int thread = 0; thread < 3; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        producer->Produce("t", base::Partition{0}, "k", "v",
                          [&](const base::Result<base::Offset>& offset) {
                            if (offset.ok()) ++delivered;
                          });
      }
    });
  }
  auto reader = ReaderOf(clients, {kT0});
  size_t seen = Drain(*reader).size();
  threads.clear();
  seen += Drain(*reader).size();
  EXPECT_EQ(delivered, 150);
  EXPECT_EQ(seen, 150U);
}

TEST(FakeKafka, AnswersAnAsyncProducerThatCannotDeliver) {
  FakeCluster cluster;
  cluster.CreateTopic("t", 1, {{"max.message.bytes", "100"}});
  FakeClients clients(cluster);
  auto producer = std::move(clients.NewAsyncProducer()).value();
  std::vector<base::StatusCode> codes;
  const auto produce = [&](const std::string& topic, const std::string& value) {
    producer->Produce(
        topic, base::Partition{0}, "k", value,
        [&](const base::Result<base::Offset>& offset) { codes.push_back(offset.status().code()); });
  };
  produce("t", "a");
  produce("t", std::string(100, 'a'));
  produce("missing", "a");
  cluster.SetReachable(false);
  produce("t", "a");
  EXPECT_THAT(codes, ElementsAre(base::StatusCode::kOk, base::StatusCode::kInvalidArgument,
                                 base::StatusCode::kUnavailable, base::StatusCode::kUnavailable));
}

TEST(FakeKafka, GivesARecreatedTopicAnotherId) {
  FakeCluster cluster;
  cluster.CreateTopic("t", 2, {{"cleanup.policy", "compact"}});
  cluster.Append("t", base::Partition{0}, "k", "a");
  FakeClients clients(cluster);
  const std::vector<std::string> names{"t", "missing"};
  const auto before = clients.admin().DescribeTopics(names, kWait).value();
  cluster.RecreateTopic("t");
  const auto after = clients.admin().DescribeTopics(names, kWait).value();
  ASSERT_EQ(before.size(), 1U);
  EXPECT_NE(before.at("t").id, after.at("t").id);
  EXPECT_EQ(after.at("t").partitions, 2);
  EXPECT_EQ(after.at("t").config.at("cleanup.policy"), "compact");
  EXPECT_EQ(cluster.LogEnd(kT0).value, 0);
}

}  // namespace
}  // namespace support
