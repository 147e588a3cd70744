#pragma once

namespace app {

class CommandLine;

/// `herald status`: what an instance is doing.
void AddStatusCommand(CommandLine& command_line);

}  // namespace app
