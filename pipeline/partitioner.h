#pragma once

#include <cstdint>
#include <string_view>

#include "base/ids.h"

namespace pipeline {

/// MurmurHash2 as Kafka's own clients compute it over key bytes (seed 0x9747b28c).
uint32_t Murmur2(std::string_view key);

/// The partition of a key: Kafka's default for keyed records, `(murmur2(key) & 0x7fffffff) % count`.
/// The one function by which Herald maps keys, for writing as for queries. REQUIRES: count > 0.
base::Partition PartitionForKey(std::string_view key, int32_t count);

}  // namespace pipeline
