#include "app/broker_options.h"

#include <charconv>
#include <utility>

#include "app/exit_code.h"
#include "app/line_reader.h"
#include "base/log.h"
#include "stages/iso_time.h"

namespace app {

void AddBrokerOptions(CLI::App& command, BrokerOptions& options) {
  command
      .add_option("--brokers", options.brokers, "Kafka bootstrap servers: HOST:PORT[,HOST:PORT]")
      ->required();
  command.add_option("--topic-prefix", options.topic_prefix, "Goes before every topic name");
  command
      .add_option("--broker-timeout-ms", options.broker_timeout_ms,
                  "How long to wait for the brokers' answer to one request")
      ->check(CLI::Range(int64_t{100}, int64_t{86'400'000}))
      ->capture_default_str();
  command.add_option("-X", options.properties, "A librdkafka property, key=value; repeatable")
      ->take_all()
      ->allow_extra_args(false);
}

base::Result<std::unique_ptr<pipeline::KafkaClients>> ClientsOf(const BrokerOptions& options,
                                                                const MakeClients& make_clients) {
  std::map<std::string, std::string> properties;
  for (const std::string& property : options.properties) {
    const size_t equals = property.find('=');
    if (equals == std::string::npos || equals == 0) {
      // Not what it says instead: that may be a password.
      return base::Status::InvalidArgument("-X wants key=value: one has no '=' behind a key");
    }
    properties[property.substr(0, equals)] = property.substr(equals + 1);
  }
  base::SetLogLevel(base::LogLevel::kError);
  return make_clients(options.brokers, properties);
}

std::optional<int64_t> ParseTime(const std::string& text) {
  int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error == std::errc() && rest == end) {
    return number < 0 ? std::nullopt : std::optional<int64_t>(number);
  }
  return stages::ParseIsoTime(text);
}

int ExitCodeOf(const base::Status& status) {
  switch (status.code()) {
    case base::StatusCode::kInvalidArgument:
      return kExitRefused;
    case base::StatusCode::kUnavailable:
      return kExitUnreachable;
    default:
      return kExitFailure;
  }
}

bool Confirmed(const Console& console, int input) {
  console.out << "Go on? [y/N] " << std::flush;
  auto reader = LineReader::Open("-", input);
  if (!reader.ok()) return false;
  const auto answer = reader->Next();
  if (!answer.ok() || !answer->has_value()) return false;
  return **answer == "y" || **answer == "Y" || **answer == "yes";
}

}  // namespace app
