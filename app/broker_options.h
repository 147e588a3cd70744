#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/console.h"
#include "base/status.h"
#include "pipeline/kafka_client.h"

/// What the commands share that talk to Kafka, not to a server.
namespace app {

/// Makes the clients of the cluster at `brokers`, with librdkafka's `properties`.
/// Errors: InvalidArgument naming the property.
using MakeClients = std::function<base::Result<std::unique_ptr<pipeline::KafkaClients>>(
    const std::string& brokers, const std::map<std::string, std::string>& properties)>;

struct BrokerOptions {
  std::string brokers;
  std::string topic_prefix;
  std::vector<std::string> properties;
  int64_t broker_timeout_ms = 30'000;
};

/// Adds --brokers, --topic-prefix, --broker-timeout-ms and -X; `options` outlives `command`.
void AddBrokerOptions(CLI::App& command, BrokerOptions& options);

/// The clients that `options` ask for. What librdkafka says by the way is not logged from now on:
/// errors come back as results. Errors: InvalidArgument naming -X, or the property.
base::Result<std::unique_ptr<pipeline::KafkaClients>> ClientsOf(const BrokerOptions& options,
                                                                const MakeClients& make_clients);

/// "2026-11-21T05:00:00Z" or milliseconds since 1970; nullopt for anything else.
std::optional<int64_t> ParseTime(const std::string& text);

/// How a command ends that failed with `status`.
int ExitCodeOf(const base::Status& status);

/// What is wrong with the command line when nobody can be asked and --yes was not given.
inline constexpr char kNobodyToAsk[] =
    "nobody can be asked here: give --yes to do it, or --dry-run to see what would be done";

/// Asks whoever sits at `input`; only yes is yes.
bool Confirmed(const Console& console, int input);

}  // namespace app
