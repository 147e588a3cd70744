#include "stages/event.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "pipeline/dead_letter.h"
#include "tests/stages/stage_test_util.h"

namespace stages {
namespace {

base::Result<Event> Decode(std::optional<std::string_view> value) {
  return pipeline::Serde<Event>().Decode(MakeRawRecord(value));
}

/// {"type":"follow","actor":"2","target":"1"<more>}
std::string Follow(const std::string& more) {
  return R"({"type":"follow","actor":"2","target":"1")" + more + "}";
}

void ExpectRefused(const std::string& json, std::string_view code, std::string_view field) {
  const auto event = Decode(json);
  ASSERT_FALSE(event.ok()) << json;
  EXPECT_EQ(event.status().code(), base::StatusCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(event), code) << json;
  EXPECT_NE(event.status().message().find(field), std::string::npos)
      << event.status().message() << " does not name " << field;
}

TEST(Event, TheSmallestFormIsEnough) {
  const auto event = Decode(R"({"type":"follow","actor":"2","target":"1"})");
  ASSERT_TRUE(event.ok()) << event.status().ToString();
  EXPECT_EQ(event->type.kind->name, "follow");
  EXPECT_FALSE(event->type.is_undo);
  EXPECT_EQ(event->actor, "2");
  EXPECT_EQ(event->targets, std::vector<std::string>{"1"});
  EXPECT_EQ(event->time_ms, kTestTimeMs);
  EXPECT_FALSE(event->object);
  EXPECT_FALSE(event->text);
}

TEST(Event, TheFullFormKeepsEveryField) {
  const auto event = Decode(
      R"({"id":"e-71","type":"mention","actor":"1","targets":["2","4"],"object":{"type":"comment",)"
      R"("id":"c9","title":"My weekend getaway!"},"text":"Great seeing you yesterday, @Bruno!",)"
      R"("time":"2026-11-21T06:00:00.000+02:00","more":{"than":["we",{"know":null}]}})");
  ASSERT_TRUE(event.ok()) << event.status().ToString();
  EXPECT_EQ(event->id, "e-71");
  EXPECT_EQ(event->targets, (std::vector<std::string>{"2", "4"}));
  EXPECT_EQ(event->object->type, "comment");
  EXPECT_EQ(event->object->id, "c9");
  EXPECT_EQ(event->object->title, "My weekend getaway!");
  EXPECT_EQ(event->text, "Great seeing you yesterday, @Bruno!");
  EXPECT_EQ(event->time_ms, kTestTimeMs - 3'600'000);
}

TEST(Event, IntegersAreIdsToo) {
  const auto event = Decode(
      R"({"id":7,"type":"like","actor":2,"target":-1,"object":{"id":123456789012345678901234567890}})");
  ASSERT_TRUE(event.ok()) << event.status().ToString();
  EXPECT_EQ(event->id, "7");
  EXPECT_EQ(event->actor, "2");
  EXPECT_EQ(event->targets[0], "-1");
  EXPECT_EQ(event->object->id, "123456789012345678901234567890");
}

TEST(Event, TargetAndTargetsAreTakenTogether) {
  const auto event = Decode(R"({"type":"follow","actor":"2","targets":["3","1"],"target":"1"})");
  ASSERT_TRUE(event.ok());
  EXPECT_EQ(event->targets, (std::vector<std::string>{"1", "3", "1"}));
}

TEST(Event, AnIdThatIsNotGivenIsTheSameForTheSameRecordOnly) {
  pipeline::Serde<Event> serde;
  const auto id_of = [&](auto change) {
    pipeline::RawRecord record = MakeRawRecord(R"({"type":"follow","actor":"2","target":"1"})");
    change(record);
    return serde.Decode(record)->id;
  };
  const std::string id = id_of([](auto&) {});
  EXPECT_EQ(id.size(), 2u + 32u);
  EXPECT_TRUE(id.starts_with("h-"));
  EXPECT_EQ(id_of([](auto&) {}), id);
  EXPECT_NE(id_of([](auto& record) { record.metadata.topic = "event"; }), id);
  EXPECT_NE(id_of([](auto& record) { record.metadata.partition.value = 4; }), id);
  EXPECT_NE(id_of([](auto& record) { record.metadata.offset.value = 43; }), id);
  EXPECT_NE(id_of([](auto& record) { ++record.metadata.timestamp_ms; }), id);
  EXPECT_NE(
      id_of([](auto& record) { record.value = R"({"type":"follow","actor":"2","target":"1"} )"; }),
      id);
}

TEST(Event, EmptyAndNullFieldsCountAsMissing) {
  const auto event =
      Decode(Follow(R"(,"id":"","object":null,"text":null,"time":null,"undo_of":"")"));
  ASSERT_TRUE(event.ok()) << event.status().ToString();
  EXPECT_TRUE(event->id.starts_with("h-"));
  EXPECT_FALSE(event->object);
  EXPECT_FALSE(event->text);
  ExpectRefused(R"({"actor":"2","target":"1"})", "missing-field", "type");
  ExpectRefused(R"({"type":null,"actor":"2","target":"1"})", "missing-field", "type");
  ExpectRefused(R"({"type":"","actor":"2","target":"1"})", "missing-field", "type");
  ExpectRefused(R"({"type":"follow","actor":"","target":"1"})", "missing-field", "actor");
  ExpectRefused(R"({"type":"follow","actor":"2"})", "missing-field", "target");
  ExpectRefused(R"({"type":"follow","actor":"2","target":""})", "missing-field", "target");
  ExpectRefused(R"({"type":"follow","actor":"2","targets":[]})", "missing-field", "target");
  ExpectRefused(R"({"type":"follow","actor":"2","targets":["1",null]})", "missing-field",
                "targets");
}

TEST(Event, RefusesWhatIsNoEventAtAll) {
  EXPECT_EQ(CodeOf(Decode(std::nullopt)), "null-value");
  EXPECT_EQ(CodeOf(Decode("")), "not-json");
  EXPECT_EQ(CodeOf(Decode("this is not json")), "not-json");
  EXPECT_EQ(CodeOf(Decode("[]")), "wrong-shape");
  EXPECT_EQ(CodeOf(Decode("{\"a\":\"\xff\"}")), "invalid-utf8");
}

TEST(Event, RefusesFieldsOfTheWrongShape) {
  ExpectRefused(R"({"type":7,"actor":"2","target":"1"})", "wrong-shape", "type");
  ExpectRefused(R"({"type":"follow","actor":1.5,"target":"1"})", "wrong-shape", "actor");
  ExpectRefused(R"({"type":"follow","actor":true,"target":"1"})", "wrong-shape", "actor");
  ExpectRefused(R"({"type":"follow","actor":"2","target":{"id":"1"}})", "wrong-shape", "target");
  ExpectRefused(R"({"type":"follow","actor":"2","targets":"1"})", "wrong-shape", "targets");
  ExpectRefused(R"({"type":"follow","actor":"2","targets":["1",[3]]})", "wrong-shape", "targets");
  ExpectRefused(Follow(R"(,"object":"p1")"), "wrong-shape", "object");
  ExpectRefused(Follow(R"(,"object":{"type":1})"), "wrong-shape", "object.type");
  ExpectRefused(Follow(R"(,"object":{"id":[]})"), "wrong-shape", "object.id");
  ExpectRefused(Follow(R"(,"object":{"title":{}})"), "wrong-shape", "object.title");
  ExpectRefused(Follow(R"(,"text":1)"), "wrong-shape", "text");
  ExpectRefused(Follow(R"(,"id":1.0)"), "wrong-shape", "id");
  for (const char* time : {R"("yesterday")", R"("")", "{}", "true", "1.5", "1e3",
                           "99999999999999999999", R"("2026-11-21T05:00:00")"}) {
    ExpectRefused(Follow(std::string(",\"time\":") + time), "wrong-shape", "time");
  }
  ExpectRefused(Follow(",\"time\":-99999999999999999"), "wrong-shape", "time");
}

TEST(Event, RefusesUnknownTypes) {
  for (const char* type : {"poke", "Follow", "likes", "un", "unmessage", "follow ", "retracted"}) {
    ExpectRefused(R"({"actor":"2","target":"1","type":")" + std::string(type) + "\"}",
                  "unknown-type", "type");
  }
}

TEST(Event, LimitsAreInclusive) {
  const std::string id_max(256, 'i');
  const std::string text_max(4096, 't');
  const std::string title_max(1024, 'T');
  EXPECT_TRUE(Decode(R"({"type":"follow","actor":")" + id_max + R"(","target":"1","id":")" +
                     id_max + R"(","text":")" + text_max + R"(","object":{"id":")" + id_max +
                     R"(","title":")" + title_max + R"("}})")
                  .ok());
  ExpectRefused(R"({"type":"follow","actor":"i)" + id_max + R"(","target":"1"})", "limit", "actor");
  ExpectRefused(R"({"type":"follow","actor":"1","targets":["2","i)" + id_max + R"("]})", "limit",
                "targets");
  ExpectRefused(Follow(R"(,"id":"i)" + id_max + "\""), "limit", "id");
  ExpectRefused(Follow(R"(,"undo_of":"i)" + id_max + "\""), "limit", "undo_of");
  ExpectRefused(Follow(R"(,"text":"t)" + text_max + "\""), "limit", "text");
  ExpectRefused(Follow(R"(,"object":{"title":"T)" + title_max + "\"}"), "limit", "object.title");
  ExpectRefused(Follow(R"(,"object":{"id":"i)" + id_max + "\"}"), "limit", "object.id");
}

TEST(Event, LimitsCountBytesNotCharacters) {
  std::string text = "a";
  while (text.size() <= 4096) text += "ü";
  ExpectRefused(Follow(",\"text\":\"" + text + "\""), "limit", "text");
  std::string escaped;
  for (int i = 0; i < 4096; ++i) escaped += "\\u0061";
  EXPECT_TRUE(Decode(Follow(",\"text\":\"" + escaped + "\"")).ok());
}

TEST(Event, TenThousandTargetsAreTheMost) {
  std::string targets = "\"t\"";
  for (int i = 1; i < 10'000; ++i) targets += ",\"t\"";
  EXPECT_TRUE(Decode(R"({"type":"follow","actor":"2","targets":[)" + targets + "]}").ok());
  ExpectRefused(R"({"type":"follow","actor":"2","targets":[)" + targets + ",\"t\"]}", "limit",
                "targets");
  ExpectRefused(R"({"type":"follow","actor":"2","target":"x","targets":[)" + targets + "]}",
                "limit", "targets");
}

TEST(Event, OneMebibyteIsTheMost) {
  std::string event = Follow("");
  event.append(kEventBytesMax - event.size(), ' ');
  EXPECT_TRUE(Decode(event).ok());
  const auto refused = Decode(event + ' ');
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().message(), "limit: event is larger than 1048576 bytes");
}

TEST(Event, TimeMayBeADayAheadAndAnyTimeAgo) {
  const auto with_time = [](int64_t time_ms) {
    return Follow(",\"time\":" + std::to_string(time_ms));
  };
  constexpr int64_t kDayMs = 24 * 3'600'000;
  EXPECT_TRUE(Decode(with_time(kTestTimeMs + kDayMs)).ok());
  ExpectRefused(with_time(kTestTimeMs + kDayMs + 1), "time-ahead", "time");
  ExpectRefused(with_time(kTestTimeMs + 365 * kDayMs), "time-ahead", "time");
  EXPECT_EQ(Decode(with_time(kTestTimeMs - 400 * kDayMs))->time_ms, kTestTimeMs - 400 * kDayMs);
  EXPECT_TRUE(Decode(with_time(0)).ok());
}

TEST(Event, AnUnmentionNamesAnObjectOrAnEvent) {
  ExpectRefused(R"({"type":"unmention","actor":"2","target":"1"})", "missing-field", "undo_of");
  ExpectRefused(R"({"type":"unmention","actor":"2","target":"1","object":{"type":"post"}})",
                "missing-field", "undo_of");
  EXPECT_TRUE(Decode(R"({"type":"unmention","actor":"2","target":"1","undo_of":"e1"})").ok());
  EXPECT_TRUE(Decode(R"({"type":"unmention","actor":"2","target":"1","object":{"id":1}})").ok());
  EXPECT_TRUE(Decode(R"({"type":"unlike","actor":"2","target":"1"})").ok());
}

TEST(Event, ARefusedEventLeavesNothingForTheNext) {
  pipeline::Serde<Event> serde;
  EXPECT_FALSE(
      serde.Decode(MakeRawRecord(R"({"type":"follow","actor":"2","targets":["1"],"text":1})"))
          .ok());
  const auto event = serde.Decode(MakeRawRecord(R"({"type":"like","actor":"3","target":"4"})"));
  ASSERT_TRUE(event.ok()) << event.status().ToString();
  EXPECT_EQ(event->targets, std::vector<std::string>{"4"});
  EXPECT_FALSE(event->text);
}

/// What a record that was replayed brings along.
class OneHeader : public pipeline::HeaderSource {
 public:
  explicit OneHeader(std::string place) : place_(std::move(place)) {}
  pipeline::Headers ReadHeaders() const override {
    return {{"other", std::nullopt}, {std::string(pipeline::kReplayedHeader), place_}};
  }

 private:
  const std::string place_;
};

TEST(Event, ThatWasReplayedHasTheIdAndTimeOfTheRecordThatWasRefused) {
  pipeline::Serde<Event> serde;
  const std::string json = Follow("");
  const auto refused = serde.Decode(MakeRawRecord(json));
  const OneHeader place(pipeline::PlaceText(MakeRawRecord(json).metadata));
  pipeline::RawRecord replayed = MakeRawRecord(json);
  replayed.metadata.offset = {4711};
  replayed.metadata.timestamp_ms += 3'600'000;
  EXPECT_NE(serde.Decode(replayed)->id, refused->id);
  replayed.headers = &place;
  const auto event = serde.Decode(replayed);
  EXPECT_EQ(event->id, refused->id);
  EXPECT_EQ(event->time_ms, refused->time_ms);
}

TEST(Event, ThatWasReplayedKeepsWhatItBringsItself) {
  pipeline::Serde<Event> serde;
  const std::string json = Follow(R"(,"id":"e-1","time":1795230000000)");
  const OneHeader place("0/1/1000");
  pipeline::RawRecord record = MakeRawRecord(json);
  record.headers = &place;
  const auto event = serde.Decode(record);
  EXPECT_EQ(event->id, "e-1");
  EXPECT_EQ(event->time_ms, 1'795'230'000'000);
}

TEST(Event, ALaterTimeThanTheRecordsIsNotTakenFromAHeader) {
  pipeline::Serde<Event> serde;
  const std::string json = Follow("");
  const OneHeader forged("3/42/" + std::to_string(kTestTimeMs + 1));
  pipeline::RawRecord record = MakeRawRecord(json);
  const std::string own_id = serde.Decode(record)->id;
  record.headers = &forged;
  EXPECT_EQ(serde.Decode(record)->time_ms, kTestTimeMs);
  EXPECT_EQ(serde.Decode(record)->id, own_id);
}

TEST(Event, HowFarATimeMayBeAheadIsMeasuredFromTheReplayedRecord) {
  pipeline::Serde<Event> serde;
  const std::string json =
      Follow(",\"time\":" + std::to_string(kTestTimeMs + kTimeAheadMsMax + 1'000));
  const OneHeader place(pipeline::PlaceText(MakeRawRecord(json).metadata));
  pipeline::RawRecord record = MakeRawRecord(json);
  EXPECT_FALSE(serde.Decode(record).ok());
  record.metadata.timestamp_ms += 2'000;
  record.headers = &place;
  EXPECT_TRUE(serde.Decode(record).ok());
}

}  // namespace
}  // namespace stages
