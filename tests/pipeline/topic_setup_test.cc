#include "pipeline/topic_setup.h"

#include <gtest/gtest.h>

#include "tests/support/fake_kafka.h"

namespace pipeline {
namespace {

using std::chrono::milliseconds;

class EnsureTopicsTest : public testing::Test {
 protected:
  base::Result<std::map<std::string, TopicDescription>> Ensure() {
    return EnsureTopics(clients_.admin(), specs_, 4, 1, milliseconds(1000));
  }

  std::vector<TopicSpec> specs_ = {
      {.name = "notifications", .cleanup_policy = "delete", .copartition_group = "recipient"},
      {.name = "inbox-actions", .cleanup_policy = "delete", .copartition_group = "recipient"},
      {.name = "users", .cleanup_policy = "compact"}};
  support::FakeCluster cluster_;
  support::FakeClients clients_{cluster_};
};

TEST_F(EnsureTopicsTest, MakesWhatIsMissingWithTheDefaultCount) {
  auto topics = Ensure();
  ASSERT_TRUE(topics.ok()) << topics.status().ToString();
  EXPECT_EQ(topics->at("notifications").partitions, 4);
  EXPECT_EQ(topics->at("users").config.at("cleanup.policy"), "compact");
  EXPECT_TRUE(Ensure().ok());
}

TEST_F(EnsureTopicsTest, GivesAMissingTopicTheCountOfItsSibling) {
  cluster_.CreateTopic("notifications", 7, {{"cleanup.policy", "delete"}});
  auto topics = Ensure();
  ASSERT_TRUE(topics.ok()) << topics.status().ToString();
  EXPECT_EQ(topics->at("inbox-actions").partitions, 7);
}

TEST_F(EnsureTopicsTest, RefusesSiblingsOfUnequalCounts) {
  cluster_.CreateTopic("notifications", 7, {{"cleanup.policy", "delete"}});
  cluster_.CreateTopic("inbox-actions", 8, {{"cleanup.policy", "delete"}});
  const base::Status status = Ensure().status();
  EXPECT_EQ(status.code(), base::StatusCode::kFatal);
  EXPECT_NE(status.message().find("notifications (7 partitions)"), std::string::npos);
  EXPECT_NE(status.message().find("inbox-actions (8 partitions)"), std::string::npos)
      << status.message();
}

TEST_F(EnsureTopicsTest, RefusesAWrongCleanUpPolicy) {
  cluster_.CreateTopic("users", 4, {{"cleanup.policy", "delete"}});
  const base::Status status = Ensure().status();
  EXPECT_EQ(status.code(), base::StatusCode::kFatal);
  EXPECT_EQ(status.message(), "topic users has cleanup.policy=delete, it must be compact");
}

TEST_F(EnsureTopicsTest, RefusesAChangelogOfAnotherCount) {
  specs_.push_back({.name = "changelog",
                    .cleanup_policy = "compact",
                    .partitions = 4,
                    .exact_partitions = true});
  cluster_.CreateTopic("changelog", 3, {{"cleanup.policy", "compact"}});
  EXPECT_EQ(Ensure().status().message(), "topic changelog has 3 partitions, it must have 4");
}

TEST_F(EnsureTopicsTest, SaysTryAgainWhenTheClusterIsGone) {
  cluster_.SetReachable(false);
  EXPECT_EQ(Ensure().status().code(), base::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace pipeline
