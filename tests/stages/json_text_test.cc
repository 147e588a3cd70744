#include "stages/json_text.h"

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <string>

namespace stages {
namespace {

std::string Quote(std::string_view text) {
  std::string out;
  AppendJsonString(out, text);
  return out;
}

TEST(JsonText, EscapesWhatJsonDemandsAndNothingElse) {
  EXPECT_EQ(Quote(""), R"("")");
  EXPECT_EQ(Quote("a\"b\\c"), R"("a\"b\\c")");
  EXPECT_EQ(Quote("\n\r\t\x01\x1f"), R"("\n\r\t\u0001\u001f")");
  EXPECT_EQ(Quote(std::string_view("\0", 1)), R"("\u0000")");
  EXPECT_EQ(Quote("</ü\x7f😀>"), "\"</ü\x7f😀>\"");
}

TEST(JsonText, EveryAsciiByteComesBack) {
  std::string text;
  for (int c = 0; c < 0x80; ++c) text += static_cast<char>(c);
  EXPECT_EQ(nlohmann::json::parse(Quote(text)), text);
}

TEST(JsonText, EscapesEveryByteWhereverItStandsInALongText) {
  constexpr size_t kTextBytes = 40;  // some strides of the search for them, and a rest
  for (int c = 0; c < 0x80; ++c) {
    for (size_t at = 0; at < kTextBytes; ++at) {
      // Two of them, and neighbours with the high bit, which must raise no alarm that hides one.
      std::string text;
      while (text.size() < kTextBytes) text += "ü";
      text.replace(at / 2 * 2, 2, {static_cast<char>(c), ' '});
      text.replace((at / 2 * 2 + 10) % kTextBytes, 2, {' ', static_cast<char>(c)});
      EXPECT_EQ(nlohmann::json::parse(Quote(text)), text) << c << " at " << at;
    }
  }
}

TEST(JsonText, NothingIsNull) {
  std::string out = "x";
  AppendJsonString(out, std::optional<std::string>());
  AppendJsonString(out, std::optional<std::string>(""));
  EXPECT_EQ(out, "xnull\"\"");
}

TEST(JsonText, WritesEveryInteger) {
  std::string out;
  for (const int64_t number : {int64_t{0}, int64_t{-7}, std::numeric_limits<int64_t>::min(),
                               std::numeric_limits<int64_t>::max()}) {
    AppendDecimal(out, number);
    out += ' ';
  }
  EXPECT_EQ(out, "0 -7 -9223372036854775808 9223372036854775807 ");
}

}  // namespace
}  // namespace stages
