#include "serving/go_text.h"

#include <gtest/gtest.h>

#include <limits>

namespace serving {
namespace {

std::string JsonOf(std::string_view text) {
  std::string out;
  AppendGoJsonString(out, text);
  return out;
}

TEST(GoAtoi, ReadsWhatGoReads) {
  const std::pair<const char*, int64_t> rows[] = {
      {"0", 0},
      {"2", 2},
      {"+2", 2},
      {"-7", -7},
      {"01", 1},
      {"-0", 0},
      {"000000000000000000000000000012", 12},
      {"9223372036854775807", std::numeric_limits<int64_t>::max()},
      {"-9223372036854775808", std::numeric_limits<int64_t>::min()},
  };
  for (const auto& [text, number] : rows) {
    const auto read = GoAtoi(text);
    ASSERT_TRUE(std::holds_alternative<int64_t>(read)) << text;
    EXPECT_EQ(std::get<int64_t>(read), number) << text;
  }
}

TEST(GoAtoi, RefusesTheRestInGosWords) {
  const std::pair<const char*, const char*> rows[] = {
      {"", R"(strconv.Atoi: parsing "": invalid syntax)"},
      {"abc", R"(strconv.Atoi: parsing "abc": invalid syntax)"},
      {"+", R"(strconv.Atoi: parsing "+": invalid syntax)"},
      {"+-1", R"(strconv.Atoi: parsing "+-1": invalid syntax)"},
      {" 1", R"(strconv.Atoi: parsing " 1": invalid syntax)"},
      {"1 ", R"(strconv.Atoi: parsing "1 ": invalid syntax)"},
      {"1_000", R"(strconv.Atoi: parsing "1_000": invalid syntax)"},
      {"0x1", R"(strconv.Atoi: parsing "0x1": invalid syntax)"},
      {"1.5", R"(strconv.Atoi: parsing "1.5": invalid syntax)"},
      {"99999999999999999999",
       R"(strconv.Atoi: parsing "99999999999999999999": value out of range)"},
      {"9223372036854775808", R"(strconv.Atoi: parsing "9223372036854775808": value out of range)"},
      {"-9223372036854775809",
       R"(strconv.Atoi: parsing "-9223372036854775809": value out of range)"},
      // Go looks from left to right and stops at the first fault.
      {"99999999999999999999x",
       R"(strconv.Atoi: parsing "99999999999999999999x": value out of range)"},
      {"9999999999999999999x", R"(strconv.Atoi: parsing "9999999999999999999x": invalid syntax)"},
  };
  for (const auto& [text, error] : rows) {
    const auto read = GoAtoi(text);
    ASSERT_TRUE(std::holds_alternative<std::string>(read)) << text;
    EXPECT_EQ(std::get<std::string>(read), error);
  }
}

TEST(GoQuote, EscapesWhatCannotBePrinted) {
  EXPECT_EQ(GoQuote("a\"b\\c"), R"("a\"b\\c")");
  EXPECT_EQ(GoQuote("\a\b\f\n\r\t\v"), R"("\a\b\f\n\r\t\v")");
  EXPECT_EQ(GoQuote(std::string_view("\0\x1b\x7f", 3)), R"("\x00\x1b\x7f")");
  EXPECT_EQ(GoQuote("\xff\xc3"), R"("\xff\xc3")");
  EXPECT_EQ(GoQuote("é日😀<&'"), "\"é日😀<&'\"");
  EXPECT_EQ(GoQuote("\u00a0\u00ad\u200b\u2028\u3000\ufeff\ue000"),
            R"("\u00a0\u00ad\u200b\u2028\u3000\ufeff\ue000")");
  EXPECT_EQ(GoQuote("\U000e0001"), R"("\U000e0001")");
  EXPECT_EQ(GoQuote("\ufffd"), "\"\ufffd\"");
}

TEST(GoJson, EscapesAsGoDoesForHtml) {
  EXPECT_EQ(JsonOf("<b>&</b>"), R"("\u003cb\u003e\u0026\u003c/b\u003e")");
  EXPECT_EQ(JsonOf("a\"b\\c'"), R"("a\"b\\c'")");
  EXPECT_EQ(JsonOf("\b\f\n\r\t\v\x01\x7f"), "\"\\b\\f\\n\\r\\t\\u000b\\u0001\x7f\"");
  EXPECT_EQ(JsonOf("é日😀"), "\"é日😀\"");
  EXPECT_EQ(JsonOf("a\u2028b\u2029c\u2027"), "\"a\\u2028b\\u2029c\u2027\"");
  EXPECT_EQ(JsonOf("a\xff\xe2\x82z"), R"("a\ufffd\ufffd\ufffdz")");
  EXPECT_EQ(JsonOf(""), R"("")");
}

TEST(ReplaceInvalidUtf8, GivesEachByteThatIsNotUtf8AReplacement) {
  EXPECT_EQ(ReplaceInvalidUtf8("é日😀"), "é日😀");
  EXPECT_EQ(ReplaceInvalidUtf8("a\xc3(b"), "a\ufffd(b");
  EXPECT_EQ(ReplaceInvalidUtf8("\xf0\x9f\x98"), "\ufffd\ufffd\ufffd");
  EXPECT_EQ(ReplaceInvalidUtf8("\xed\xa0\x80"), "\ufffd\ufffd\ufffd");
  EXPECT_EQ(ReplaceInvalidUtf8("\xc0\x80\xf5\x80"), "\ufffd\ufffd\ufffd\ufffd");
}

TEST(GoEscape, WritesPathsAndHtmlAsGoDoes) {
  EXPECT_EQ(GoEscapePath("/notifications/a b?é\"<:@"), "/notifications/a%20b%3F%C3%A9%22%3C:@");
  EXPECT_EQ(GoEscapeHtml("/a?b=<\"'>&c"), "/a?b=&lt;&#34;&#39;&gt;&amp;c");
}

}  // namespace
}  // namespace serving
