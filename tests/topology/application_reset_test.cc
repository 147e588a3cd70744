// Resetting an application on the in-memory twin.

#include "pipeline/application_reset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "stages/notification_topology.h"
#include "tests/support/fake_kafka.h"

namespace pipeline {
namespace {

using base::Offset;
using base::Partition;
using base::TopicPartition;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr milliseconds kTimeout{100};
constexpr char kApplication[] = "app";
constexpr char kChangelog[] = "p.app-inbox-changelog";
constexpr char kInstances[] = "p.app-instances";
const TopicPartition kEvents{"p.events", Partition{0}};
const TopicPartition kNotifications{"p.notifications", Partition{0}};
const TopicPartition kActions{"p.inbox-actions", Partition{0}};

/// A member of the group that does nothing.
class Idle : public RebalanceListener {
 public:
  explicit Idle(Consumer& consumer) : consumer_(consumer) {}
  void OnAssigned(const std::vector<TopicPartition>& partitions) override {
    std::vector<AssignedPartition> assigned;
    for (const TopicPartition& partition : partitions) assigned.push_back({partition, {}, true});
    EXPECT_TRUE(consumer_.Assign(assigned).ok());
  }
  void OnRevoked(const std::vector<TopicPartition>&) override {}
  void OnLost(const std::vector<TopicPartition>&) override {}

 private:
  Consumer& consumer_;
};

/// An application that has run: three inputs of one partition with ten records each, a second apart
/// from time 1000 on, and positions at 4.
class ApplicationResetTest : public testing::Test {
 protected:
  ApplicationResetTest()
      : topology_(stages::BuildNotificationTopology(stages::Topics::WithPrefix("p."), {})) {
    for (const TopicPartition* input : {&kEvents, &kNotifications, &kActions}) {
      cluster_.CreateTopic(input->topic, 1);
      for (int i = 0; i < 10; ++i) {
        cluster_.Append(input->topic, input->partition, std::nullopt, "x", {}, 1000 * (i + 1));
      }
    }
    cluster_.CreateTopic(kChangelog, 1);
    cluster_.CreateTopic(kInstances, 1);
    cluster_.CreateTopic("p.dead-letters", 1);
    // Another application, whose name begins with ours.
    cluster_.CreateTopic("p.app-2-inbox-changelog", 1);
    EXPECT_TRUE(admin()
                    .SetGroupPositions(kApplication,
                                       {{kEvents, {4}}, {kNotifications, {4}}, {kActions, {4}}},
                                       kTimeout)
                    .ok());
    EXPECT_TRUE(admin().SetGroupPositions("app-2", {{kEvents, {5}}}, kTimeout).ok());
  }

  ApplicationReset Make(ResetTo to = ResetTo::kStart, int64_t time_ms = 0) {
    return ApplicationReset(admin(), topology_, {kApplication, "p.", to, time_ms, kTimeout});
  }

  base::Status PlanAndCarryOut(ResetTo to = ResetTo::kStart, int64_t time_ms = 0) {
    ApplicationReset reset = Make(to, time_ms);
    auto plan = reset.Plan();
    if (!plan.ok()) return plan.status();
    return reset.CarryOut(*plan, [](ApplicationReset::Step) {});
  }

  bool Exists(const std::string& topic) {
    const std::vector<std::string> names = {topic};
    return !admin().DescribeTopics(names, kTimeout).value().empty();
  }

  /// Nothing of it is left, nothing of anybody else is gone.
  void ExpectInternalTopicsGone() {
    EXPECT_FALSE(Exists(kChangelog));
    EXPECT_FALSE(Exists(kInstances));
    for (const char* topic : {"p.events", "p.notifications", "p.inbox-actions", "p.dead-letters",
                              "p.app-2-inbox-changelog"}) {
      EXPECT_TRUE(Exists(topic)) << topic;
    }
    EXPECT_EQ(cluster_.CommittedPositions("app-2"), (Positions{{kEvents, {5}}}));
  }

  void ExpectUntouched() {
    EXPECT_TRUE(Exists(kChangelog));
    EXPECT_TRUE(Exists(kInstances));
    EXPECT_EQ(cluster_.CommittedPositions(kApplication),
              (Positions{{kEvents, {4}}, {kNotifications, {4}}, {kActions, {4}}}));
  }

  std::unique_ptr<Consumer> Join(const std::string& member) {
    auto consumer =
        clients_.NewGroupConsumer({.group_id = kApplication, .group_instance_id = member});
    listeners_.push_back(std::make_unique<Idle>(**consumer));
    EXPECT_TRUE((*consumer)->Subscribe(topology_.SourceTopics(), listeners_.back().get()).ok());
    EXPECT_TRUE((*consumer)->Poll(milliseconds(0), 1).ok());
    return std::move(*consumer);
  }

  Admin& admin() { return clients_.admin(); }

  support::FakeCluster cluster_;
  support::FakeClients clients_{cluster_};
  const Topology topology_;
  std::vector<std::unique_ptr<Idle>> listeners_;
};

TEST_F(ApplicationResetTest, DeletesPositionsAndInternalTopicsAndNothingElse) {
  ASSERT_TRUE(PlanAndCarryOut().ok());
  ExpectInternalTopicsGone();
  EXPECT_THAT(cluster_.CommittedPositions(kApplication), IsEmpty());
}

TEST_F(ApplicationResetTest, PlansWhatItDoesAndChangesNothing) {
  const auto plan = Make(ResetTo::kLatest).Plan();
  ASSERT_TRUE(plan.ok()) << plan.status().ToString();
  EXPECT_EQ(plan->group, kApplication);
  EXPECT_THAT(plan->topics, ElementsAre(kChangelog, kInstances));
  ASSERT_EQ(plan->inputs.size(), 3U);
  for (const ResetPlan::Input& input : plan->inputs) {
    EXPECT_EQ(input.from, Offset{4}) << input.partition.ToString();
    EXPECT_EQ(input.to, Offset{10}) << input.partition.ToString();
  }
  ExpectUntouched();
}

TEST_F(ApplicationResetTest, ToEarliestIsTheFirstRecordThatIsStillThere) {
  cluster_.DeleteRecordsBefore(kEvents, {2});
  ASSERT_TRUE(PlanAndCarryOut(ResetTo::kEarliest).ok());
  EXPECT_EQ(cluster_.CommittedPositions(kApplication),
            (Positions{{kEvents, {2}}, {kNotifications, {0}}, {kActions, {0}}}));
}

TEST_F(ApplicationResetTest, ToLatestIsBehindTheLastRecord) {
  ASSERT_TRUE(PlanAndCarryOut(ResetTo::kLatest).ok());
  ExpectInternalTopicsGone();
  EXPECT_EQ(cluster_.CommittedPositions(kApplication),
            (Positions{{kEvents, {10}}, {kNotifications, {10}}, {kActions, {10}}}));
}

TEST_F(ApplicationResetTest, ToATimeIsTheFirstRecordOfThenOrLaterElseTheEnd) {
  cluster_.Append(kEvents.topic, kEvents.partition, std::nullopt, "x", {}, 20'000);
  ASSERT_TRUE(PlanAndCarryOut(ResetTo::kTime, 10'001).ok());
  EXPECT_EQ(cluster_.CommittedPositions(kApplication),
            (Positions{{kEvents, {10}}, {kNotifications, {10}}, {kActions, {10}}}));
  ASSERT_TRUE(PlanAndCarryOut(ResetTo::kTime, 3'000).ok());
  EXPECT_EQ(cluster_.CommittedPositions(kApplication),
            (Positions{{kEvents, {2}}, {kNotifications, {2}}, {kActions, {2}}}));
}

TEST_F(ApplicationResetTest, IsRefusedWhileTheGroupHasMembersAndNamesThem) {
  const auto member = Join("i-one-0");
  const base::Status refused = PlanAndCarryOut();
  EXPECT_EQ(refused.code(), base::StatusCode::kInvalidArgument);
  EXPECT_THAT(refused.message(), HasSubstr("i-one-0"));
  EXPECT_THAT(refused.message(), HasSubstr("group app"));
  ExpectUntouched();
}

TEST_F(ApplicationResetTest, AMemberThatJoinsAfterThePlanStopsItBeforeAnythingChanged) {
  ApplicationReset reset = Make();
  const auto plan = reset.Plan();
  ASSERT_TRUE(plan.ok());
  const auto member = Join("i-one-0");
  const base::Status refused =
      reset.CarryOut(*plan, [](ApplicationReset::Step) { FAIL() << "a step was done"; });
  EXPECT_EQ(refused.code(), base::StatusCode::kInvalidArgument);
  ExpectUntouched();
}

TEST_F(ApplicationResetTest, IsRefusedWhileAnOpenTransactionHoldsPositions) {
  const auto member = Join("i-one-0");
  auto producer = clients_.NewTransactionalProducer("killed").value();
  ASSERT_TRUE(producer->InitTransactions(kTimeout).ok());
  ASSERT_TRUE(producer->BeginTransaction().ok());
  ASSERT_TRUE(producer->SendPositions({{kEvents, {7}}}, *member->Group(), kTimeout).ok());
  ASSERT_TRUE(cluster_.ExpireMember(kApplication, "i-one-0"));
  const base::Status refused = PlanAndCarryOut();
  EXPECT_EQ(refused.code(), base::StatusCode::kInvalidArgument);
  EXPECT_THAT(refused.message(), HasSubstr("open transaction"));
  ExpectUntouched();
  cluster_.ExpireTransactions();
  EXPECT_TRUE(PlanAndCarryOut().ok());
}

TEST_F(ApplicationResetTest, IsRefusedWithoutTheInputs) {
  const Topology other = stages::BuildNotificationTopology(stages::Topics::WithPrefix("typo."), {});
  ApplicationReset reset(admin(), other, {kApplication, "typo.", ResetTo::kStart, 0, kTimeout});
  const auto refused = reset.Plan();
  EXPECT_EQ(refused.status().code(), base::StatusCode::kInvalidArgument);
  EXPECT_THAT(refused.status().message(), HasSubstr("topic typo."));
  EXPECT_THAT(refused.status().message(), HasSubstr("--topic-prefix"));
}

TEST_F(ApplicationResetTest, RunningItAgainCompletesWhatBrokeOff) {
  for (const char* call :
       {"admin.delete_group", "admin.delete_topics", "admin.set_group_positions"}) {
    clients_.FailNext(call, base::Status::Unavailable("no broker"));
    EXPECT_EQ(PlanAndCarryOut(ResetTo::kLatest).code(), base::StatusCode::kUnavailable) << call;
  }
  ASSERT_TRUE(PlanAndCarryOut(ResetTo::kLatest).ok());
  ExpectInternalTopicsGone();
  EXPECT_EQ(cluster_.CommittedPositions(kApplication).size(), 3U);
  ASSERT_TRUE(PlanAndCarryOut(ResetTo::kLatest).ok());
}

TEST_F(ApplicationResetTest, NothingIsDoneWhenItCannotBePlanned) {
  for (const char* call : {"admin.describe_group", "admin.describe_topics", "admin.group_positions",
                           "admin.list_offsets", "admin.list_offsets_at"}) {
    clients_.FailNext(call, base::Status::Unavailable("no broker"));
    EXPECT_EQ(PlanAndCarryOut(ResetTo::kTime, 3'000).code(), base::StatusCode::kUnavailable)
        << call;
    ExpectUntouched();
  }
}

TEST_F(ApplicationResetTest, PositionsOnOtherTopicsGoWithTheGroup) {
  const TopicPartition former{"former", Partition{2}};
  cluster_.CreateTopic("former", 3);
  ASSERT_TRUE(admin().SetGroupPositions(kApplication, {{former, {3}}}, kTimeout).ok());
  ASSERT_TRUE(PlanAndCarryOut(ResetTo::kLatest).ok());
  EXPECT_FALSE(cluster_.CommittedPositions(kApplication).contains(former));
}

}  // namespace
}  // namespace pipeline
