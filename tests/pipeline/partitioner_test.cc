#include "pipeline/partitioner.h"

#include <gtest/gtest.h>

#include <string>

namespace pipeline {
namespace {

// Values that Kafka's own Java client computes for the same bytes.
TEST(Murmur2, EqualsKafkasJavaClient) {
  const std::pair<std::string, int32_t> cases[] = {
      {"21", -973932308},
      {"foobar", -790332482},
      {"a-little-bit-long-string", -985981536},
      {"a-little-bit-longer-string", -1486304829},
      {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
      {"abc", 479470107},
  };
  for (const auto& [key, expected] : cases) {
    EXPECT_EQ(static_cast<int32_t>(Murmur2(key)), expected) << key;
  }
}

TEST(PartitionForKey, ClearsTheSignBitBeforeTheModulo) {
  EXPECT_EQ(PartitionForKey("21", 1000).value, (-973932308 & 0x7fffffff) % 1000);
  EXPECT_EQ(PartitionForKey("", 1).value, 0);
}

}  // namespace
}  // namespace pipeline
