#include "app/event_backlog.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace app {
namespace {

constexpr base::Partition kPartition{1};

/// Keeps the reports until the test gives them.
class HeldProducer : public pipeline::AsyncProducer {
 public:
  explicit HeldProducer(std::vector<Delivered>& held) : held_(held) {}

  void Produce(std::string_view, base::Partition, std::optional<std::string_view>,
               std::optional<std::string_view>, const pipeline::Headers&,
               Delivered delivered) override {
    held_.push_back(std::move(delivered));
  }
  base::Status Flush(pipeline::milliseconds) override { return base::Status::Ok(); }

 private:
  std::vector<Delivered>& held_;
};

class EventBacklogTest : public ::testing::Test {
 protected:
  EventBacklogTest()
      : backlog_(std::make_unique<HeldProducer>(held_), "events",
                 [this](base::Partition) { return position_; }) {}

  /// A record that makes the partition as full as may be.
  void Fill(const std::string& topic = "events", base::Partition partition = kPartition) {
    const std::string value(kBacklogBytesMax, 'x');
    backlog_.Produce(topic, partition, std::nullopt, value, {},
                     [this](const base::Result<base::Offset>& outcome) {
                       outcomes_.push_back(outcome.ok());
                     });
  }

  std::vector<pipeline::AsyncProducer::Delivered> held_;
  std::vector<bool> outcomes_;
  std::optional<base::Offset> position_;
  EventBacklog backlog_;
};

TEST_F(EventBacklogTest, IsFullFromTheMomentOfSendingUntilItIsRead) {
  EXPECT_FALSE(backlog_.IsFull(kPartition));
  Fill();
  EXPECT_TRUE(backlog_.IsFull(kPartition)) << "on its way counts";
  held_.at(0)(base::Offset{7});
  EXPECT_TRUE(backlog_.IsFull(kPartition));
  position_ = base::Offset{7};
  EXPECT_TRUE(backlog_.IsFull(kPartition)) << "7 is the next to read";
  position_ = base::Offset{8};
  EXPECT_FALSE(backlog_.IsFull(kPartition));
  EXPECT_EQ(outcomes_, std::vector<bool>{true});
}

TEST_F(EventBacklogTest, CountsKeyValueAndHeaders) {
  const std::string third(kBacklogBytesMax / 3, 'x');
  const auto produce = [&](const pipeline::Headers& headers) {
    backlog_.Produce("events", kPartition, third, third, headers,
                     [](const base::Result<base::Offset>&) {});
    return backlog_.IsFull(kPartition);
  };
  EXPECT_FALSE(produce({{"gone", std::nullopt}}));
  held_.at(0)(base::Status::Unavailable("no broker"));
  EXPECT_TRUE(produce({{"tracestate", third}}));
}

TEST_F(EventBacklogTest, ForgetsWhatWasNotDelivered) {
  Fill();
  held_.at(0)(base::Status::Unavailable("no broker"));
  EXPECT_FALSE(backlog_.IsFull(kPartition));
  EXPECT_EQ(outcomes_, std::vector<bool>{false});
}

TEST_F(EventBacklogTest, CountsEachPartitionOfItsTopicAlone) {
  Fill("users");
  Fill("events", base::Partition{0});
  EXPECT_FALSE(backlog_.IsFull(kPartition));
  EXPECT_TRUE(backlog_.IsFull(base::Partition{0}));
}

TEST(EventBacklog, LetsReportsComeAfterItIsGone) {
  std::vector<pipeline::AsyncProducer::Delivered> held;
  bool delivered = false;
  {
    EventBacklog backlog(std::make_unique<HeldProducer>(held), "events",
                         [](base::Partition) { return std::nullopt; });
    backlog.Produce("events", kPartition, std::nullopt, "x", {},
                    [&](const base::Result<base::Offset>& outcome) { delivered = outcome.ok(); });
  }
  held.at(0)(base::Offset{0});
  EXPECT_TRUE(delivered);
}

}  // namespace
}  // namespace app
