#pragma once

#include <functional>

#include "app/broker_options.h"
#include "base/clock.h"

namespace app {

class CommandLine;

/// `herald dead-letters`: what was refused; shows it, replays it, or puts it aside. Talks to Kafka,
/// not to a server. `interrupted` says, from the first call on, whether somebody wants a replay or
/// drop to end. `clock` outlives the commands.
void AddDeadLettersCommand(CommandLine& command_line, const MakeClients& make_clients,
                           const base::Clock& clock, const std::function<bool()>& interrupted);

}  // namespace app
