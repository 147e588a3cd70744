#include "stages/json_reader.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>
#include <string>

namespace stages {
namespace {

using Kind = JsonValue::Kind;

class JsonReaderTest : public testing::Test {
 protected:
  std::string Code(std::string_view json) {
    const base::Status status = reader_.Read(json, fields_);
    return status.ok() ? "ok" : status.message().substr(0, status.message().find(':'));
  }

  JsonReader reader_;
  JsonValue name_, list_, thing_, thing_id_;
  std::vector<JsonValue> elements_;
  JsonField thing_fields_[1] = {{"id", &thing_id_}};
  JsonField fields_[3] = {
      {"name", &name_}, {"list", &list_, &elements_}, {"thing", &thing_, nullptr, thing_fields_}};
};

TEST_F(JsonReaderTest, TakesNamedFieldsWhateverTheirOrder) {
  EXPECT_EQ(
      Code(R"( {"list":[1,"b",null,[],{"id":3}],"thing":{"x":1,"id":"t"},"name":"\u00fc\n"} )"),
      "ok");
  EXPECT_EQ(name_.kind, Kind::kString);
  EXPECT_EQ(name_.text, "ü\n");
  ASSERT_EQ(elements_.size(), 5u);
  EXPECT_EQ(elements_[0].kind, Kind::kInteger);
  EXPECT_EQ(elements_[0].text, "1");
  EXPECT_EQ(elements_[1].text, "b");
  EXPECT_EQ(elements_[2].kind, Kind::kNull);
  EXPECT_EQ(elements_[3].kind, Kind::kArray);
  EXPECT_EQ(elements_[4].kind, Kind::kObject);
  EXPECT_EQ(thing_.kind, Kind::kObject);
  EXPECT_EQ(thing_id_.text, "t");
}

TEST_F(JsonReaderTest, ForgetsTheLastText) {
  EXPECT_EQ(Code(R"({"name":"a","list":[1],"thing":{"id":1}})"), "ok");
  EXPECT_EQ(Code("{}"), "ok");
  EXPECT_EQ(name_.kind, Kind::kAbsent);
  EXPECT_EQ(thing_id_.kind, Kind::kAbsent);
  EXPECT_TRUE(elements_.empty());
}

TEST_F(JsonReaderTest, TheLastOfTwoEqualNamesCounts) {
  EXPECT_EQ(Code(R"({"name":"a","name":1,"thing":{"id":1},"list":[1,2],"list":[3],"thing":{}})"),
            "ok");
  EXPECT_EQ(name_.kind, Kind::kInteger);
  EXPECT_EQ(elements_.size(), 1u);
  EXPECT_EQ(thing_id_.kind, Kind::kAbsent);
}

TEST_F(JsonReaderTest, TellsIntegersFromOtherNumbers) {
  for (const char* number : {"0", "-0", "12", "-7", "123456789012345678901234567890"}) {
    EXPECT_EQ(Code("{\"name\":" + std::string(number) + " }"), "ok") << number;
    EXPECT_EQ(name_.kind, Kind::kInteger) << number;
    EXPECT_EQ(name_.text, number);
  }
  for (const char* number : {"0.5", "-1.5e3", "1e400", "1E+2", "0e0"}) {
    EXPECT_EQ(Code("{\"name\":" + std::string(number) + "}"), "ok") << number;
    EXPECT_EQ(name_.kind, Kind::kDecimal) << number;
  }
  for (const char* number : {"01", "-", "+1", ".5", "1.", "1e", "1e+", "0x1", "1_0", "--1", "NaN",
                             "Infinity", "tru", "truee", "nul", "True"}) {
    EXPECT_EQ(Code("{\"name\":" + std::string(number) + "}"), "not-json") << number;
    EXPECT_EQ(Code("{\"other\":" + std::string(number) + "}"), "not-json") << number;
  }
}

TEST_F(JsonReaderTest, RefusesBrokenTextAlsoWhereItDoesNotLook) {
  for (const char* json : {"",
                           "   ",
                           "{",
                           "}",
                           "{]",
                           R"({"a" 1})",
                           R"({"a":1,})",
                           R"({"a":})",
                           R"({"a"})",
                           R"({1:2})",
                           R"({"a":1} x)",
                           R"({"a":1}})",
                           R"({"a":1},)",
                           R"({"a":1}{})",
                           R"({"a":1}"")",
                           R"({"a":[1,}})",
                           R"({"a":[1 2]})",
                           R"({"a":{"b"}})",
                           R"({"a":"\x"})",
                           "{\"a\":\"b\tc\"}",
                           R"({"a":"\ud83d"})",
                           R"({"a":"\udc00"})",
                           R"({"a":"\u12g4"})",
                           R"({"\ud800":1})",
                           R"({"a":"b)",
                           R"({'a':1})",
                           R"({"a":[1,2})",
                           R"({"a":1]})",
                           R"({"a":[,1]})",
                           R"({,"a":1})",
                           R"({"a":1 "b":2})",

                           R"({"a":"b"c})"}) {
    EXPECT_EQ(Code(json), "not-json") << json;
  }
  EXPECT_EQ(Code(std::string_view("{\"a\":1}\0", 8)), "not-json");
}

TEST_F(JsonReaderTest, RefusesAnythingButAnObject) {
  for (const char* json : {"42", "\"a\"", "null", "true", "[]", R"([{"name":"a"}])", "-1.5"}) {
    EXPECT_EQ(Code(json), "wrong-shape") << json;
  }
}

TEST_F(JsonReaderTest, RefusesInvalidUtf8Anywhere) {
  for (const char* bytes :
       {"\xff", "\xc3(", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\x80"}) {
    EXPECT_EQ(Code("{\"name\":\"" + std::string(bytes) + "\"}"), "invalid-utf8");
    EXPECT_EQ(Code("{\"x\":\"" + std::string(bytes) + "\"}"), "invalid-utf8");
  }
}

TEST_F(JsonReaderTest, LimitsNesting) {
  const auto nested = [](int depth) {
    return "{\"x\":" + std::string(static_cast<size_t>(depth), '[') +
           std::string(static_cast<size_t>(depth), ']') + "}";
  };
  EXPECT_EQ(Code(nested(kJsonDepthMax - 1)), "ok");
  EXPECT_EQ(Code(nested(kJsonDepthMax)), "limit");
  EXPECT_EQ(Code(nested(100'000)), "limit");
}

/// Texts one or a few bytes away from a good one must be judged as another parser judges them.
TEST_F(JsonReaderTest, AgreesWithAnotherParserOnDamagedTexts) {
  const std::string good =
      R"({"name":"a\u00e9\"\\b","list":["1",2,-3.5e2,true,null],"thing":{"id":{"x":[]},"y":"ü"}})";
  const std::string alphabet = "{}[]\",:\\u0123456789eE+-.truefalsn \n\t\x01\xc3\xa9/";
  std::mt19937 random(20261121);
  int accepted = 0;
  for (int round = 0; round < 60'000; ++round) {
    std::string text = good;
    for (size_t change = random() % 3 + 1; change > 0; --change) {
      const size_t at = random() % text.size();
      const char byte = alphabet[random() % alphabet.size()];
      switch (random() % 3) {
        case 0:
          text[at] = byte;
          break;
        case 1:
          text.insert(at, 1, byte);
          break;
        default:
          text.erase(at, 1);
      }
    }
    const bool object = nlohmann::json::accept(text) &&
                        text.find_first_of("{[\"") != std::string::npos &&
                        nlohmann::json::parse(text).is_object();
    const bool read = reader_.Read(text, fields_).ok();
    ASSERT_EQ(read, object) << text;
    accepted += read ? 1 : 0;
  }
  EXPECT_GT(accepted, 1'000);
}

}  // namespace
}  // namespace stages
