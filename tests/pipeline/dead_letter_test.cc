#include "pipeline/dead_letter.h"

#include <gtest/gtest.h>

namespace pipeline {
namespace {

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
      DeadLetterHeaders(record, "decode-event", base::Status::InvalidArgument("limit: big"));
  const Headers expected = {{"reason", "limit: big"}, {"stage", "decode-event"},
                            {"topic", "events"},      {"partition", "2"},
                            {"offset", "17"},         {"timestamp", "1234"},
                            {"truncated", std::to_string(value.size())}};
  EXPECT_EQ(headers, expected);
}

}  // namespace
}  // namespace pipeline
