#pragma once

#include <chrono>
#include <map>
#include <string>

#include "base/ids.h"
#include "base/status.h"
#include "pipeline/kafka_client.h"

namespace app {

/// Users at most in one file, and bytes of one line.
inline constexpr size_t kUsersFileLinesMax = 10'000'000;
inline constexpr size_t kUsersFileLineBytesMax = size_t{1} << 20;

/// Produces each line of an NDJSON file to the users topic, keyed by its `id`, and waits until Kafka
/// has them all. The file is checked from beginning to end before the first is sent.
///
/// Returns by partition the position behind the last of them: a table that has come so far holds
/// them all.
/// Errors: InvalidArgument naming file, line and field; Unavailable when Kafka does not take them.
base::Result<std::map<base::Partition, base::Offset>> LoadUsersFile(
    const std::string& path, const std::string& topic, int32_t partitions,
    pipeline::AsyncProducer& producer, std::chrono::milliseconds timeout);

}  // namespace app
