#include "base/clock.h"

#include <gtest/gtest.h>

#include <chrono>

namespace base {
namespace {

TEST(ManualClock, StandsStillUntilItIsMoved) {
  ManualClock clock(1'000'000);
  EXPECT_EQ(clock.NowMs(), 1'000'000);
  EXPECT_EQ(clock.Monotonic(), std::chrono::nanoseconds(0));
  clock.Advance(std::chrono::milliseconds(250));
  EXPECT_EQ(clock.NowMs(), 1'000'250);
  EXPECT_EQ(clock.Monotonic(), std::chrono::milliseconds(250));
}

TEST(SystemClock, TellsMillisecondsSince1970) {
  constexpr int64_t kStartOf2024Ms = 1'704'067'200'000;
  constexpr int64_t kStartOf2200Ms = 7'258'118'400'000;
  EXPECT_GT(SystemClock::Instance().NowMs(), kStartOf2024Ms);
  EXPECT_LT(SystemClock::Instance().NowMs(), kStartOf2200Ms);
}

TEST(SystemClock, NeverGoesBack) {
  const SystemClock& clock = SystemClock::Instance();
  auto last = clock.Monotonic();
  auto last_cpu = clock.ProcessCpu();
  for (int i = 0; i < 1000; ++i) {
    const auto now = clock.Monotonic();
    const auto cpu = clock.ProcessCpu();
    ASSERT_GE(now, last);
    ASSERT_GE(cpu, last_cpu);
    last = now;
    last_cpu = cpu;
  }
  EXPECT_GT(last_cpu, std::chrono::nanoseconds(0));
}

}  // namespace
}  // namespace base
