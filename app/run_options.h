#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/log.h"
#include "pipeline/engine_config.h"

namespace CLI {
class App;
}

namespace app {

/// What `herald run` was asked for; the names are those of the flags.
struct RunOptions {
  std::string brokers;
  bool embedded = false;
  std::string application_id = "herald";
  std::string state_dir;
  std::vector<std::string> listen;
  int threads = 1;
  std::string guarantee;
  int64_t commit_interval_ms = 0;
  int32_t partitions = 4;
  int32_t replication_factor = 1;
  std::string instance_id;
  std::string advertise;
  int64_t session_timeout_ms = 10'000;
  int64_t max_poll_interval_ms = 300'000;
  int crashes_max = 3;
  int standby_replicas = 0;
  uint64_t memory_mib = 64;
  uint64_t disk_reserve_mib = 64;
  bool stay_on_stop = false;
  int64_t state_cleanup_delay_ms = 600'000;
  int64_t action_timeout_ms = 5'000;
  std::string topic_prefix;
  std::string users_file;
  uint64_t inbox_items_max = 100'000;
  std::string inbox_age_max = "0";
  int64_t broker_timeout_ms = 30'000;
  std::vector<std::string> properties;
  std::string log_level = "info";
  std::string ready_file;
  bool accept_new_cluster = false;

  // Read out of the texts above by Finish().
  pipeline::Guarantee parsed_guarantee = pipeline::Guarantee::kExactlyOnce;
  std::map<std::string, std::string> parsed_properties;
  std::chrono::milliseconds parsed_inbox_age_max{0};
  base::LogLevel parsed_log_level = base::LogLevel::kInfo;

  /// Checks what the flags say together and fills in the defaults. An empty text means fine,
  /// otherwise what is wrong and what to do.
  std::string Finish();
};

/// Adds the flags of `herald run` to `command`; `options` outlives it.
void AddRunOptions(CLI::App& command, RunOptions& options);

/// "90d", "12h", "30m", "45s", "0" to milliseconds; false for anything else.
bool ParseDuration(const std::string& text, std::chrono::milliseconds* duration);

}  // namespace app
