#include "app/run_options.h"

#include <CLI/CLI.hpp>
#include <charconv>

namespace app {

bool ParseDuration(const std::string& text, std::chrono::milliseconds* duration) {
  constexpr int64_t kDaysMax = 36'500;
  int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || number < 0) return false;
  const std::string unit(rest, end);
  int64_t seconds = 0;
  if (unit == "d") seconds = 86'400;
  else if (unit == "h") seconds = 3'600;
  else if (unit == "m") seconds = 60;
  else if (unit == "s") seconds = 1;
  else if (unit.empty() && number == 0) seconds = 1;
  else return false;
  if (number > kDaysMax * 86'400 / seconds) return false;
  *duration = std::chrono::seconds(number * seconds);
  return true;
}

void AddRunOptions(CLI::App& command, RunOptions& options) {
  command.add_option("--brokers", options.brokers, "Kafka bootstrap servers: HOST:PORT[,HOST:PORT]");
  command.add_flag("--embedded", options.embedded,
                   "Start an in-process broker for trying Herald: in memory, at_least_once");
  command.add_option("--application-id", options.application_id,
                     "Consumer group and prefix of Herald's own topics")
      ->capture_default_str();
  command.add_option("--state-dir", options.state_dir,
                     "Where the inboxes are kept (default herald-state; with --embedded a temporary "
                     "directory)");
  command.add_option("--listen", options.listen,
                     "HTTP address ADDR:PORT, repeatable; port 0 picks a free one (default "
                     "127.0.0.1:8080)");
  command.add_option("--threads", options.threads, "Stream threads")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  command.add_option("--guarantee", options.guarantee,
                     "exactly_once or at_least_once (default exactly_once; with --embedded "
                     "at_least_once)")
      ->check(CLI::IsMember({"exactly_once", "at_least_once"}));
  command.add_option("--commit-interval-ms", options.commit_interval_ms,
                     "Longest time between commits under load (default 100)")
      ->check(CLI::Range(1, 60'000));
  command.add_option("--partitions", options.partitions, "Partitions of topics that Herald makes")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command.add_option("--replication-factor", options.replication_factor,
                     "Replicas of topics that Herald makes")
      ->check(CLI::Range(1, 15))
      ->capture_default_str();
  command.add_option("--instance-id", options.instance_id,
                     "This instance's stable name (default: a random one kept in the state "
                     "directory)");
  command.add_option("--advertise", options.advertise,
                     "ADDR:PORT at which other instances reach this one (default: the first "
                     "--listen address)");
  command.add_option("--session-timeout-ms", options.session_timeout_ms,
                     "Without a sign of life for so long, an instance's partitions go to others; "
                     "one that is back sooner keeps them. Kafka allows 6000 to 1800000 unless told "
                     "otherwise")
      ->check(CLI::Range(int64_t{1'000}, int64_t{1'800'000}))
      ->capture_default_str();
  command.add_option("--max-poll-interval-ms", options.max_poll_interval_ms,
                     "A thread that is busy with one batch for so long loses its partitions to "
                     "others; at least the session time-out")
      ->check(CLI::Range(int64_t{1'000}, int64_t{86'400'000}))
      ->capture_default_str();
  command.add_option("--crashes-max", options.crashes_max,
                     "A record at which instances crashed so many times in a row becomes a dead "
                     "letter")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command.add_option("--memory-mib", options.memory_mib,
                     "What the databases of all tasks together keep in memory; half of it may be "
                     "rows that are not in a table file yet")
      ->check(CLI::Range(uint64_t{16}, uint64_t{1'048'576}))
      ->capture_default_str();
  command.add_option("--disk-reserve-mib", options.disk_reserve_mib,
                     "Stop, with nothing lost, when less than this is free on the disk of the state "
                     "directory; 0: do not look")
      ->check(CLI::Range(uint64_t{0}, uint64_t{1'048'576}))
      ->capture_default_str();
  command.add_option("--standby-replicas", options.standby_replicas,
                     "Other instances that keep a warm copy of each inbox, to take over without a "
                     "restore and to answer reads while its owner is gone")
      ->check(CLI::Range(0, 16))
      ->capture_default_str();
  command.add_flag("--stay-on-stop", options.stay_on_stop,
                   "Keep the partitions when stopped, for a restart within the session time-out "
                   "(rolling restarts)");
  command.add_option("--state-cleanup-delay-ms", options.state_cleanup_delay_ms,
                     "Rows of partitions that other instances have had for so long are deleted "
                     "here; 0 keeps them")
      ->check(CLI::Range(int64_t{0}, int64_t{86'400'000} * 365))
      ->capture_default_str();
  command.add_option("--action-timeout-ms", options.action_timeout_ms,
                     "How long read, unread, seen and delete wait until the inbox shows them")
      ->check(CLI::Range(int64_t{100}, int64_t{25'000}))
      ->capture_default_str();
  command.add_option("--topic-prefix", options.topic_prefix, "Goes before every topic name");
  command.add_option("--users", options.users_file,
                     "NDJSON file of users (id, name, handle, avatar_url) to load at start");
  command.add_option("--inbox-items-max", options.inbox_items_max,
                     "Items an inbox keeps; the oldest go first")
      ->check(CLI::Range(uint64_t{1}, uint64_t{10'000'000}))
      ->capture_default_str();
  command.add_option("--inbox-age-max", options.inbox_age_max,
                     "Items older than this go, e.g. 90d, 12h; 0 keeps them")
      ->capture_default_str();
  command.add_option("--broker-timeout-ms", options.broker_timeout_ms,
                     "How long to look for a broker at start before giving up")
      ->check(CLI::Range(int64_t{100}, int64_t{86'400'000}))
      ->capture_default_str();
  command.add_option("-X", options.properties, "A librdkafka property, key=value; repeatable")
      ->take_all();
  command.add_option("--log-level", options.log_level, "trace, debug, info, warn or error")
      ->capture_default_str();
  command.add_option("--ready-file", options.ready_file,
                     "Written when ready, removed at start: {\"http\":[...],\"brokers\":...,"
                     "\"pid\":...}");
  command.add_flag("--accept-new-cluster", options.accept_new_cluster,
                   "Move a state directory of another cluster aside instead of refusing it");
  command.footer(
      "Examples:\n"
      "  herald run --embedded --users examples/users.ndjson\n"
      "  herald run --brokers localhost:9092 --state-dir /var/lib/herald --threads 2\n"
      "  herald run --brokers localhost:9092 --listen 10.0.0.7:8080 --stay-on-stop\n\n"
      "Exit codes: 0 stopped by SIGTERM or SIGINT, 1 a failure (the last log line says which),\n"
      "2 a wrong command line.");
}

std::string RunOptions::Finish() {
  if (embedded == !brokers.empty()) {
    return "give either --brokers HOST:PORT (a real Kafka) or --embedded (to try Herald)";
  }
  if (embedded && guarantee == "exactly_once") {
    return "--embedded has no transactions: --guarantee exactly_once needs a real Kafka (--brokers)";
  }
  if (embedded && threads != 1) return "--embedded runs one thread: leave --threads out";
  if (embedded || guarantee == "at_least_once") {
    parsed_guarantee = pipeline::Guarantee::kAtLeastOnce;
  }
  for (const std::string& property : properties) {
    const size_t equals = property.find('=');
    if (equals == std::string::npos || equals == 0) {
      return "-X wants key=value, not \"" + property + "\"";
    }
    parsed_properties[property.substr(0, equals)] = property.substr(equals + 1);
  }
  if (!ParseDuration(inbox_age_max, &parsed_inbox_age_max)) {
    return "--inbox-age-max wants a duration like 90d, 12h, 30m, 45s or 0, not \"" +
           inbox_age_max + "\"";
  }
  if (!base::ParseLogLevel(log_level, &parsed_log_level)) {
    return "--log-level wants trace, debug, info, warn or error, not \"" + log_level + "\"";
  }
  for (const std::string* name : {&application_id, &instance_id, &topic_prefix}) {
    if (name->find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") !=
        std::string::npos) {
      return "\"" + *name + "\": only letters, digits, '.', '_' and '-' make topic and group names";
    }
  }
  if (!advertise.empty() && advertise.find_last_of(':') == std::string::npos) {
    return "--advertise wants ADDR:PORT, not \"" + advertise + "\"";
  }
  if (max_poll_interval_ms < session_timeout_ms) {
    return "--max-poll-interval-ms must not be below --session-timeout-ms (" +
           std::to_string(session_timeout_ms) + ")";
  }
  if (application_id.empty()) return "--application-id must not be empty";
  if (listen.empty()) listen.emplace_back("127.0.0.1:8080");
  if (commit_interval_ms == 0) commit_interval_ms = 100;
  if (state_dir.empty() && !embedded) state_dir = "herald-state";
  return "";
}

}  // namespace app
