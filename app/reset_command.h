#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/status.h"
#include "pipeline/kafka_client.h"

namespace app {

class CommandLine;

/// Makes the clients of the cluster at `brokers`, with librdkafka's `properties`.
/// Errors: InvalidArgument naming the property.
using MakeClients = std::function<base::Result<std::unique_ptr<pipeline::KafkaClients>>(
    const std::string& brokers, const std::map<std::string, std::string>& properties)>;

/// `herald reset`: makes an application start anew. Talks to Kafka, not to a server.
void AddResetCommand(CommandLine& command_line, MakeClients make_clients);

}  // namespace app
