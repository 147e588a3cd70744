#include "base/repeat_limiter.h"

#include <gtest/gtest.h>

#include <string>

namespace base {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;

class RepeatLimiterTest : public testing::Test {
 protected:
  bool Take(const std::string& message, uint32_t line = 1) {
    return limiter_.Take("file.cc", line, message, "component", 3, now_);
  }
  /// How many of `count` lines are written.
  int Written(int count, const std::string& message) {
    int written = 0;
    for (int i = 0; i < count; ++i) written += Take(message) ? 1 : 0;
    return written;
  }

  RepeatLimiter limiter_;
  nanoseconds now_ = seconds(1000);
};

TEST_F(RepeatLimiterTest, WritesTheFirstOfAKindAndTellsHowManyWereLeftOut) {
  EXPECT_EQ(Written(100, "no broker"), RepeatLimiter::kLinesMax);
  now_ += RepeatLimiter::kInterval - seconds(1);
  EXPECT_FALSE(Take("no broker"));
  EXPECT_TRUE(limiter_.TakeLeftOut(now_).empty()) << "its interval is not over";
  now_ += seconds(1);
  const auto left_out = limiter_.TakeLeftOut(now_);
  ASSERT_EQ(left_out.size(), 1u);
  EXPECT_EQ(left_out[0].lines, 100u - RepeatLimiter::kLinesMax + 1);
  EXPECT_EQ(left_out[0].message, "no broker");
  EXPECT_EQ(left_out[0].component, "component");
  EXPECT_EQ(left_out[0].level, 3);
  EXPECT_TRUE(limiter_.TakeLeftOut(now_).empty()) << "once";
}

TEST_F(RepeatLimiterTest, BeginsAnewWhenTheIntervalIsOver) {
  EXPECT_EQ(Written(20, "m"), RepeatLimiter::kLinesMax);
  now_ += RepeatLimiter::kInterval;
  EXPECT_EQ(Written(20, "m"), RepeatLimiter::kLinesMax);
  const auto left_out = limiter_.TakeLeftOut(now_);
  ASSERT_EQ(left_out.size(), 1u) << "of the first interval; the second goes on";
  EXPECT_EQ(left_out[0].lines, 20u - RepeatLimiter::kLinesMax);
}

TEST_F(RepeatLimiterTest, TellsKindsApartByPlaceAndMessage) {
  EXPECT_EQ(Written(50, "m"), RepeatLimiter::kLinesMax);
  EXPECT_TRUE(Take("other"));
  EXPECT_TRUE(Take("m", 2));
}

TEST_F(RepeatLimiterTest, TellsAllWhenAskedTo) {
  Written(RepeatLimiter::kLinesMax + 3, "m");
  const auto left_out = limiter_.TakeLeftOut(now_, /*all=*/true);
  ASSERT_EQ(left_out.size(), 1u);
  EXPECT_EQ(left_out[0].lines, 3u);
}

TEST_F(RepeatLimiterTest, KnowsABoundedNumberOfKindsAndLosesNoCount) {
  Written(RepeatLimiter::kLinesMax + 3, "first");
  for (size_t i = 0; i < 10 * RepeatLimiter::kKindsMax; ++i) {
    now_ += nanoseconds(1);
    EXPECT_TRUE(Take("kind " + std::to_string(i)));
    EXPECT_LE(limiter_.kinds(), RepeatLimiter::kKindsMax);
  }
  const auto left_out = limiter_.TakeLeftOut(now_);
  ASSERT_EQ(left_out.size(), 1u) << "told early, because it was forgotten";
  EXPECT_EQ(left_out[0].message, "first");
  EXPECT_EQ(left_out[0].lines, 3u);
}

TEST_F(RepeatLimiterTest, ForgetsKindsThatNobodyRepeats) {
  for (int i = 0; i < 5; ++i) Take("kind " + std::to_string(i));
  now_ += RepeatLimiter::kInterval;
  EXPECT_TRUE(limiter_.TakeLeftOut(now_, /*all=*/true).empty());
  EXPECT_EQ(limiter_.kinds(), 0u);
}

}  // namespace
}  // namespace base
