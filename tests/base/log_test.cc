#include "base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace base {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

class LogTest : public testing::Test {
 protected:
  ~LogTest() override { SetLogLevel(LogLevel::kInfo); }

  template <typename Write>
  static std::string Captured(Write write) {
    testing::internal::CaptureStderr();
    write();
    return testing::internal::GetCapturedStderr();
  }
};

TEST_F(LogTest, WritesOneLineWithTimeLevelMessageAndFields) {
  const std::string line = Captured([] {
    LogWarn("record refused", {{"topic", "events"}, {"offset", 7}, {"partition", -1}});
  });
  EXPECT_THAT(line, MatchesRegex("[0-9]+-[0-9]+-[0-9]+T[0-9]+:[0-9]+:[0-9]+\\.[0-9]+Z "
                                 "warning record refused topic=events offset=7 partition=-1\n"));
}

TEST_F(LogTest, QuotesValuesThatWouldBreakTheLine) {
  const std::string line = Captured([] {
    LogInfo("m", {{"space", "a b"},
                  {"empty", ""},
                  {"quote", "a\"b"},
                  {"slash", "a\\b"},
                  {"lines", "a\nb"},
                  {"control", "\x01\x7f"},
                  {"equals", "a=b"}});
  });
  EXPECT_THAT(line, HasSubstr(R"( space="a b" empty="" quote="a\"b" slash="a\\b")"
                              R"( lines="a\nb" control="\x01\x7f" equals="a=b")"));
}

TEST_F(LogTest, DropsLinesBelowItsLevel) {
  SetLogLevel(LogLevel::kWarn);
  EXPECT_EQ(Captured([] { LogInfo("quiet"); }), "");
  EXPECT_THAT(Captured([] { LogError("loud"); }), HasSubstr("loud"));
  SetLogLevel(LogLevel::kDebug);
  EXPECT_THAT(Captured([] { LogDebug("detail"); }), HasSubstr("detail"));
}

TEST_F(LogTest, KnowsItsLevelsByName) {
  LogLevel level = LogLevel::kInfo;
  EXPECT_TRUE(ParseLogLevel("trace", &level));
  EXPECT_EQ(level, LogLevel::kTrace);
  EXPECT_TRUE(ParseLogLevel("error", &level));
  EXPECT_EQ(level, LogLevel::kError);
  EXPECT_FALSE(ParseLogLevel("Error", &level));
  EXPECT_FALSE(ParseLogLevel("", &level));
  EXPECT_EQ(level, LogLevel::kError) << "an unknown word changes nothing";
}

}  // namespace
}  // namespace base
