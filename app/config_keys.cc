#include "app/config_keys.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <type_traits>
#include <utility>

namespace app {
namespace {

using Options = RunOptions;

constexpr int64_t kDayMs = 86'400'000;

using Name = std::string_view;

ConfigKey Text(Name flag, Name yaml, ConfigKey::Field field, std::string_view help,
               std::string_view default_text = "", ValueForm form = ValueForm::kPlain) {
  return {.flag = flag,
          .yaml = yaml,
          .field = field,
          .help = help,
          .default_text = default_text,
          .form = form};
}

ConfigKey Secret(Name yaml, ConfigKey::Field field, std::string_view help,
                 std::string_view default_text) {
  // Not a flag: whoever may list processes reads the flags of all of them.
  ConfigKey key = Text("", yaml, field, help, default_text);
  key.secret = true;
  return key;
}

ConfigKey Choice(Name flag, Name yaml, ConfigKey::Field field, std::vector<std::string> choices,
                 std::string_view help, std::string_view default_text = "") {
  ConfigKey key = Text(flag, yaml, field, help, default_text);
  key.choices = std::move(choices);
  return key;
}

ConfigKey Number(Name flag, Name yaml, ConfigKey::Field field, int64_t min, int64_t max,
                 std::string_view help, std::string_view default_text = "") {
  ConfigKey key = Text(flag, yaml, field, help, default_text);
  key.min = min;
  key.max = max;
  return key;
}

ConfigKey Switch(Name flag, Name yaml, ConfigKey::Field field, std::string_view help) {
  return Text(flag, yaml, field, help);
}

std::vector<ConfigKey> MakeKeys() {
  return {
      Text("--brokers", "brokers", &Options::brokers,
           "Kafka bootstrap servers: HOST:PORT[,HOST:PORT]", "none: this or --embedded",
           ValueForm::kJoined),
      Switch("--embedded", "embedded", &Options::embedded,
             "Start an in-process broker for trying Herald: in memory, at_least_once"),
      Text("--username", "username", &Options::username,
           "Who Herald is to the brokers (SASL, PLAIN unless -X sasl.mechanism says otherwise)",
           "none: no login"),
      Secret("password", &Options::password, "The password that belongs to the user name", "none"),
      Text("--password-file", "password_file", &Options::password_file,
           "A file whose first line is the password", "none"),
      Choice("--role", "role", &Options::role, {"all", "ingest", "process"},
             "ingest takes events and hands the rest on; process keeps and serves inboxes, and "
             "takes no new events"),
      Text("--application-id", "application_id", &Options::application_id,
           "Consumer group and prefix of Herald's own topics"),
      Text("--state-dir", "state_dir", &Options::state_dir, "Where the inboxes are kept",
           "herald-state; with --embedded or --role ingest a temporary directory"),
      Text("--listen", "listen", &Options::listen,
           "HTTP address ADDR:PORT, repeatable; port 0 picks a free one", "127.0.0.1:8080"),
      Number("--threads", "threads", &Options::threads, 1, 64, "Stream threads"),
      Choice("--guarantee", "guarantee", &Options::guarantee, {"exactly_once", "at_least_once"},
             "What a crash may do to the outputs", "exactly_once; with --embedded at_least_once"),
      Number("--commit-interval-ms", "commit_interval_ms", &Options::commit_interval_ms, 1, 60'000,
             "Longest time between commits under load"),
      Number("--partitions", "partitions", &Options::partitions, 1, 1000,
             "Partitions of topics that Herald makes"),
      Number("--replication-factor", "replication_factor", &Options::replication_factor, 1, 15,
             "Replicas of topics that Herald makes"),
      Text("--instance-id", "instance_id", &Options::instance_id, "This instance's stable name",
           "a random one, kept in the state directory"),
      Text("--advertise", "advertise", &Options::advertise,
           "ADDR:PORT at which other instances reach this one", "the first --listen address"),
      Number("--session-timeout-ms", "session_timeout_ms", &Options::session_timeout_ms, 1'000,
             1'800'000,
             "Without a sign of life for so long, an instance's partitions go to others; one that "
             "is back sooner keeps them. Kafka allows 6000 to 1800000 unless told otherwise"),
      Number("--max-poll-interval-ms", "max_poll_interval_ms", &Options::max_poll_interval_ms,
             1'000, kDayMs,
             "A thread that is busy with one batch for so long loses its partitions to others; at "
             "least the session time-out"),
      Number("--crashes-max", "crashes_max", &Options::crashes_max, 1, 1000,
             "A record at which instances crashed so many times in a row becomes a dead letter"),
      Number("--memory-mib", "memory_mib", &Options::memory_mib, 16, 1'048'576,
             "What the databases of all tasks together keep in memory; half of it may be rows that "
             "are not in a table file yet"),
      Number("--disk-reserve-mib", "disk_reserve_mib", &Options::disk_reserve_mib, 0, 1'048'576,
             "Stop, with nothing lost, when less than this is free on the disk of the state "
             "directory; 0: do not look"),
      Number("--standby-replicas", "standby_replicas", &Options::standby_replicas, 0, 16,
             "Other instances that keep a warm copy of each inbox, to take over without a restore "
             "and to answer reads while its owner is gone"),
      Switch("--stay-on-stop", "stay_on_stop", &Options::stay_on_stop,
             "Keep the partitions when stopped, for a restart within the session time-out (rolling "
             "restarts)"),
      Number("--state-cleanup-delay-ms", "state_cleanup_delay_ms", &Options::state_cleanup_delay_ms,
             0, kDayMs * 365,
             "Rows of partitions that other instances have had for so long are deleted here; 0 "
             "keeps them"),
      Number("--action-timeout-ms", "action_timeout_ms", &Options::action_timeout_ms, 100, 25'000,
             "How long read, unread, seen and delete wait until the inbox shows them"),
      Number("--heartbeat-interval-ms", "heartbeat_interval_ms", &Options::heartbeat_interval_ms, 0,
             3'600'000,
             "Send a record the way of an event for each partition, on topics of its own, and measure "
             "when it can be read; 0: none"),
      Text("--topic", "topic", &Options::topic, "Name of the notifications topic"),
      Text("--topic-prefix", "topic_prefix", &Options::topic_prefix,
           "Goes before every topic name", "none"),
      Text("--users", "users", &Options::users_file,
           "NDJSON file of users (id, name, handle, avatar_url) to load at start", "none"),
      Number("--inbox-items-max", "inbox_items_max", &Options::inbox_items_max, 1, 10'000'000,
             "Items an inbox keeps; the oldest go first"),
      Text("--inbox-age-max", "inbox_age_max", &Options::inbox_age_max,
           "Items older than this go; 0 keeps them", "", ValueForm::kDuration),
      Number("--broker-timeout-ms", "broker_timeout_ms", &Options::broker_timeout_ms, 100, kDayMs,
             "How long to look for a broker at start before giving up"),
      Number("--retries", "retries", &Options::retries, 1, Options::kRetriesUnlimited,
             "How often a record of an HTTP request is sent again before the request fails; after "
             "5 s it fails in any case",
             "as often as 5 s allow"),
      Switch("", "producer_return_successes", &Options::producer_return_successes,
             "For files of other systems: Herald always waits for the brokers' word"),
      Text("-X", "properties", &Options::properties, "A librdkafka property, key=value; repeatable",
           "none", ValueForm::kProperties),
      Text("--ready-file", "ready_file", &Options::ready_file,
           "Written when ready, removed at start: {\"http\":[...],\"brokers\":...,\"pid\":...}",
           "none"),
      Switch("--accept-new-cluster", "accept_new_cluster", &Options::accept_new_cluster,
             "Move a state directory of another cluster aside instead of refusing it"),
      Choice("--log-level", "log.level", &Options::log_level,
             {"trace", "debug", "info", "warn", "error"},
             "Log lines below this level are dropped; SIGUSR1: one level more, SIGUSR2: this again"),
      Choice("--log-format", "log.format", &Options::log_format, {"auto", "text", "json"},
             "auto: text on a terminal, JSON elsewhere and in a file"),
      Text("--log-file", "log.file", &Options::log_file, "The log goes here instead of to stderr",
           "none: stderr"),
      Number("--log-rotation-size", "log.rotation_size", &Options::log_rotation_size_mib, 1,
             1'048'576, "MiB of the log file after which the next one is begun"),
      Number("--log-rotation-count", "log.rotation_count", &Options::log_rotation_count, 0,
             base::kLogRotationCountMax, "Older log files that are kept beside it"),
  };
}

template <typename T>
constexpr bool kIsNumber = std::is_integral_v<T> && !std::is_same_v<T, bool>;

std::string Joined(const std::vector<std::string>& texts, std::string_view separator) {
  std::string joined;
  for (const std::string& text : texts) {
    if (!joined.empty()) joined += separator;
    joined += text;
  }
  return joined;
}

std::string Wanted(const ConfigKey& key, bool number) {
  if (number) {
    return "a whole number from " + std::to_string(key.min) + " to " + std::to_string(key.max);
  }
  if (!key.choices.empty()) return "one of " + Joined(key.choices, ", ");
  if (key.form == ValueForm::kDuration) return "a duration like 90d, 12h, 30m, 45s or 0";
  return "one text";
}

bool ParseNumber(const std::string& text, const ConfigKey& key, int64_t* number) {
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, *number);
  return error == std::errc() && rest == end && *number >= key.min && *number <= key.max;
}

}  // namespace

const std::vector<ConfigKey>& ConfigKeys() {
  static const std::vector<ConfigKey> keys = MakeKeys();
  return keys;
}

const ConfigKey* FindConfigKey(std::string_view yaml) {
  const auto& keys = ConfigKeys();
  const auto found = std::find_if(keys.begin(), keys.end(),
                                  [&](const ConfigKey& key) { return key.yaml == yaml; });
  return found == keys.end() ? nullptr : &*found;
}

std::string EnvironmentName(const ConfigKey& key) {
  std::string name = "HERALD_";
  for (const char c : key.yaml) {
    name.push_back(c == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c))));
  }
  return name;
}

std::string TypeText(const ConfigKey& key) {
  return std::visit(
      [&key](auto member) -> std::string {
        using T = std::remove_reference_t<decltype(std::declval<RunOptions>().*member)>;
        if constexpr (std::is_same_v<T, bool>) {
          return "true or false";
        } else if constexpr (kIsNumber<T>) {
          return "whole number, " + std::to_string(key.min) + " to " + std::to_string(key.max);
        } else {
          if (key.form == ValueForm::kProperties) return "map of texts";
          if (std::is_same_v<T, std::vector<std::string>> || key.form == ValueForm::kJoined) {
            return "text, or list of texts";
          }
          if (key.form == ValueForm::kDuration) return "duration: 90d, 12h, 30m, 45s, 0";
          if (!key.choices.empty()) return Joined(key.choices, ", ");
          return key.secret ? "text, a secret" : "text";
        }
      },
      key.field);
}

std::string SetField(RunOptions& options, const ConfigKey& key,
                     const std::vector<std::string>& texts) {
  return std::visit(
      [&](auto member) -> std::string {
        using T = std::remove_reference_t<decltype(options.*member)>;
        if constexpr (std::is_same_v<T, std::vector<std::string>>) {
          options.*member = texts;
          return "";
        } else if constexpr (std::is_same_v<T, bool>) {
          if (texts.size() != 1) return "true or false";
          if (texts[0] != "true" && texts[0] != "1" && texts[0] != "false" && texts[0] != "0") {
            return "true or false";
          }
          options.*member = texts[0] == "true" || texts[0] == "1";
          return "";
        } else if constexpr (kIsNumber<T>) {
          int64_t number = 0;
          if (texts.size() != 1 || !ParseNumber(texts[0], key, &number)) return Wanted(key, true);
          options.*member = static_cast<T>(number);
          return "";
        } else {
          const std::string text = Joined(texts, ",");
          std::chrono::milliseconds ignored{};
          const bool fits =
              (texts.size() == 1 || key.form == ValueForm::kJoined) &&
              (key.choices.empty() ||
               std::find(key.choices.begin(), key.choices.end(), text) != key.choices.end()) &&
              (key.form != ValueForm::kDuration || ParseDuration(text, &ignored));
          if (!fits) return Wanted(key, false);
          options.*member = text;
          return "";
        }
      },
      key.field);
}

std::vector<std::string> FieldTexts(const RunOptions& options, const ConfigKey& key) {
  return std::visit(
      [&](auto member) -> std::vector<std::string> {
        using T = std::remove_cvref_t<decltype(options.*member)>;
        if constexpr (std::is_same_v<T, std::vector<std::string>>) {
          return options.*member;
        } else if constexpr (std::is_same_v<T, bool>) {
          return {options.*member ? "true" : "false"};
        } else if constexpr (kIsNumber<T>) {
          return {std::to_string(options.*member)};
        } else {
          return {options.*member};
        }
      },
      key.field);
}

bool IsSecretProperty(std::string_view name) {
  constexpr std::string_view kSecretWords[] = {"password",           "secret", "token",
                                               "private",            ".pem",   "jaas",
                                               "sasl.oauthbearer.config"};
  // A name in capitals is none that librdkafka knows, but its value is as secret as it was meant.
  std::string lower(name);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return std::any_of(std::begin(kSecretWords), std::end(kSecretWords), [&](std::string_view word) {
    return lower.find(word) != std::string::npos;
  });
}

std::string NearestWord(std::string_view word, const std::vector<std::string>& known) {
  constexpr size_t kWordBytesMax = 100;
  if (word.size() > kWordBytesMax) return "";
  std::string nearest;
  // One wrong letter in four is a slip, more is another word.
  size_t best = std::max<size_t>(1, word.size() / 4) + 1;
  for (const std::string& candidate : known) {
    // Damerau and Levenshtein's distance: letters added, gone, changed, or two that changed places.
    const size_t columns = candidate.size() + 1;
    std::vector<size_t> two_ago(columns);
    std::vector<size_t> before(columns);
    std::vector<size_t> row(columns);
    for (size_t j = 0; j < columns; ++j) row[j] = j;
    for (size_t i = 1; i <= word.size(); ++i) {
      two_ago.swap(before);
      before.swap(row);
      row[0] = i;
      for (size_t j = 1; j < columns; ++j) {
        const size_t change = word[i - 1] == candidate[j - 1] ? 0 : 1;
        row[j] = std::min({before[j] + 1, row[j - 1] + 1, before[j - 1] + change});
        if (i > 1 && j > 1 && word[i - 1] == candidate[j - 2] && word[i - 2] == candidate[j - 1]) {
          row[j] = std::min(row[j], two_ago[j - 2] + 1);
        }
      }
    }
    if (row.back() < best) {
      best = row.back();
      nearest = candidate;
    }
  }
  return nearest;
}

}  // namespace app
