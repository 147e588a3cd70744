#include "stages/heartbeat.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace stages {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

base::Result<Heartbeat> Decode(const std::string& json) {
  return pipeline::Serde<Heartbeat>().DecodeText(json);
}

TEST(Heartbeat, IsReadAsItWasWritten) {
  std::string json;
  pipeline::Serde<Heartbeat>().Encode({"a \"quoted\" name", 1795237200000}, json);
  const auto heartbeat = Decode(json);
  ASSERT_TRUE(heartbeat.ok()) << heartbeat.status().ToString();
  EXPECT_EQ(heartbeat->from, "a \"quoted\" name");
  EXPECT_EQ(heartbeat->number, 1795237200000);
}

TEST(Heartbeat, IsRefusedByTheFieldThatIsWrong) {
  EXPECT_THAT(Decode(R"({"number":1})").status().message(), StartsWith("missing-field"));
  EXPECT_THAT(Decode(R"({"from":"i","number":"1"})").status().message(),
              testing::AllOf(StartsWith("wrong-shape"), HasSubstr("number")));
  EXPECT_THAT(Decode("beat").status().message(), StartsWith("not-json"));
  const std::string large(kHeartbeatBytesMax, ' ');
  EXPECT_THAT(Decode(R"({"from":"i","number":1})" + large).status().message(),
              StartsWith("limit"));
  EXPECT_THAT(pipeline::Serde<Heartbeat>().Decode(pipeline::RawRecord{}).status().message(),
              StartsWith("null-value"));
}

}  // namespace
}  // namespace stages
