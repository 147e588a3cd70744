#pragma once

namespace app {

class CommandLine;

/// `herald completion`: a script for bash or zsh.
void AddCompletionCommand(CommandLine& command_line);

}  // namespace app
