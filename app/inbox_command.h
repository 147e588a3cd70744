#pragma once

namespace app {

class CommandLine;

/// `herald inbox`: a page of an inbox, all of it, or what comes.
void AddInboxCommand(CommandLine& command_line);

}  // namespace app
