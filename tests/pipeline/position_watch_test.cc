#include "pipeline/position_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace pipeline {
namespace {

using Outcome = PositionWatch::Outcome;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const base::TopicPartition kTp{"inbox-actions", base::Partition{1}};
const base::TopicPartition kOther{"inbox-actions", base::Partition{2}};

class PositionWatchTest : public ::testing::Test {
 protected:
  uint64_t Wait(int64_t offset, const base::TopicPartition& tp = kTp) {
    return watch_.Wait(tp, base::Offset{offset},
                       [this](Outcome outcome) { outcomes_.push_back(outcome); });
  }

  PositionWatch watch_;
  std::vector<Outcome> outcomes_;
};

TEST_F(PositionWatchTest, AnswersAtOnceWhatIsCommittedAlready) {
  watch_.Committed(kTp, base::Offset{8});
  EXPECT_NE(Wait(7), 0U);
  EXPECT_THAT(outcomes_, ElementsAre(Outcome::kPassed));
}

TEST_F(PositionWatchTest, WaitsUntilThePositionIsBehindTheRecord) {
  watch_.Committed(kTp, base::Offset{7});
  Wait(7);
  watch_.Committed(kOther, base::Offset{100});
  watch_.Committed(kTp, base::Offset{7});
  EXPECT_THAT(outcomes_, IsEmpty()) << "7 is the next to read";
  watch_.Committed(kTp, base::Offset{8});
  EXPECT_THAT(outcomes_, ElementsAre(Outcome::kPassed));
  watch_.Committed(kTp, base::Offset{9});
  EXPECT_THAT(outcomes_, ElementsAre(Outcome::kPassed)) << "once";
}

TEST_F(PositionWatchTest, TellsThatTheTaskIsNotHere) {
  Wait(7);
  EXPECT_THAT(outcomes_, ElementsAre(Outcome::kMoved));
}

TEST_F(PositionWatchTest, TellsThatTheTaskHasLeft) {
  watch_.Committed(kTp, base::Offset{1});
  watch_.Committed(kOther, base::Offset{1});
  Wait(1);
  Wait(2);
  Wait(1, kOther);
  watch_.Gone(kTp);
  EXPECT_THAT(outcomes_, ElementsAre(Outcome::kMoved, Outcome::kMoved));
  Wait(1);
  EXPECT_THAT(outcomes_, ElementsAre(Outcome::kMoved, Outcome::kMoved, Outcome::kMoved));
}

TEST_F(PositionWatchTest, ForgetsWhatIsCancelled) {
  watch_.Committed(kTp, base::Offset{1});
  const uint64_t cancelled = Wait(1);
  Wait(1);
  watch_.Cancel(cancelled);
  watch_.Cancel(cancelled);
  watch_.Committed(kTp, base::Offset{2});
  EXPECT_THAT(outcomes_, ElementsAre(Outcome::kPassed));
}

TEST_F(PositionWatchTest, TakesABoundedNumberOfWaits) {
  watch_.Committed(kTp, base::Offset{0});
  for (size_t i = 0; i < PositionWatch::kWaitsMax; ++i) ASSERT_NE(Wait(0), 0U);
  EXPECT_EQ(Wait(0), 0U);
  EXPECT_THAT(outcomes_, IsEmpty());
  watch_.Committed(kTp, base::Offset{1});
  EXPECT_EQ(outcomes_.size(), PositionWatch::kWaitsMax);
  watch_.Committed(kOther, base::Offset{0});
  EXPECT_NE(Wait(0, kOther), 0U);
}

}  // namespace
}  // namespace pipeline
