#pragma once

#include <filesystem>

#include "base/metrics.h"

namespace base {

/// Adds what the machine says of this process: CPU, memory, descriptors, threads, start time, under the
/// names that Prometheus' client libraries have for them. Read from `proc` at each scrape; what cannot
/// be read keeps its last value.
void AddProcessMetrics(Metrics& metrics, const std::filesystem::path& proc = "/proc");

}  // namespace base
