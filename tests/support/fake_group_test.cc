#include "tests/support/fake_group.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/fake_kafka_test_util.h"

namespace support {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// A member that starts where the group left off and writes down what happens to it.
class MemberUnderTest : public pipeline::RebalanceListener {
 public:
  MemberUnderTest(FakeCluster& cluster, const std::string& instance) : clients_(cluster) {
    consumer_ = std::move(clients_.NewGroupConsumer({"g", instance})).value();
    EXPECT_TRUE(consumer_->Subscribe({"t", "u"}, this).ok());
  }

  void OnAssigned(const std::vector<base::TopicPartition>& partitions) override {
    std::string event = "assigned";
    for (const auto& tp : partitions) event += " " + tp.ToString();
    events.push_back(event);
    auto committed = std::move(consumer_->Committed(partitions, kWait)).value();
    std::vector<pipeline::AssignedPartition> assigned;
    for (const auto& tp : partitions) {
      assigned.push_back({tp, std::nullopt, false});
      if (committed.contains(tp)) assigned.back().start = committed[tp];
    }
    EXPECT_TRUE(consumer_->Assign(assigned).ok());
  }
  void OnRevoked(const std::vector<base::TopicPartition>&) override { events.push_back("revoked"); }
  void OnLost(const std::vector<base::TopicPartition>&) override { events.push_back("lost"); }

  pipeline::Consumer& consumer() { return *consumer_; }
  FakeClients& clients() { return clients_; }
  std::vector<std::string> TakeEvents() { return std::exchange(events, {}); }

  std::vector<std::string> events;

 private:
  FakeClients clients_;
  std::unique_ptr<pipeline::Consumer> consumer_;
};

FakeCluster& WithTopics(FakeCluster& cluster) {
  cluster.CreateTopic("t", 3);
  cluster.CreateTopic("u", 3);
  return cluster;
}

TEST(FakeGroup, AssignsRangesOfEachTopicByInstanceId) {
  FakeCluster cluster;
  WithTopics(cluster);
  MemberUnderTest b(cluster, "b");
  Drain(b.consumer());
  MemberUnderTest a(cluster, "a");
  Drain(a.consumer());
  EXPECT_THAT(a.events, IsEmpty()) << "b has not given up its share yet";
  Drain(b.consumer());
  Drain(a.consumer());
  Drain(b.consumer());
  EXPECT_THAT(a.events, ElementsAre("assigned t[0] t[1] u[0] u[1]"));
  EXPECT_THAT(b.events, ElementsAre("assigned t[0] t[1] t[2] u[0] u[1] u[2]", "revoked",
                                    "assigned t[2] u[2]"));
}

TEST(FakeGroup, MovesNothingWhenAStaticMemberComesBack) {
  FakeCluster cluster;
  WithTopics(cluster);
  MemberUnderTest a(cluster, "a");
  Drain(a.consumer());
  const int64_t generation = cluster.Generation("g");
  MemberUnderTest reborn(cluster, "a");
  Drain(reborn.consumer());
  EXPECT_THAT(reborn.events, ElementsAre("assigned t[0] t[1] t[2] u[0] u[1] u[2]"));
  EXPECT_EQ(cluster.Generation("g"), generation);
  EXPECT_EQ(a.consumer().Poll(kWait, 1).status().code(), base::StatusCode::kInternal);
}

TEST(FakeGroup, TellsAnExpiredMemberThatItsShareIsLostAndTakesItBack) {
  FakeCluster cluster;
  WithTopics(cluster);
  MemberUnderTest a(cluster, "a");
  Drain(a.consumer());
  auto producer = ProducerOf(a.clients(), "tx");
  ASSERT_TRUE(producer->BeginTransaction().ok());
  const auto membership = a.consumer().Group();
  ASSERT_TRUE(cluster.ExpireMember("g", "a"));
  EXPECT_FALSE(cluster.ExpireMember("g", "a"));
  EXPECT_EQ(producer->SendPositions({{kT0, base::Offset{1}}}, *membership, kWait).code(),
            base::StatusCode::kUnavailable);
  Drain(a.consumer());
  Drain(a.consumer());
  EXPECT_THAT(a.events, ElementsAre("assigned t[0] t[1] t[2] u[0] u[1] u[2]", "lost",
                                    "assigned t[0] t[1] t[2] u[0] u[1] u[2]"));
  EXPECT_THAT(cluster.CommittedPositions("g"), IsEmpty());
}

TEST(FakeGroup, RefusesPositionsOfAnOldGeneration) {
  FakeCluster cluster;
  WithTopics(cluster);
  MemberUnderTest a(cluster, "a");
  Drain(a.consumer());
  const auto membership = a.consumer().Group();
  MemberUnderTest b(cluster, "b");
  Drain(a.consumer());
  auto producer = ProducerOf(a.clients(), "tx");
  ASSERT_TRUE(producer->BeginTransaction().ok());
  EXPECT_EQ(producer->SendPositions({{kT0, base::Offset{1}}}, *membership, kWait).code(),
            base::StatusCode::kUnavailable);
  EXPECT_EQ(producer->CommitTransaction(kWait).code(), base::StatusCode::kUnavailable);
  EXPECT_EQ(a.consumer().CommitPositions({{kT0, base::Offset{1}}}).code(), base::StatusCode::kLost);
  ASSERT_TRUE(producer->AbortTransaction(kWait).ok());
  Drain(a.consumer());
  EXPECT_TRUE(a.consumer().CommitPositions({{kT0, base::Offset{1}}}).ok());
  EXPECT_EQ(cluster.CommittedPositions("g").at(kT0), base::Offset{1});
}

TEST(FakeGroup, GivesTheShareOfALeavingMemberToTheOthersAtOnce) {
  FakeCluster cluster;
  WithTopics(cluster);
  MemberUnderTest a(cluster, "a");
  Drain(a.consumer());
  MemberUnderTest b(cluster, "b");
  Drain(a.consumer());
  Drain(a.consumer());
  Drain(b.consumer());
  a.TakeEvents();
  b.TakeEvents();
  ASSERT_TRUE(a.consumer().Leave(kWait).ok());
  EXPECT_THAT(a.events, ElementsAre("revoked"));
  Drain(b.consumer());
  Drain(b.consumer());
  EXPECT_THAT(b.events, ElementsAre("revoked", "assigned t[0] t[1] t[2] u[0] u[1] u[2]"));
  EXPECT_THAT(cluster.Shares("g"), SizeIs(1));
}

TEST(FakeGroup, RebalancesWhenATopicGrows) {
  FakeCluster cluster;
  WithTopics(cluster);
  MemberUnderTest a(cluster, "a");
  Drain(a.consumer());
  cluster.GrowTopic("t", 1);
  Drain(a.consumer());
  Drain(a.consumer());
  EXPECT_EQ(a.events.back(), "assigned t[0] t[1] t[2] t[3] u[0] u[1] u[2]");
}

TEST(FakeGroup, WaitsForPositionsThatATransactionHolds) {
  FakeCluster cluster;
  WithTopics(cluster);
  cluster.HoldMarkers(true);
  MemberUnderTest a(cluster, "a");
  Drain(a.consumer());
  auto producer = ProducerOf(a.clients(), "tx");
  ASSERT_TRUE(producer->BeginTransaction().ok());
  ASSERT_TRUE(producer->SendPositions({{kT0, base::Offset{5}}}, *a.consumer().Group(), kWait).ok());
  const auto committed = [&](const base::TopicPartition& tp) {
    return a.consumer().Committed(std::vector{tp}, kWait);
  };
  EXPECT_EQ(committed(kT0).status().code(), base::StatusCode::kUnavailable);
  EXPECT_TRUE(committed(kT1).ok());
  ASSERT_TRUE(producer->CommitTransaction(kWait).ok());
  EXPECT_EQ(committed(kT0).status().code(), base::StatusCode::kUnavailable);
  cluster.DeliverMarkersToGroups();
  EXPECT_EQ(committed(kT0).value().at(kT0), base::Offset{5});
}

TEST(FakeGroup, ForgetsThePositionsOfAnAbortedTransaction) {
  FakeCluster cluster;
  WithTopics(cluster);
  MemberUnderTest a(cluster, "a");
  Drain(a.consumer());
  auto producer = ProducerOf(a.clients(), "tx");
  ASSERT_TRUE(producer->BeginTransaction().ok());
  ASSERT_TRUE(producer->SendPositions({{kT0, base::Offset{5}}}, *a.consumer().Group(), kWait).ok());
  ProducerOf(a.clients(), "tx");
  EXPECT_THAT(a.consumer().Committed(std::vector{kT0}, kWait).value(), IsEmpty());
}

}  // namespace
}  // namespace support
