#include "base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/scratch_directory.h"

namespace base {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

class LogTest : public testing::Test {
 protected:
  ~LogTest() override {
    LogOptions options;
    options.format = LogFormat::kText;
    EXPECT_TRUE(ConfigureLog(options).ok());
  }

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
                                 "warning record refused topic=events offset=7 partition=-1 "
                                 "component=base/log-test\n"));
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

TEST_F(LogTest, WritesAnObjectALineWhereThereIsNoTerminal) {
  const std::string line = Captured([] {
    ASSERT_TRUE(ConfigureLog({}).ok());
    LogError("m\xff\n", {{"text", "a \"b\""}, {"number", 7}});
  });
  EXPECT_THAT(line, MatchesRegex(R"(\{"time":"[0-9]+-[0-9]+-[0-9]+T)"
                                 R"([0-9]+:[0-9]+:[0-9]+\.[0-9]+Z",.*)"
                                 "\n"));
  EXPECT_EQ(line.substr(line.find(",\"level\"")),
            R"(,"level":"error","component":"base/log-test","message":"m)"
            "\xEF\xBF\xBD"
            R"(\n","text":"a \"b\"","number":7})"
            "\n");
}

TEST_F(LogTest, LimitsWarningsThatRepeatButNoOtherLines) {
  const auto lines = [](LogLevel level) {
    const std::string text = Captured([level] {
      for (int i = 0; i < 100; ++i) Log(level, "again", {{"number", i}});
      WriteLogRepeats(/*all=*/true);
    });
    return std::pair(std::count(text.begin(), text.end(), '\n'), text);
  };
  const auto [warnings, text] = lines(LogLevel::kWarn);
  EXPECT_EQ(warnings, 11);
  EXPECT_THAT(text, HasSubstr("warning lines like one before were left out lines=90 "
                              "repeated=again component=base/log-test"));
  EXPECT_EQ(lines(LogLevel::kInfo).first, 100);
}

TEST_F(LogTest, TellsThatItsLevelChangesWhateverTheLevel) {
  SetLogLevel(LogLevel::kError);
  EXPECT_THAT(Captured([] { ChangeLogLevel(LogLevel::kDebug); }), HasSubstr("from=error to=debug"));
  EXPECT_EQ(GetLogLevel(), LogLevel::kDebug);
  EXPECT_THAT(Captured([] { LogDebug("detail"); }), HasSubstr("detail"));
}

class LogFileTest : public LogTest {
 protected:
  std::string Path(const std::string& name) { return (scratch_.path() / name).string(); }
  std::vector<std::string> Lines(const std::string& name) {
    std::ifstream file(scratch_.path() / name);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
  }

  support::ScratchDirectory scratch_;
};

TEST_F(LogFileTest, KeepsSoManyFilesOfSuchASizeAndEveryLineWhole) {
  LogOptions options;
  options.file = Path("logs/herald.log");
  options.rotation_size_bytes = kLogRotationSizeBytesMin;
  options.rotation_count = 2;
  EXPECT_EQ(Captured([&] {
              ASSERT_TRUE(ConfigureLog(options).ok());
              for (int i = 0; i < 200; ++i) LogInfo("a line", {{"number", i}});
            }),
            "");
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(scratch_.path() / "logs")) {
    ++files;
    EXPECT_LE(entry.file_size(), kLogRotationSizeBytesMin);
  }
  EXPECT_EQ(files, 3u);
  // Oldest first: an unbroken row of whole lines that ends with the last one.
  int expected = -1;
  for (const char* name : {"logs/herald.2.log", "logs/herald.1.log", "logs/herald.log"}) {
    for (const std::string& line : Lines(name)) {
      EXPECT_EQ(line.front(), '{') << line;
      EXPECT_EQ(line.back(), '}') << line;
      const int number = std::stoi(line.substr(line.find("\"number\":") + 9));
      if (expected >= 0) {
        EXPECT_EQ(number, expected);
      }
      expected = number + 1;
    }
  }
  EXPECT_EQ(expected, 200);
}

TEST_F(LogFileTest, TakesTextWhenAskedToAndGoesOnWithAFileThatIsThere) {
  LogOptions options;
  options.file = Path("herald.log");
  options.format = LogFormat::kText;
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(ConfigureLog(options).ok());
    LogInfo("started");
  }
  ASSERT_EQ(Lines("herald.log").size(), 2u);
  EXPECT_THAT(Lines("herald.log")[1], HasSubstr("Z info started component=base/log-test"));
}

TEST_F(LogFileTest, SaysWhatIsWrongWithItsOptions) {
  LogOptions options;
  options.file = Path("");  // a directory
  const Status opened = ConfigureLog(options);
  EXPECT_EQ(opened.code(), StatusCode::kFatal);
  EXPECT_THAT(opened.message(), HasSubstr(options.file));
  LogOptions small;
  small.rotation_size_bytes = 1;
  EXPECT_EQ(ConfigureLog(small).code(), StatusCode::kInvalidArgument);
  LogOptions negative;
  negative.rotation_count = -1;
  EXPECT_EQ(ConfigureLog(negative).code(), StatusCode::kInvalidArgument);
}

TEST_F(LogTest, KnowsItsFormatsByName) {
  LogFormat format = LogFormat::kAuto;
  EXPECT_TRUE(ParseLogFormat("json", &format));
  EXPECT_EQ(format, LogFormat::kJson);
  EXPECT_FALSE(ParseLogFormat("JSON", &format));
  EXPECT_EQ(format, LogFormat::kJson);
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
