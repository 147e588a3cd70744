#include "pipeline/record_trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace pipeline {
namespace {

using testing::ElementsAre;
using testing::Pair;

constexpr char kParent[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(ReadTrace, PassesOnWhatCame) {
  const auto trace =
      ReadTrace({{"other", "x"}, {"tracestate", "a=1,b=2"}, {"traceparent", kParent}});
  ASSERT_TRUE(trace.has_value());
  EXPECT_EQ(trace->context.TraceIdText(), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_THAT(trace->headers,
              ElementsAre(Pair("traceparent", kParent), Pair("tracestate", "a=1,b=2")));
}

TEST(ReadTrace, IsNothingWithoutOneValidTraceparent) {
  EXPECT_FALSE(ReadTrace({}).has_value());
  EXPECT_FALSE(ReadTrace({{"tracestate", "a=1"}}).has_value());
  EXPECT_FALSE(ReadTrace({{"traceparent", std::nullopt}}).has_value());
  EXPECT_FALSE(ReadTrace({{"traceparent", "00-1-2-3"}}).has_value());
  EXPECT_FALSE(ReadTrace({{"Traceparent", kParent}}).has_value()) << "Kafka's names have a case";
  EXPECT_FALSE(ReadTrace({{"traceparent", kParent}, {"traceparent", kParent}}).has_value());
}

TEST(ReadTrace, LeavesOutATracestateThatIsTooLong) {
  const std::string longest(base::kTraceStateBytesMax, 'a');
  EXPECT_EQ(ReadTrace({{"traceparent", kParent}, {"tracestate", longest}})->headers.size(), 2u);
  EXPECT_EQ(ReadTrace({{"traceparent", kParent}, {"tracestate", longest + "a"}})->headers.size(),
            1u);
}

}  // namespace
}  // namespace pipeline
