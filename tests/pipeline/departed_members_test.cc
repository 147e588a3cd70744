#include "pipeline/departed_members.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "pipeline/stream_thread.h"
#include "tests/support/fake_kafka.h"

namespace pipeline {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr nanoseconds kNow = seconds(100);
constexpr nanoseconds kLater = kNow + DepartedMembers::kAbsence;
constexpr milliseconds kTimeout{1000};

GroupDescription Stable(const std::vector<std::string>& names) {
  GroupDescription group;
  group.stable = true;
  for (const std::string& name : names) group.members.push_back({name, {}});
  return group;
}

class DepartedMembersTest : public ::testing::Test {
 protected:
  DepartedMembersTest() {
    config_.application_id = "app";
    cluster_.CreateTopic("out", 1);
  }

  /// A process dies in the middle of a transaction.
  void DieInSlot(const std::string& instance, int slot) {
    support::FakeClients dying(cluster_);
    auto producer =
        dying.NewTransactionalProducer(StreamThread::TransactionalId(config_, instance, slot));
    ASSERT_TRUE(producer.ok());
    ASSERT_TRUE((*producer)->InitTransactions(kTimeout).ok());
    ASSERT_TRUE((*producer)->BeginTransaction().ok());
    OutgoingRecord record;
    record.topic = "out";
    record.partition = base::Partition{0};
    record.value = "never committed";
    ASSERT_TRUE((*producer)->Produce(record).ok());
    ASSERT_TRUE((*producer)->Flush(kTimeout).ok());
  }

  std::string EndOne(nanoseconds now) {
    auto ended = departed_.EndOne(now, kTimeout);
    EXPECT_TRUE(ended.ok()) << ended.status().ToString();
    return ended.ok() ? *ended : "";
  }

  support::FakeCluster cluster_;
  support::FakeClients clients_{cluster_};
  EngineConfig config_;
  DepartedMembers departed_{clients_, config_, "a"};
};

TEST_F(DepartedMembersTest, EndsWhatAMemberThatIsGoneHadOpen) {
  departed_.Refresh(Stable({"a-0", "b-0", "b-1"}), kNow);
  DieInSlot("b", 1);
  ASSERT_THAT(cluster_.OpenTransactions(), ElementsAre("app-b-1"));
  departed_.Refresh(Stable({"a-0", "b-0"}), kNow);
  EXPECT_EQ(EndOne(kLater), "b-1");
  EXPECT_THAT(cluster_.OpenTransactions(), IsEmpty());
  EXPECT_EQ(EndOne(kLater), "");
}

TEST_F(DepartedMembersTest, GivesAMemberTimeToComeBack) {
  departed_.Refresh(Stable({"a-0", "b-0"}), kNow);
  departed_.Refresh(Stable({"a-0"}), kNow);
  EXPECT_EQ(EndOne(kLater - nanoseconds(1)), "");
  departed_.Refresh(Stable({"a-0", "b-0"}), kLater - nanoseconds(1));
  EXPECT_EQ(EndOne(kLater + seconds(60)), "");
}

TEST_F(DepartedMembersTest, CountsTheAbsenceFromItsBeginning) {
  departed_.Refresh(Stable({"a-0", "b-0"}), kNow);
  departed_.Refresh(Stable({"a-0"}), kNow);
  departed_.Refresh(Stable({"a-0"}), kLater);
  EXPECT_EQ(EndOne(kLater), "b-0");
}

TEST_F(DepartedMembersTest, EndsOneAtATime) {
  departed_.Refresh(Stable({"a-0", "b-0", "b-1"}), kNow);
  departed_.Refresh(Stable({"a-0"}), kNow);
  EXPECT_EQ(EndOne(kLater), "b-0");
  EXPECT_EQ(EndOne(kLater), "b-1");
  EXPECT_EQ(EndOne(kLater), "");
}

TEST_F(DepartedMembersTest, LeavesItsOwnInstanceToItself) {
  departed_.Refresh(Stable({"a-0", "a-1"}), kNow);
  departed_.Refresh(Stable({}), kNow);
  EXPECT_EQ(EndOne(kLater), "");
}

TEST_F(DepartedMembersTest, KnowsNothingInTheMiddleOfARebalance) {
  departed_.Refresh(Stable({"a-0", "b-0"}), kNow);
  departed_.Refresh({false, {{"a-0", {}}}}, kNow);
  EXPECT_EQ(EndOne(kLater), "");
}

TEST_F(DepartedMembersTest, TriesAgainWhatDidNotSucceed) {
  departed_.Refresh(Stable({"a-0", "b-0"}), kNow);
  DieInSlot("b", 0);
  departed_.Refresh(Stable({"a-0"}), kNow);
  cluster_.SetReachable(false);
  EXPECT_FALSE(departed_.EndOne(kLater, kTimeout).ok());
  cluster_.SetReachable(true);
  EXPECT_EQ(EndOne(kLater), "b-0");
  EXPECT_THAT(cluster_.OpenTransactions(), IsEmpty());
}

}  // namespace
}  // namespace pipeline
