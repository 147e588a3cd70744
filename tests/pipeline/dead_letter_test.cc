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

}  // namespace
}  // namespace pipeline
