#include "stages/notification.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/stages/stage_test_util.h"

namespace stages {
namespace {

Notification MakeNotification() {
  Notification notification;
  notification.identity.bytes = {0xfe, 1, 2, 3};
  notification.kind = FindEventKind("mention");
  notification.recipient = "2";
  notification.actor = {"1", "Emma", std::nullopt, "https://example.com/emma.png"};
  notification.object = EventObject{"comment", "c9", std::nullopt};
  notification.text = "Great \"seeing\" you,\n@Bruno! ü \x01";
  notification.message = "Emma mentioned you in a comment: …";
  notification.time_ms = kTestTimeMs;
  notification.source = {"events", {3}, {42}};
  return notification;
}

std::string Encode(const Notification& notification) {
  std::string value;
  pipeline::Serde<Notification>().Encode(notification, value);
  return value;
}

TEST(Notification, IsWrittenWithItsFieldsInOrder) {
  EXPECT_EQ(Encode(MakeNotification()),
            R"({"v":1,"id":"fe010203000000000000000000000000-1795237200000","type":"mention",)"
            R"("recipient":"2","actor":{"id":"1","name":"Emma","handle":null,)"
            R"("avatar_url":"https://example.com/emma.png"},"object":{"type":"comment","id":"c9",)"
            R"("title":null},"text":"Great \"seeing\" you,\n@Bruno! ü \u0001",)"
            R"("message":"Emma mentioned you in a comment: …","time":"2026-11-21T05:00:00.000Z",)"
            R"("source":{"topic":"events","partition":3,"offset":42}})");
}

TEST(Notification, ARetractionSaysSo) {
  Notification notification = MakeNotification();
  notification.retracted = true;
  notification.object.reset();
  notification.text.reset();
  const auto json = nlohmann::json::parse(Encode(notification));
  EXPECT_EQ(json["type"], "mention");
  EXPECT_EQ(json["retracted"], true);
  EXPECT_TRUE(json["object"].is_null());
  EXPECT_TRUE(json["text"].is_null());
}

TEST(Notification, ComesBackAsItWasWritten) {
  for (const bool retracted : {false, true}) {
    Notification notification = MakeNotification();
    notification.retracted = retracted;
    const std::string value = Encode(notification);
    const auto read = pipeline::Serde<Notification>().Decode(MakeRawRecord(value, "2"));
    ASSERT_TRUE(read.ok()) << read.status().ToString();
    EXPECT_EQ(read->identity, notification.identity);
    EXPECT_EQ(read->retracted, retracted);
    EXPECT_EQ(read->text, notification.text);
    EXPECT_EQ(Encode(*read), value);
  }
}

TEST(Notification, AnIdNamesIdentityAndTime) {
  Identity identity;
  int64_t time_ms = 0;
  const std::string id = NotificationId(MakeNotification().identity, -5);
  EXPECT_EQ(id, "fe010203000000000000000000000000--5");
  ASSERT_TRUE(ParseNotificationId(id, identity, time_ms));
  EXPECT_EQ(identity, MakeNotification().identity);
  EXPECT_EQ(time_ms, -5);
  for (const char* bad :
       {"", "fe010203000000000000000000000000", "fe010203000000000000000000000000-",
        "FE010203000000000000000000000000-5", "fe01-5", "fe010203000000000000000000000000-5x",
        "fe010203000000000000000000000000-99999999999999999999"}) {
    EXPECT_FALSE(ParseNotificationId(bad, identity, time_ms)) << bad;
  }
}

TEST(Notification, RefusesWhatItDidNotWrite) {
  const auto code_after = [](auto change, std::optional<std::string_view> key = "2") {
    auto json = nlohmann::json::parse(Encode(MakeNotification()));
    change(json);
    const std::string value = json.dump();
    return CodeOf(pipeline::Serde<Notification>().Decode(MakeRawRecord(value, key)));
  };
  EXPECT_EQ(code_after([](auto&) {}), "");
  EXPECT_EQ(code_after([](auto&) {}, "3"), "wrong-shape");
  EXPECT_EQ(code_after([](auto&) {}, std::nullopt), "wrong-shape");
  EXPECT_EQ(code_after([](auto& json) { json["v"] = 2; }), "wrong-shape");
  EXPECT_EQ(code_after([](auto& json) { json.erase("v"); }), "missing-field");
  EXPECT_EQ(code_after([](auto& json) { json["type"] = "unmention"; }), "unknown-type");
  EXPECT_EQ(code_after([](auto& json) { json["retracted"] = "yes"; }), "wrong-shape");
  EXPECT_EQ(code_after([](auto& json) { json["id"] = "x"; }), "wrong-shape");
  EXPECT_EQ(code_after([](auto& json) { json["time"] = "2026-11-21T05:00:00.001Z"; }),
            "wrong-shape");
  EXPECT_EQ(code_after([](auto& json) { json["actor"] = "1"; }), "wrong-shape");
  EXPECT_EQ(code_after([](auto& json) { json["actor"].erase("id"); }), "missing-field");
  EXPECT_EQ(code_after([](auto& json) { json["message"] = nullptr; }), "missing-field");
  EXPECT_EQ(code_after([](auto& json) { json["message"] = std::string(8193, 'x'); }), "limit");
  EXPECT_EQ(code_after([](auto& json) { json["source"]["partition"] = -1; }), "wrong-shape");
  EXPECT_EQ(code_after([](auto& json) { json["source"] = nullptr; }), "wrong-shape");
  EXPECT_EQ(CodeOf(pipeline::Serde<Notification>().Decode(MakeRawRecord(std::nullopt, "2"))),
            "null-value");
}

}  // namespace
}  // namespace stages
