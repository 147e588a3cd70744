#pragma once

namespace app {

class CommandLine;

/// `herald mark`: read, unread, seen, delete.
void AddMarkCommand(CommandLine& command_line);

}  // namespace app
