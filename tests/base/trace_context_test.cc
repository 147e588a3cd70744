#include "base/trace_context.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace base {
namespace {

using testing::MatchesRegex;

constexpr char kParent[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(ParseTraceParent, ReadsVersionZeroAndComesBackTheSame) {
  const auto context = ParseTraceParent(kParent);
  ASSERT_TRUE(context.has_value());
  EXPECT_EQ(context->TraceIdText(), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(context->flags, 1);
  EXPECT_EQ(context->ToTraceParent(), kParent);
}

TEST(ParseTraceParent, TakesOfALaterVersionWhatVersionZeroKnows) {
  for (const char* text : {"01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                           "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes"}) {
    const auto context = ParseTraceParent(text);
    ASSERT_TRUE(context.has_value()) << text;
    EXPECT_EQ(context->ToTraceParent(), kParent);
  }
}

TEST(ParseTraceParent, PassesOnNoFlagsThatItDoesNotKnow) {
  const auto context =
      ParseTraceParent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff");
  ASSERT_TRUE(context.has_value());
  EXPECT_EQ(context->flags, 0x03);
}

TEST(ParseTraceParent, IgnoresWhatIsNotValid) {
  for (const char* text : {
           "",
           "00",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
           "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
           "00-0af7651916cd43dd8448eb211c80319c-B7AD6B7169203331-01",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0X",
           "00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01",
           "00-00000000000000000000000000000000-b7ad6b7169203331-01",
           "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
           "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
           "0g-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 ",
           " 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
           "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.",
           "00_0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331_01",
           "00-0af7651916cd43dd8448eb211c80319cb7ad6b7169203331-01--",
       }) {
    EXPECT_FALSE(ParseTraceParent(text).has_value()) << text;
  }
  EXPECT_FALSE(ParseTraceParent("01" + std::string(kParent + 2) + "-" + std::string(600, 'x')));
}

TEST(MakeTraceContext, MakesValidOnesThatDiffer) {
  const TraceContext one = MakeTraceContext();
  const TraceContext other = MakeTraceContext();
  EXPECT_NE(one.trace_id, other.trace_id);
  EXPECT_EQ(ParseTraceParent(one.ToTraceParent()), one);
  EXPECT_THAT(one.ToTraceParent(), MatchesRegex("00-[0-9a-f]+-[0-9a-f]+-00"));
}

TEST(TraceContextOfPlace, IsAlwaysTheSameAndShowsThePlace) {
  const TraceContext context = TraceContextOfPlace("events", Partition{3}, Offset{0x1042});
  // In docs/formats.md: change it there and nowhere else.
  EXPECT_EQ(context.TraceIdText().substr(8), "00000003"
                                             "0000000000001042");
  EXPECT_EQ(context.TraceIdText().substr(0, 8), "12d8e385");
  EXPECT_EQ(context, TraceContextOfPlace("events", Partition{3}, Offset{0x1042}));
  EXPECT_EQ(ParseTraceParent(context.ToTraceParent()), context);
}

TEST(TraceContextOfPlace, DiffersByTopicPartitionAndOffset) {
  const TraceContext context = TraceContextOfPlace("events", Partition{0}, Offset{0});
  EXPECT_TRUE(ParseTraceParent(context.ToTraceParent()).has_value());
  for (const TraceContext& other : {TraceContextOfPlace("event", Partition{0}, Offset{0}),
                                    TraceContextOfPlace("events", Partition{1}, Offset{0}),
                                    TraceContextOfPlace("events", Partition{0}, Offset{1})}) {
    EXPECT_NE(other.trace_id, context.trace_id);
    EXPECT_NE(other.parent_id, context.parent_id);
  }
}

}  // namespace
}  // namespace base
