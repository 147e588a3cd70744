#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

namespace pipeline {

enum class Guarantee {
  /// Inputs' positions, outputs and changelog records are one transaction (KIP-98, KIP-447).
  kExactlyOnce,
  /// Outputs are flushed before positions are committed: a crash may repeat outputs.
  kAtLeastOnce,
};

/// How an engine runs. All limits are here, with their units.
struct EngineConfig {
  /// Consumer group, and part of the changelogs' names and the transactional ids.
  std::string application_id = "herald";
  /// Names this instance in the group, stable over restarts. Empty: a random one, kept in the state
  /// directory.
  std::string instance_id;
  std::filesystem::path state_directory;
  /// Stream threads. 0: none, so this instance is no member of the group and has no tasks; it keeps
  /// the global tables and knows who has what.
  int threads = 1;
  Guarantee guarantee = Guarantee::kExactlyOnce;
  /// Goes before the changelogs' names.
  std::string topic_prefix;
  /// Where refused records go.
  std::string dead_letters_topic;
  /// False: stores have no changelog and start empty (embedded broker).
  bool changelogs = true;
  /// False: there are no other instances, and the group cannot be asked (embedded broker).
  bool several_instances = true;
  /// For the topics that the engine makes.
  int32_t replication_factor = 1;
  /// A state directory of another cluster, or of a deleted changelog, is moved aside instead of
  /// refused.
  bool accept_new_cluster = false;

  /// Commit at least this often while there is something to commit.
  std::chrono::milliseconds commit_interval{100};
  /// Commit early when this many bytes wait in stores and outputs.
  size_t transaction_bytes_max = size_t{16} << 20;
  /// Output of one record at most; one with more becomes a dead letter.
  size_t record_output_bytes_max = size_t{16} << 20;
  /// Records taken from the consumer at once.
  size_t poll_records_max = 2000;
  /// How long an idle thread waits for a record.
  std::chrono::milliseconds poll_wait{100};
  std::chrono::milliseconds punctuate_interval{1000};

  /// After so long without a sign of life the group gives a member's partitions to others. One that
  /// comes back within it, under the same instance id, moves nothing (KIP-345).
  std::chrono::milliseconds session_timeout{10000};
  /// A thread that takes longer over one turn is no longer a member: its partitions go to others.
  /// At least `session_timeout`.
  std::chrono::milliseconds max_poll_interval{300000};
  /// A record that was in hand when threads crashed so many times in a row, on whatever instances,
  /// becomes a dead letter.
  int crashes_max = 3;
  /// A stream thread that fails (an exception, an I/O error of its store) is replaced; after so many
  /// failures, each within `failures_window` of the one before, the engine fails.
  int thread_failures_max = 8;
  std::chrono::milliseconds failures_window{60000};
  /// Before the first replacement; doubled each time, up to `replace_wait_max`.
  std::chrono::milliseconds replace_wait{250};
  std::chrono::milliseconds replace_wait_max{10000};
  /// Stop() commits and stays in the group, for a restart within `session_timeout`.
  bool stay_on_stop = false;
  /// The engine stops when less than this is free on the disk of the state directory; 0: it does not
  /// look.
  uint64_t disk_reserve_bytes = uint64_t{64} << 20;
  /// Warm copies of each task's rows, on other instances than its own.
  int standby_replicas = 0;
  /// How long start waits for the cluster before it gives up.
  std::chrono::milliseconds broker_timeout{30000};
  /// One request to the cluster, e.g. the committed positions.
  std::chrono::milliseconds request_timeout{5000};
  /// A commit whose answer takes longer counts as unknown: tasks are closed dirty and restored.
  std::chrono::milliseconds commit_timeout{30000};
  /// The last commit when a partition is taken away or the engine stops.
  std::chrono::milliseconds revoke_commit_timeout{3000};
  std::chrono::milliseconds leave_timeout{3000};

  /// Tombstones leave a changelog after this long; an older local copy is not trusted.
  std::chrono::milliseconds changelog_tombstone_retention{std::chrono::hours(7 * 24)};
  /// The rows of a task that nobody has used here for so long are deleted; 0: never.
  std::chrono::milliseconds state_cleanup_delay{600000};
  /// Changelog records applied in one batch while restoring.
  size_t restore_records_max = 10000;

  /// What RocksDB may keep in memory over all tasks: blocks, indexes, filters and, among them, rows that
  /// are not in a table file yet, for which the second is the limit.
  size_t block_cache_bytes = size_t{64} << 20;
  size_t write_buffer_bytes = size_t{32} << 20;
};

}  // namespace pipeline
