#pragma once

namespace app {

class CommandLine;

/// `herald send`: one event from flags, or many from a file or standard input.
void AddSendCommand(CommandLine& command_line);

}  // namespace app
