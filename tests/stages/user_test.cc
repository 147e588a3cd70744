#include "stages/user.h"

#include <gtest/gtest.h>

#include "tests/stages/stage_test_util.h"

namespace stages {
namespace {

base::Result<User> Decode(std::string_view value, std::optional<std::string_view> key) {
  return pipeline::Serde<User>().Decode(MakeRawRecord(value, key));
}

TEST(User, ComesBackAsItWasWritten) {
  pipeline::Serde<User> serde;
  std::string value;
  serde.Encode({"2", "Bruno \"B\"\n", std::nullopt, "https://example.com/ü.png"}, value);
  const auto user = serde.Decode(MakeRawRecord(value, "2"));
  ASSERT_TRUE(user.ok()) << user.status().ToString();
  EXPECT_EQ(user->id, "2");
  EXPECT_EQ(user->name, "Bruno \"B\"\n");
  EXPECT_EQ(user->handle, std::nullopt);
  EXPECT_EQ(user->avatar_url, "https://example.com/ü.png");
}

TEST(User, TheIdIsTheKeyOrTheValues) {
  EXPECT_EQ(Decode(R"({"name":"Emma"})", "1")->id, "1");
  EXPECT_EQ(Decode(R"({"id":1,"name":"Emma"})", std::nullopt)->id, "1");
  EXPECT_EQ(Decode(R"({"id":1})", "1")->id, "1");
  EXPECT_EQ(CodeOf(Decode(R"({"id":"2"})", "1")), "wrong-shape");
  EXPECT_EQ(CodeOf(Decode(R"({"name":"Emma"})", std::nullopt)), "missing-field");
  EXPECT_EQ(CodeOf(Decode("{}", "")), "missing-field");
}

TEST(User, RefusesWhatIsTooLongOrOfTheWrongShape) {
  const std::string long_text(257, 'x');
  EXPECT_EQ(CodeOf(Decode(R"({"name":")" + long_text + "\"}", "1")), "limit");
  EXPECT_EQ(CodeOf(Decode(R"({"handle":")" + long_text + "\"}", "1")), "limit");
  EXPECT_EQ(CodeOf(Decode(R"({"avatar_url":")" + std::string(2049, 'x') + "\"}", "1")), "limit");
  EXPECT_EQ(CodeOf(Decode("{}", long_text)), "limit");
  EXPECT_EQ(CodeOf(Decode(R"({"name":1})", "1")), "wrong-shape");
  EXPECT_EQ(CodeOf(Decode("{", "1")), "not-json");
  EXPECT_EQ(CodeOf(pipeline::Serde<User>().Decode(MakeRawRecord(std::nullopt, "1"))), "null-value");
}

}  // namespace
}  // namespace stages
