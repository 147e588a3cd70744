#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "pipeline/engine_config.h"

namespace app {

/// What an instance is there for (`--role`).
enum class Role {
  kAll,
  /// Takes events and hands everything else on: no member of the group, no inboxes.
  kIngest,
  /// Keeps and serves inboxes, takes no new events.
  kProcess,
};

/// "all", "ingest", "process"
const char* RoleName(Role role);

/// What `herald run` was asked for. Each key of app/config_keys.cc sets one of these.
struct RunOptions {
  std::string brokers;
  bool embedded = false;
  std::string username;
  std::string password;
  std::string password_file;
  std::string role = "all";
  std::string application_id = "herald";
  std::string state_dir;
  std::vector<std::string> listen;
  int threads = 1;
  std::string guarantee;
  int64_t commit_interval_ms = 100;
  int partitions = 4;
  int replication_factor = 1;
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
  /// 0: none.
  int64_t heartbeat_interval_ms = 0;
  std::string topic = "notifications";
  std::string topic_prefix;
  std::string users_file;
  uint64_t inbox_items_max = 100'000;
  std::string inbox_age_max = "0";
  int64_t broker_timeout_ms = 30'000;
  int retries = kRetriesUnlimited;
  bool producer_return_successes = true;
  std::vector<std::string> properties;
  std::string log_level = "info";
  std::string log_format = "auto";
  std::string log_file;
  uint64_t log_rotation_size_mib = 64;
  int log_rotation_count = 5;
  std::string ready_file;
  bool accept_new_cluster = false;

  /// librdkafka's own default: until the delivery time-out.
  static constexpr int kRetriesUnlimited = 2'147'483'647;

  // Read out of the texts above by Finish().
  Role parsed_role = Role::kAll;
  pipeline::Guarantee parsed_guarantee = pipeline::Guarantee::kExactlyOnce;
  /// With what username and password lead to.
  std::map<std::string, std::string> parsed_properties;
  std::chrono::milliseconds parsed_inbox_age_max{0};
  base::LogLevel parsed_log_level = base::LogLevel::kInfo;
  base::LogFormat parsed_log_format = base::LogFormat::kAuto;
  /// What works but is worth a word at start.
  std::vector<std::string> warnings;

  /// How a message calls the key of this YAML name: "--listen", "herald.yaml:3: listen".
  using NameOf = std::function<std::string(std::string_view yaml)>;

  /// Checks what the options say together and fills in the defaults. An empty text means fine,
  /// otherwise what is wrong and what to do. Without `name_of` keys are called by their flags.
  std::string Finish(const NameOf& name_of = nullptr);
};

/// "90d", "12h", "30m", "45s", "0" to milliseconds; false for anything else.
bool ParseDuration(const std::string& text, std::chrono::milliseconds* duration);

/// "name=value" to its parts; false for anything else.
bool ParseProperty(const std::string& text, std::string* name, std::string* value);

}  // namespace app
