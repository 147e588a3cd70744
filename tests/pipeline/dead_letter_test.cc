#include "pipeline/dead_letter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pipeline {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Pair;

constexpr char kParent[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(ReasonCode, IsTheWordBeforeTheColon) {
  EXPECT_EQ(ReasonCode("not-json: at byte 3"), "not-json");
}

TEST(ReasonCode, IsOtherForTextThatMustNotBecomeALabel) {
  EXPECT_EQ(ReasonCode("invalid-utf8: the value"), "invalid-utf8");
  EXPECT_EQ(ReasonCode("no colon"), "other");
  EXPECT_EQ(ReasonCode("User 17: unknown"), "other");
  EXPECT_EQ(ReasonCode(": empty"), "other");
  EXPECT_EQ(ReasonCode(std::string(41, 'a') + ": long"), "other");
}

TEST(DeadLetterHeaders, SayWhereTheRecordCameFromAndWhatWasCut) {
  const std::string value(kDeadLetterValueBytesMax + 1, 'x');
  RawRecord record;
  record.metadata = {"events", base::Partition{2}, base::Offset{17}, 1234};
  record.value = value;
  const Headers headers =
      DeadLetterHeaders(record, "decode-event", base::Status::InvalidArgument("limit: big"),
                        TraceOfPlace({{"events", base::Partition{2}}, base::Offset{17}}));
  const Headers expected = {{"reason", "limit: big"}, {"stage", "decode-event"},
                            {"topic", "events"},      {"partition", "2"},
                            {"offset", "17"},         {"timestamp", "1234"},
                            {"truncated", std::to_string(value.size())},
                            {"traceparent", headers.back().second}};
  EXPECT_EQ(headers, expected);
  EXPECT_THAT(*headers.back().second, HasSubstr("-12d8e385000000020000000000000011-"));
}

TEST(DeadLetterHeaders, PassOnTheTraceThatCameWithTheRecord) {
  const auto trace = ReadTrace({{"traceparent", kParent}, {"tracestate", "a=1"}});
  ASSERT_TRUE(trace.has_value());
  const Headers headers =
      DeadLetterHeaders({}, "decode-event", base::Status::InvalidArgument("limit: big"), *trace);
  EXPECT_THAT(headers, Contains(Pair("traceparent", kParent)));
  EXPECT_THAT(headers, Contains(Pair("tracestate", "a=1")));
}

TEST(DeadLetterHeaders, KeepThePlaceOfARecordThatHadBeenSomewhereElse) {
  RawRecord record;
  record.metadata = {"events", base::Partition{2}, base::Offset{17}, 5000};
  const auto kept = [&record](const Headers& own) -> std::string {
    const Headers headers =
        DeadLetterHeaders(record, "s", base::Status::InvalidArgument("limit: big"),
                          TraceOfPlace({{"events", base::Partition{2}}, base::Offset{17}}), own);
    return headers.back().first == kReplayedHeader ? *headers.back().second : "";
  };
  EXPECT_EQ(kept({}), "");
  EXPECT_EQ(kept({{"herald-replayed", "1/3/4000"}}), "1/3/4000");
  EXPECT_EQ(kept({{"herald-misplaced", "0/9/4500"}}), "0/9/4500");
  EXPECT_EQ(kept({{"herald-replayed", "1/3/4000"}, {"herald-misplaced", "0/9/4500"}}), "1/3/4000");
  EXPECT_EQ(kept({{"herald-misplaced", "0/9/4500"}, {"herald-replayed", "1/3/4000"}}), "1/3/4000");
  EXPECT_EQ(kept({{"herald-replayed", "1/3/5001"}}), "") << "a time that was not yet";
  EXPECT_EQ(kept({{"herald-replayed", "anything"}, {"herald-misplaced", std::nullopt}}), "");
}

TEST(Place, IsReadAsItWasWrittenAndNotOtherwise) {
  RecordMetadata metadata{"events", base::Partition{2}, base::Offset{17}, 5000};
  RecordMetadata read;
  EXPECT_TRUE(TakePlace(PlaceText(metadata), read));
  EXPECT_EQ(read.partition, metadata.partition);
  EXPECT_EQ(read.offset, metadata.offset);
  EXPECT_EQ(read.timestamp_ms, 5000);
  for (const char* text : {"", "1", "1/2", "1/2/", "1/2/3/4", "1/2/3 ", "-1/2/3", "2147483648/1/1",
                           "a/b/c", "1//3", "1/99999999999999999999/3"}) {
    EXPECT_FALSE(TakePlace(text, read)) << text;
    EXPECT_EQ(read.offset, metadata.offset) << text;
  }
  EXPECT_TRUE(TakeReplayedPlace("0/1/5000", metadata));
  EXPECT_FALSE(TakeReplayedPlace("0/2/5001", metadata));
  EXPECT_EQ(metadata.offset, base::Offset{1});
}

TEST(ReadDeadLetter, TakesWhatDeadLetterHeadersWrote) {
  RawRecord refused;
  refused.metadata = {"events", base::Partition{2}, base::Offset{17}, 1234};
  const Headers headers =
      DeadLetterHeaders(refused, "decode-event", base::Status::InvalidArgument("limit: big"),
                        TraceOfPlace({{"events", base::Partition{2}}, base::Offset{17}}));
  RawRecord record;
  record.metadata = {"dead-letters", base::Partition{1}, base::Offset{5}, 2000};
  record.key = "k";
  record.value = "v";
  const DeadLetter letter = ReadDeadLetter(record, headers);
  EXPECT_EQ(letter.Name(), "1/5");
  EXPECT_EQ(letter.refused_ms, 2000);
  EXPECT_EQ(letter.reason, "limit: big");
  EXPECT_EQ(letter.stage, "decode-event");
  EXPECT_EQ(letter.topic, "events");
  EXPECT_EQ(letter.replay_place, "2/17/1234");
  EXPECT_EQ(letter.key, "k");
  EXPECT_EQ(letter.value, "v");
  EXPECT_FALSE(letter.original_bytes.has_value());
}

TEST(ReadDeadLetter, OfOneThatWasReplayedBeforeNamesTheFirstPlace) {
  const DeadLetter letter =
      ReadDeadLetter(RawRecord(), {{"topic", "events"}, {"partition", "2"}, {"offset", "17"},
                                   {"timestamp", "1234"}, {"herald-replayed", "0/3/1000"}});
  EXPECT_EQ(letter.original->offset, base::Offset{17});
  EXPECT_EQ(letter.replay_place, "0/3/1000");
}

TEST(ReadDeadLetter, HasNoPlaceWhenAHeaderIsMissingOrWrong) {
  const Headers good = {
      {"topic", "events"}, {"partition", "2"}, {"offset", "17"}, {"timestamp", "1"}};
  EXPECT_TRUE(ReadDeadLetter(RawRecord(), good).original.has_value());
  for (size_t i = 0; i < good.size(); ++i) {
    Headers headers = good;
    headers[i].second = i == 0 ? "" : "-x";
    EXPECT_FALSE(ReadDeadLetter(RawRecord(), headers).original.has_value()) << good[i].first;
    headers[i].second = std::nullopt;
    EXPECT_FALSE(ReadDeadLetter(RawRecord(), headers).original.has_value()) << good[i].first;
    headers.erase(headers.begin() + static_cast<ptrdiff_t>(i));
    EXPECT_FALSE(ReadDeadLetter(RawRecord(), headers).original.has_value()) << good[i].first;
  }
  EXPECT_EQ(ReadDeadLetter(RawRecord(), {{"truncated", "x"}}).original_bytes, 0);
}

}  // namespace
}  // namespace pipeline
