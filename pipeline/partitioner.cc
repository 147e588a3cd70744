#include "pipeline/partitioner.h"

#include "base/check.h"

namespace pipeline {

uint32_t Murmur2(std::string_view key) {
  constexpr uint32_t kMultiplier = 0x5bd1e995;
  constexpr int kShift = 24;
  const auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<uint8_t>(key[i])); };
  uint32_t hash = 0x9747b28cU ^ static_cast<uint32_t>(key.size());
  const size_t whole = key.size() / 4 * 4;
  for (size_t i = 0; i < whole; i += 4) {
    uint32_t word = byte(i) | byte(i + 1) << 8 | byte(i + 2) << 16 | byte(i + 3) << 24;
    word *= kMultiplier;
    word ^= word >> kShift;
    word *= kMultiplier;
    hash = hash * kMultiplier ^ word;
  }
  const size_t rest = key.size() - whole;
  if (rest == 3) hash ^= byte(whole + 2) << 16;
  if (rest >= 2) hash ^= byte(whole + 1) << 8;
  if (rest >= 1) {
    hash ^= byte(whole);
    hash *= kMultiplier;
  }
  hash ^= hash >> 13;
  hash *= kMultiplier;
  hash ^= hash >> 15;
  return hash;
}

base::Partition PartitionForKey(std::string_view key, int32_t count) {
  CHECK(count > 0, "a topic has at least one partition");
  return base::Partition{static_cast<int32_t>((Murmur2(key) & 0x7fffffffU) %
                                              static_cast<uint32_t>(count))};
}

}  // namespace pipeline
