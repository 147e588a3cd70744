#pragma once

namespace app {

class CommandLine;

/// `herald topology`: the stages and topics, as text or for Graphviz.
void AddTopologyCommand(CommandLine& command_line);

}  // namespace app
