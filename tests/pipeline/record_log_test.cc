#include "pipeline/record_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace pipeline {
namespace {

TEST(LogRecord, NamesTaskPlaceTraceAndWhereInTheCodeItWas) {
  testing::internal::CaptureStderr();
  LogRecord(base::LogLevel::kWarn, "record refused",
            {"1_3", {{"notifications", base::Partition{3}}, base::Offset{42}}, "0af7"},
            {{"why", "not-json"}});
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              testing::HasSubstr("record refused task=1_3 topic=notifications partition=3 "
                                 "offset=42 trace_id=0af7 why=not-json component=pipeline/record-log-test"));
}

}  // namespace
}  // namespace pipeline
