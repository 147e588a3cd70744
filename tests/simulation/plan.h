#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "pipeline/engine_config.h"

namespace simulation {

/// What a seed decides before anything happens.
struct Plan {
  pipeline::Guarantee guarantee = pipeline::Guarantee::kExactlyOnce;
  int instances = 1;
  int threads = 1;
  int32_t event_partitions = 1;
  int32_t inbox_partitions = 1;
  int events = 0;
  /// What readers do, once all events are through.
  int actions = 0;
  int crashes = 0;
  /// Trouble that is not a crash, of 1,000 turns.
  int troubles_per_mille = 0;
  /// A process that stands still in the middle of a commit, of 1,000 turns.
  int stalls_per_mille = 0;
  uint64_t marker_delay_max = 0;
  size_t poll_records_max = 0;
  std::chrono::milliseconds commit_interval{100};
  size_t transaction_bytes_max = 0;
  size_t restore_records_max = 0;
  /// Rows are in RocksDB, not in the stand-in.
  bool rocksdb = false;

  bool exactly_once() const { return guarantee == pipeline::Guarantee::kExactlyOnce; }

  static Plan Draw(std::mt19937_64& random);
  /// One line, for the report of a failure.
  std::string ToString() const;
  pipeline::EngineConfig Config(const std::string& instance,
                                const std::filesystem::path& directory) const;
};

}  // namespace simulation
