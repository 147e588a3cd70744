#include "app/run_options.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <fstream>
#include <initializer_list>
#include <utility>

namespace app {
namespace {

constexpr size_t kPasswordBytesMax = 4096;

/// Reads the first line; what is wrong, or "".
std::string ReadPasswordFile(const std::string& path, std::string* password) {
  std::ifstream file(path);
  std::array<char, kPasswordBytesMax + 1> line{};
  if (!file.is_open()) return path + " cannot be read";
  if (!file.getline(line.data(), line.size())) {
    return path + (file.eof() ? " is empty" : " has a first line that is too long for a password");
  }
  *password = line.data();
  if (password->ends_with('\r')) password->pop_back();
  return password->empty() ? path + " has an empty first line" : "";
}

bool IsPlainName(const std::string& name) {
  return name.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
         std::string::npos;
}

std::string FlagOf(std::string_view yaml) {
  std::string flag = "--";
  for (const char c : yaml) flag.push_back(c == '_' || c == '.' ? '-' : c);
  return flag;
}

/// What username and password mean to librdkafka; what is wrong, or "".
std::string AddLogin(RunOptions& options, const RunOptions::NameOf& name_of) {
  if (!options.password.empty() && !options.password_file.empty()) {
    return name_of("password_file") + ": there is a password, too; give one of them";
  }
  std::string password = options.password;
  if (!options.password_file.empty()) {
    const std::string wrong = ReadPasswordFile(options.password_file, &password);
    if (!wrong.empty()) return name_of("password_file") + ": " + wrong;
  }
  if (options.username.empty() && password.empty()) return "";
  if (options.username.empty()) return "there is a password, but no user name (username)";
  if (password.empty()) {
    return name_of("username") +
           ": there is no password; give HERALD_PASSWORD, --password-file, or password in the file";
  }
  if (options.embedded) return name_of("username") + ": the embedded broker knows no users";
  auto& properties = options.parsed_properties;
  const auto given = [&properties](std::initializer_list<const char*> names) {
    return std::any_of(names.begin(), names.end(),
                       [&](const char* name) { return properties.contains(name); });
  };
  if (given({"sasl.username", "sasl.password"})) {
    return name_of("username") + ": the properties have sasl.username or sasl.password, too; give "
                                 "one of them";
  }
  properties["sasl.username"] = options.username;
  properties["sasl.password"] = password;
  if (!given({"sasl.mechanism", "sasl.mechanisms"})) properties["sasl.mechanism"] = "PLAIN";
  properties.emplace("security.protocol", "sasl_plaintext");
  const std::string& protocol = properties.at("security.protocol");
  std::string lower = protocol;
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (!lower.starts_with("sasl_")) {
    return name_of("username") + ": security.protocol " + protocol +
           " knows no login; sasl_ssl and sasl_plaintext do";
  }
  if (lower == "sasl_plaintext") {
    options.warnings.emplace_back(
        "the password goes to the brokers unencrypted; the property security.protocol=sasl_ssl "
        "changes that");
  }
  return "";
}

/// What the names of topics and groups are made of; what is wrong, or "".
std::string CheckNames(const RunOptions& options, const RunOptions::NameOf& name_of) {
  for (const auto& [yaml, name] :
       std::initializer_list<std::pair<const char*, const std::string*>>{
           {"application_id", &options.application_id},
           {"instance_id", &options.instance_id},
           {"topic_prefix", &options.topic_prefix},
           {"topic", &options.topic}}) {
    if (!IsPlainName(*name)) {
      return name_of(yaml) + ": \"" + *name +
             "\": only letters, digits, '.', '_' and '-' make topic and group names";
    }
  }
  if (options.application_id.empty()) return name_of("application_id") + " must not be empty";
  if (options.topic.empty()) return name_of("topic") + " must not be empty";
  for (const char* other : {"events", "users", "inbox-actions", "dead-letters"}) {
    if (options.topic == other) {
      return name_of("topic") + " is where notifications are written; \"" + options.topic +
             "\" is another topic of Herald's";
    }
  }
  return "";
}

}  // namespace

const char* RoleName(Role role) {
  switch (role) {
    case Role::kIngest:
      return "ingest";
    case Role::kProcess:
      return "process";
    case Role::kAll:
      break;
  }
  return "all";
}

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

bool ParseProperty(const std::string& text, std::string* name, std::string* value) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) return false;
  *name = text.substr(0, equals);
  *value = text.substr(equals + 1);
  return true;
}

std::string RunOptions::Finish(const NameOf& name_of_key) {
  const NameOf name_of = name_of_key ? name_of_key : FlagOf;
  if (embedded && !brokers.empty()) {
    return name_of("embedded") + " and " + name_of("brokers") + ": give one of them";
  }
  if (!embedded && brokers.empty()) {
    return "give either --brokers HOST:PORT (a real Kafka) or --embedded (to try Herald)";
  }
  if (embedded && guarantee == "exactly_once") {
    return "--embedded has no transactions: --guarantee exactly_once needs a real Kafka (--brokers)";
  }
  if (embedded && threads != 1) return "--embedded runs one thread: leave --threads out";
  if (embedded && role != "all") {
    return name_of("role") +
           ": the embedded broker serves one process, which has to do everything: leave --role out";
  }
  if (role == "ingest") parsed_role = Role::kIngest;
  if (role == "process") parsed_role = Role::kProcess;
  if (guarantee.empty()) guarantee = embedded ? "at_least_once" : "exactly_once";
  if (guarantee == "at_least_once") parsed_guarantee = pipeline::Guarantee::kAtLeastOnce;
  for (const std::string& property : properties) {
    std::string name;
    std::string value;
    if (!ParseProperty(property, &name, &value)) {
      // Not what it says instead: that may be a password.
      return "-X wants key=value: one has no '=' behind a key";
    }
    parsed_properties[name] = value;
  }
  if (std::string wrong = AddLogin(*this, name_of); !wrong.empty()) return wrong;
  if (!producer_return_successes) {
    warnings.emplace_back(
        "producer_return_successes: false has no effect: an HTTP request that produces is answered "
        "when the brokers have the record");
  }
  if (!ParseDuration(inbox_age_max, &parsed_inbox_age_max)) {
    return name_of("inbox_age_max") + " wants a duration like 90d, 12h, 30m, 45s or 0, not \"" +
           inbox_age_max + "\"";
  }
  if (!base::ParseLogLevel(log_level, &parsed_log_level)) {
    return name_of("log.level") + " wants trace, debug, info, warn or error, not \"" + log_level +
           "\"";
  }
  if (!base::ParseLogFormat(log_format, &parsed_log_format)) {
    return name_of("log.format") + " wants auto, text or json, not \"" + log_format + "\"";
  }
  if (std::string wrong = CheckNames(*this, name_of); !wrong.empty()) return wrong;
  if (!advertise.empty() && advertise.find_last_of(':') == std::string::npos) {
    return name_of("advertise") + " wants ADDR:PORT, not \"" + advertise + "\"";
  }
  if (max_poll_interval_ms < session_timeout_ms) {
    return name_of("max_poll_interval_ms") + " must not be below --session-timeout-ms (" +
           std::to_string(session_timeout_ms) + ")";
  }
  if (listen.empty()) listen.emplace_back("127.0.0.1:8080");
  if (state_dir.empty() && !embedded && parsed_role != Role::kIngest) state_dir = "herald-state";
  return "";
}

}  // namespace app
