#include "app/topology_command.h"

#include <memory>

#include "app/command_line.h"
#include "app/exit_code.h"
#include "app/topology_dot.h"
#include "stages/notification_topology.h"

namespace app {

void AddTopologyCommand(CommandLine& command_line) {
  auto dot = std::make_shared<bool>(false);
  CLI::App& command = command_line.Add(
      command_line.herald(), "topology", "Show the stages and topics; needs no server",
      [dot](Environment& environment, const CLI::App&) {
        const pipeline::Topology topology =
            stages::BuildNotificationTopology(stages::Topics(), stages::InboxLimits());
        environment.console.out << (*dot ? ToDot(topology) : topology.ToString());
        return kExitDone;
      });
  command.add_flag("--dot", *dot, "For Graphviz");
  command.footer(
      "Examples:\n"
      "  herald topology\n"
      "  herald topology --dot | dot -Tsvg > topology.svg");
}

}  // namespace app
