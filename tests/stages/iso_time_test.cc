#include "stages/iso_time.h"

#include <gtest/gtest.h>

#include "tests/stages/stage_test_util.h"

namespace stages {
namespace {

std::string Format(int64_t time_ms) {
  std::string text;
  AppendIsoTime(text, time_ms);
  return text;
}

TEST(IsoTime, ReadsUtcOffsetsAndFractions) {
  EXPECT_EQ(ParseIsoTime("2026-11-21T05:00:00Z"), kTestTimeMs);
  EXPECT_EQ(ParseIsoTime("2026-11-21T05:00:00.000Z"), kTestTimeMs);
  EXPECT_EQ(ParseIsoTime("2026-11-21t05:00:00z"), kTestTimeMs);
  EXPECT_EQ(ParseIsoTime("2026-11-21T07:00:00+02:00"), kTestTimeMs);
  EXPECT_EQ(ParseIsoTime("2026-11-21T07:00:00+0200"), kTestTimeMs);
  EXPECT_EQ(ParseIsoTime("2026-11-20T23:30:00-05:30"), kTestTimeMs);
  EXPECT_EQ(ParseIsoTime("2026-11-21T05:00:00.25Z"), kTestTimeMs + 250);
  EXPECT_EQ(ParseIsoTime("2026-11-21T05:00:00.1239999Z"), kTestTimeMs + 123);
  EXPECT_EQ(ParseIsoTime("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(ParseIsoTime("1969-12-31T23:59:59.999Z"), -1);
  EXPECT_EQ(ParseIsoTime("2028-02-29T00:00:00Z"), 1'835'395'200'000);
}

TEST(IsoTime, RefusesWhatIsNoTime) {
  for (const char* text : {"",
                           "yesterday",
                           "2026-11-21",
                           "2026-11-21T05:00:00",
                           "2026-13-41T25:61:61Z",
                           "2026-02-29T00:00:00Z",
                           "2026-11-21T24:00:00Z",
                           "2026-11-21T05:60:00Z",
                           "2026-11-21T05:00:60Z",
                           "2026-11-21T05:00:00.Z",
                           "2026-11-21T05:00:00+24:00",
                           "2026-11-21T05:00:00+02:60",
                           "2026-11-21T05:00:00+02:",
                           "2026-11-21T05:00:00ZZ",
                           " 2026-11-21T05:00:00Z",
                           "2026-11-21T05:00:00Z ",
                           "26-11-21T05:00:00Z",
                           "2026-11-21T5:00:00Z",
                           "0000-01-01T00:00:00Z",
                           "0001-01-01T00:00:00+01:00"}) {
    EXPECT_EQ(ParseIsoTime(text), std::nullopt) << text;
  }
}

TEST(IsoTime, WritesWhatItReads) {
  EXPECT_EQ(Format(kTestTimeMs), "2026-11-21T05:00:00.000Z");
  EXPECT_EQ(Format(-1), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(Format(kTimeMsMin), "0001-01-01T00:00:00.000Z");
  EXPECT_EQ(Format(kTimeMsMax), "9999-12-31T23:59:59.999Z");
  for (int64_t time_ms = kTimeMsMin; time_ms < kTimeMsMax; time_ms += 777'777'777'777) {
    EXPECT_EQ(ParseIsoTime(Format(time_ms)), time_ms);
  }
}

}  // namespace
}  // namespace stages
