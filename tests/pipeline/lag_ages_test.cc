#include "pipeline/lag_ages.h"

#include <gtest/gtest.h>

namespace pipeline {
namespace {

using std::chrono::milliseconds;

const base::TopicPartition kEvents0{"events", {0}};

TEST(LagAges, AreNothingWhereNothingWaits) {
  LagAges ages;
  EXPECT_EQ(ages.Look(kEvents0, 0, 1000, 500'000), milliseconds(0));
}

TEST(LagAges, AreThoseOfTheLastRecordProcessed) {
  LagAges ages;
  EXPECT_EQ(ages.Look(kEvents0, 10, 490'000, 500'000), milliseconds(10'000));
}

TEST(LagAges, BeginWithTheFirstLookWhenNothingWasProcessedYet) {
  LagAges ages;
  EXPECT_EQ(ages.Look(kEvents0, 10, 0, 500'000), milliseconds(0));
  EXPECT_EQ(ages.Look(kEvents0, 10, 0, 507'000), milliseconds(7000));
}

TEST(LagAges, AreNoLongerThanSinceNothingWaited) {
  LagAges ages;
  // The last record is an hour old; then one comes.
  ages.Look(kEvents0, 0, 1000, 3'601'000);
  EXPECT_EQ(ages.Look(kEvents0, 1, 1000, 3'602'000), milliseconds(1000));
  // It is not taken up.
  EXPECT_EQ(ages.Look(kEvents0, 1, 1000, 3'661'000), milliseconds(60'000));
}

TEST(LagAges, AreNotBelowNothingWhenTimestampsAreAhead) {
  LagAges ages;
  EXPECT_EQ(ages.Look(kEvents0, 1, 600'000, 500'000), milliseconds(0));
}

TEST(LagAges, ForgetAPartitionThatMovedAway) {
  LagAges ages;
  ages.Look(kEvents0, 0, 1000, 10'000);
  ages.EndRound();
  ages.EndRound();
  EXPECT_EQ(ages.Look(kEvents0, 5, 1000, 500'000), milliseconds(499'000));
}

}  // namespace
}  // namespace pipeline
