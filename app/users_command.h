#pragma once

namespace app {

class CommandLine;

/// `herald users`: load, get, put, delete.
void AddUsersCommand(CommandLine& command_line);

}  // namespace app
