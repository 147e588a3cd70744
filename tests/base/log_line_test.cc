#include "base/log_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

namespace base {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::SizeIs;

/// The text between the quotes of the field that has `value`.
std::string Quoted(std::string_view value) {
  const std::vector<LogField> fields = {{"f", value}};
  const std::string line = JsonLogLine(LogLevel::kInfo, "c", "m", fields);
  const size_t begin = line.find("\"f\":\"") + 5;
  return line.substr(begin, line.size() - begin - 1);
}

TEST(JsonLogLine, HasLevelComponentMessageAndFieldsOfTheirTypes) {
  const std::vector<LogField> fields = {
      {"topic", "events"}, {"offset", int64_t{1} << 40}, {"ok", true}, {"share", 0.5}};
  EXPECT_EQ(JsonLogLine(LogLevel::kWarn, "pipeline/task", "record refused", fields),
            R"("level":"warn","component":"pipeline/task","message":"record refused",)"
            R"("topic":"events","offset":1099511627776,"ok":true,"share":0.500000)");
}

TEST(JsonLogLine, QuotesANumberThatJsonDoesNotHave) {
  const std::vector<LogField> fields = {{"f", std::numeric_limits<double>::infinity()}};
  EXPECT_THAT(JsonLogLine(LogLevel::kInfo, "c", "m", fields), EndsWith(R"("f":"inf")"));
}

TEST(JsonLogLine, EscapesWhatWouldEndTheStringOrTheLine) {
  EXPECT_EQ(Quoted("a\"b\\c\nd\re\tf"), R"(a\"b\\c\nd\u000de\u0009f)");
  EXPECT_EQ(Quoted(std::string_view("\0\x1f\x7f", 3)), R"(\u0000\u001f\u007f)");
}

TEST(JsonLogLine, LeavesGoodUtf8AloneAndReplacesAllElse) {
  const std::string good = "\xC3\xA4 \xE2\x82\xAC \xF0\x9F\x98\x80 \xF4\x8F\xBF\xBF";
  EXPECT_EQ(Quoted(good), good);
  const std::string bad = "\xEF\xBF\xBD";
  EXPECT_EQ(Quoted("a\xFFz"), "a" + bad + "z");
  EXPECT_EQ(Quoted("\xC0\xAF"), bad + bad) << "longer than needed";
  EXPECT_EQ(Quoted("\xED\xA0\x80"), bad + bad + bad) << "a surrogate";
  EXPECT_EQ(Quoted("\xF4\x90\x80\x80"), bad + bad + bad + bad) << "above U+10FFFF";
  EXPECT_EQ(Quoted("a\xE2\x82"), "a" + bad + bad) << "cut off";
}

TEST(JsonLogLine, KeepsTheBeginningOfWhatIsTooLongAndCutsNoCharacter) {
  EXPECT_THAT(Quoted(std::string(kLogValueBytesMax, 'x')), SizeIs(kLogValueBytesMax));
  std::string text(kLogValueBytesMax - 1, 'x');
  EXPECT_EQ(Quoted(text + "\xE2\x82\xAC and more"), text + "\xE2\x80\xA6");
}

TEST(TextLogLine, IsOneLineOfUtf8WhateverComes) {
  const std::vector<LogField> fields = {{"bytes", "a\xFF\xC3\xA4"}, {"n", -1}, {"yes", false}};
  EXPECT_EQ(TextLogLine("a/b", "one\ntwo", fields),
            "one\\ntwo bytes=\"a\\xff\xC3\xA4\" n=-1 yes=false component=a/b");
}

TEST(LogLine, HasNoCharacterThatATerminalObeys) {
  // CSI as one character, right-to-left override, line separator, isolate, Arabic letter mark.
  const std::string bad = "\xC2\x9B" "2J \xE2\x80\xAE \xE2\x80\xA8 \xE2\x81\xA6 \xD8\x9C";
  const std::string shown = R"(\u009b2J \u202e \u2028 \u2066 \u061c)";
  EXPECT_EQ(Quoted(bad), shown);
  const std::vector<LogField> fields = {{"f", bad}};
  EXPECT_EQ(TextLogLine("c", bad, fields), shown + " f=\"" + shown + "\" component=c");
  // The neighbours of these stay.
  const std::string good =
      "\xC2\xA0\xE2\x80\x8D\xE2\x80\x90\xE2\x80\xA7\xE2\x80\xAF\xE2\x81\xA5\xE2\x81\xAA\xD8\x9B";
  EXPECT_EQ(Quoted(good), good);
}

TEST(ComponentOf, IsFolderAndFile) {
  EXPECT_EQ(ComponentOf("/home/x/herald/pipeline/stream_thread.cc"), "pipeline/stream-thread");
  EXPECT_EQ(ComponentOf("pipeline/task.h"), "pipeline/task");
  EXPECT_EQ(ComponentOf("main.cc"), "main");
}

}  // namespace
}  // namespace base
