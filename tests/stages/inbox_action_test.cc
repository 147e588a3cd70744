#include "stages/inbox_action.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "stages/notification.h"
#include "tests/stages/inbox_test_util.h"

namespace stages {
namespace {

using Kind = InboxAction::Kind;

constexpr const char* kId = "00000000000000000000000000000007-1795237200000";

base::Result<InboxAction> Decode(std::optional<std::string_view> value,
                                 std::optional<std::string_view> key = "1") {
  return pipeline::Serde<InboxAction>().Decode(MakeRawRecord(value, key));
}

std::string Encode(const InboxAction& action) {
  std::string value;
  pipeline::Serde<InboxAction>().Encode(action, value);
  return value;
}

/// {"v":1,"action":<name>,"recipient":"1"<more>}
std::string Action(const std::string& name, const std::string& more = "") {
  return R"({"v":1,"action":")" + name + R"(","recipient":"1")" + more + "}";
}

std::string WithId(const std::string& name) {
  return Action(name, R"(,"id":")" + std::string(kId) + '"');
}

void ExpectRefused(const std::string& json, std::string_view code, std::string_view field,
                   std::optional<std::string_view> key = "1") {
  const auto action = Decode(json, key);
  ASSERT_FALSE(action.ok()) << json;
  EXPECT_EQ(action.status().code(), base::StatusCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(action), code) << json;
  EXPECT_NE(action.status().message().find(field), std::string::npos)
      << action.status().message() << " does not name " << field;
}

TEST(InboxAction, IsWrittenWithItsFieldsInOrder) {
  const Identity identity = MakeIdentity(7);
  EXPECT_EQ(Encode({Kind::kRead, "1", identity, kTestTimeMs, {}}), WithId("read"));
  EXPECT_EQ(Encode({Kind::kUnread, "1", identity, kTestTimeMs, {}}), WithId("unread"));
  EXPECT_EQ(Encode({Kind::kSeen, "1", identity, kTestTimeMs, {}}), WithId("seen"));
  EXPECT_EQ(Encode({Kind::kDelete, "1", identity, kTestTimeMs, {}}), WithId("delete"));
  EXPECT_EQ(Encode({Kind::kReadAll, "1", {}, 0, {}}), Action("read-all"));
  EXPECT_EQ(Encode({Kind::kSeenAll, "1", {}, 0, 12}), Action("seen-all", R"(,"up_to":12)"));
}

TEST(InboxAction, ComesBackAsItWasWritten) {
  for (const Kind kind : {Kind::kRead, Kind::kUnread, Kind::kSeen, Kind::kDelete}) {
    const auto read = Decode(Encode({kind, "1", MakeIdentity(9), -5, {}}));
    ASSERT_TRUE(read.ok()) << read.status().ToString();
    EXPECT_EQ(read->kind, kind);
    EXPECT_EQ(read->recipient, "1");
    EXPECT_EQ(read->identity, MakeIdentity(9));
    EXPECT_EQ(read->time_ms, -5);
  }
  const std::string odd = "a \"b\" \xc3\xbc";
  for (const auto& up_to : {std::optional<uint64_t>(), std::optional<uint64_t>(0),
                            std::optional<uint64_t>(std::numeric_limits<int64_t>::max())}) {
    for (const Kind kind : {Kind::kReadAll, Kind::kSeenAll}) {
      const auto read = Decode(Encode({kind, odd, {}, 0, up_to}), odd);
      ASSERT_TRUE(read.ok()) << read.status().ToString();
      EXPECT_EQ(read->kind, kind);
      EXPECT_EQ(read->recipient, odd);
      EXPECT_EQ(read->up_to, up_to);
    }
  }
}

TEST(InboxAction, NullAndAbsentMeanAll) {
  for (const char* more : {"", R"(,"up_to":null)"}) {
    const auto read = Decode(Action("read-all", more));
    ASSERT_TRUE(read.ok());
    EXPECT_EQ(read->up_to, std::nullopt);
  }
}

TEST(InboxAction, PassesOverWhatItDoesNotKnow) {
  EXPECT_TRUE(Decode(Action("read-all", R"(,"client":{"name":"phone"})")).ok());
  EXPECT_TRUE(Decode(R"({"recipient":1,"action":"seen-all","v":1})").ok()) << "an integer is an id";
}

TEST(InboxAction, RefusesWhatItCannotApply) {
  EXPECT_EQ(CodeOf(Decode(std::nullopt)), "null-value");
  ExpectRefused("{oops", "not-json", "");
  ExpectRefused("[]", "wrong-shape", "");
  ExpectRefused("{\"v\":1,\"action\":\"\xff\"}", "invalid-utf8", "");
  ExpectRefused(R"({"action":"read-all","recipient":"1"})", "missing-field", "v");
  ExpectRefused(R"({"v":2,"action":"read-all","recipient":"1"})", "wrong-shape", "v");
  ExpectRefused(R"({"v":"1","action":"read-all","recipient":"1"})", "wrong-shape", "v");
  ExpectRefused(R"({"v":1,"recipient":"1"})", "missing-field", "action");
  ExpectRefused(R"({"v":1,"action":3,"recipient":"1"})", "wrong-shape", "action");
  ExpectRefused(Action("poke"), "unknown-type", "action");
  ExpectRefused(Action(std::string(17, 'x')), "limit", "action");
  ExpectRefused(R"({"v":1,"action":"read-all"})", "missing-field", "recipient");
  ExpectRefused(R"({"v":1,"action":"read-all","recipient":""})", "missing-field", "recipient");
  ExpectRefused(R"({"v":1,"action":"read-all","recipient":true})", "wrong-shape", "recipient");
  ExpectRefused(Action("read-all"), "wrong-shape", "recipient", "2");
  ExpectRefused(Action("read-all"), "wrong-shape", "recipient", std::nullopt);
  for (const char* name : {"read", "unread", "seen", "delete"}) {
    ExpectRefused(Action(name), "missing-field", "id");
    ExpectRefused(Action(name, R"(,"id":7)"), "wrong-shape", "id");
    ExpectRefused(Action(name, R"(,"id":"7")"), "wrong-shape", "id");
    ExpectRefused(Action(name, R"(,"id":")" + std::string(100, '0') + '"'), "limit", "id");
  }
  for (const char* name : {"read-all", "seen-all"}) {
    ExpectRefused(Action(name, R"(,"up_to":-1)"), "wrong-shape", "up_to");
    ExpectRefused(Action(name, R"(,"up_to":1.5)"), "wrong-shape", "up_to");
    ExpectRefused(Action(name, R"(,"up_to":"12")"), "wrong-shape", "up_to");
    ExpectRefused(Action(name, R"(,"up_to":99999999999999999999)"), "wrong-shape", "up_to");
  }
  ExpectRefused(Action("read-all", R"(,"x":")" + std::string(kInboxActionBytesMax, 'x') + '"'),
                "limit", "action");
}

}  // namespace
}  // namespace stages
