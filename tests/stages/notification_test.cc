#include "stages/notification.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "stages/record_id.h"
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

TEST(Notification, SaysWhichRecordItWasMadeFrom) {
  pipeline::Serde<Notification> serde;
  const std::string value = Encode(MakeNotification());
  const auto origin = serde.OriginOf(MakeRawRecord(value, "2"));
  ASSERT_TRUE(origin.has_value());
  EXPECT_EQ(*origin, (pipeline::RecordPlace{{"events", {3}}, {42}}));
  for (const std::string none : {R"({"from":{"id":2},"to":{"id":9}})", R"({"source":{}})", "{"}) {
    EXPECT_FALSE(serde.OriginOf(MakeRawRecord(none, "2")).has_value()) << none;
  }
  EXPECT_FALSE(serde.OriginOf({}).has_value());
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

/// A record of topic "notifications", partition 3, offset 42.
pipeline::RawRecord MakeForeign(std::string_view value, std::optional<std::string_view> key) {
  pipeline::RawRecord record = MakeRawRecord(value, key);
  record.metadata.topic = "notifications";
  return record;
}

base::Result<Notification> DecodeForeign(std::string_view value,
                                         std::optional<std::string_view> key = "1") {
  return pipeline::Serde<Notification>().Decode(MakeForeign(value, key));
}

constexpr const char* kForeign =
    R"({"from":{"id":2,"name":"Bruno"},"to":{"id":1,"name":"Emma"},"message":"Hi \u003cEmma\u003e"})";

TEST(Notification, ARecordOfKafkaNotifyIsAMessage) {
  const auto read = DecodeForeign(kForeign);
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  EXPECT_EQ(read->kind, FindEventKind("message"));
  EXPECT_FALSE(read->retracted);
  EXPECT_EQ(read->recipient, "1");
  EXPECT_EQ(read->actor.id, "2");
  EXPECT_EQ(read->actor.name, "Bruno");
  EXPECT_EQ(read->actor.handle, std::nullopt);
  EXPECT_EQ(read->actor.avatar_url, std::nullopt);
  EXPECT_EQ(read->text, "Hi <Emma>");
  EXPECT_EQ(read->message, "Hi <Emma>");
  EXPECT_FALSE(read->object);
  EXPECT_EQ(read->time_ms, kTestTimeMs);
  EXPECT_EQ(read->source.topic, "notifications");
  EXPECT_EQ(read->source.partition.value, 3);
  EXPECT_EQ(read->source.offset.value, 42);
}

TEST(Notification, ARecordOfKafkaNotifyHasTheIdentityOfAMessageEventInItsPlace) {
  const pipeline::RawRecord record = MakeForeign(kForeign, "1");
  const auto read = pipeline::Serde<Notification>().Decode(record);
  ASSERT_TRUE(read.ok());
  FieldHash scratch;
  const std::string event_id = RecordId(record, scratch);
  FieldHash hash;
  for (const std::string_view field : {"message", "2", "event", event_id.c_str(), "1"}) {
    hash.Add(field);
  }
  EXPECT_EQ(read->identity, hash.Finish());
  // The same record again is the same row, another one is not, though it says the same.
  EXPECT_EQ(pipeline::Serde<Notification>().Decode(record)->identity, read->identity);
  pipeline::RawRecord next = record;
  next.metadata.offset.value = 43;
  EXPECT_NE(pipeline::Serde<Notification>().Decode(next)->identity, read->identity);
}

TEST(Notification, OneDecoderTakesBothShapesInTurn) {
  pipeline::Serde<Notification> serde;
  const auto first = serde.Decode(MakeForeign(kForeign, "1"));
  const std::string own = Encode(MakeNotification());
  ASSERT_TRUE(serde.Decode(MakeRawRecord(own, "2")).ok());
  const auto again = serde.Decode(MakeForeign(kForeign, "1"));
  ASSERT_TRUE(first.ok() && again.ok());
  EXPECT_EQ(first->identity, again->identity);
  EXPECT_EQ(Encode(*first), Encode(*again));
  EXPECT_TRUE(serde.Decode(MakeRawRecord(Encode(*again), "1")).ok()) << "as the inbox keeps it";
}

TEST(Notification, ARecordOfKafkaNotifyMayHaveNoMessageAndIdsThatAreStrings) {
  for (const char* message : {"", R"(,"message":"")", R"(,"message":null)"}) {
    const auto read = DecodeForeign(R"({"from":{"id":"2"},"to":{"id":"1","name":null})" +
                                    std::string(message) + "}");
    ASSERT_TRUE(read.ok()) << read.status().ToString();
    EXPECT_EQ(read->actor.id, "2");
    EXPECT_EQ(read->actor.name, std::nullopt);
    EXPECT_EQ(read->text, "");
    EXPECT_EQ(read->message, "");
  }
}

TEST(Notification, RefusesARecordOfKafkaNotifyThatNamesNobody) {
  const auto expect = [](std::string_view value, std::string_view code, std::string_view field,
                         std::optional<std::string_view> key = "1") {
    const auto read = DecodeForeign(value, key);
    ASSERT_FALSE(read.ok()) << value;
    EXPECT_EQ(CodeOf(read), code) << value;
    EXPECT_NE(read.status().message().find(field), std::string::npos)
        << read.status().message() << " does not name " << field;
  };
  expect(R"({"to":{"id":1}})", "missing-field", "from.id");
  expect(R"({"from":null,"to":{"id":1}})", "missing-field", "from.id");
  expect(R"({"from":{},"to":{"id":1}})", "missing-field", "from.id");
  expect(R"({"from":{"id":""},"to":{"id":1}})", "missing-field", "from.id");
  expect(R"({"from":{"id":2}})", "missing-field", "to.id");
  expect(R"({"from":{"id":2},"to":{"name":"Emma"}})", "missing-field", "to.id");
  expect(R"({"from":2,"to":{"id":1}})", "wrong-shape", "from");
  expect(R"({"from":{"id":2},"to":"1"})", "wrong-shape", "to");
  expect(R"({"from":{"id":2.5},"to":{"id":1}})", "wrong-shape", "from.id");
  expect(R"({"from":{"id":2,"name":7},"to":{"id":1}})", "wrong-shape", "from.name");
  expect(R"({"from":{"id":2},"to":{"id":1},"message":7})", "wrong-shape", "message");
  expect(kForeign, "wrong-shape", "to.id", "2");
  expect(kForeign, "wrong-shape", "to.id", std::nullopt);
  const std::string people = R"({"from":{"id":2,"name":"x"},"to":{"id":1},"message":")";
  EXPECT_TRUE(DecodeForeign(people + std::string(4096, 'x') + "\"}").ok());
  expect(people + std::string(4097, 'x') + "\"}", "limit", "message");
  expect(R"({"from":{"id":2,"name":")" + std::string(257, 'x') + R"("},"to":{"id":1}})", "limit",
         "from.name");
  expect("{}", "missing-field", "v");
}

}  // namespace
}  // namespace stages
