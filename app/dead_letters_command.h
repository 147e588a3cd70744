#pragma once

#include "app/broker_options.h"
#include "base/clock.h"

namespace app {

class CommandLine;

/// `herald dead-letters`: what was refused; shows it, replays it, or puts it aside. Talks to Kafka,
/// not to a server. `clock` outlives the commands.
void AddDeadLettersCommand(CommandLine& command_line, const MakeClients& make_clients,
                           const base::Clock& clock);

}  // namespace app
