#pragma once

#include "app/broker_options.h"

namespace app {

class CommandLine;

/// `herald reset`: makes an application start anew. Talks to Kafka, not to a server.
void AddResetCommand(CommandLine& command_line, MakeClients make_clients);

}  // namespace app
