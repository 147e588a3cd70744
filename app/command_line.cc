#include "app/command_line.h"

#include <utility>

#include "app/completion_command.h"
#include "app/exit_code.h"
#include "app/inbox_command.h"
#include "app/mark_command.h"
#include "app/send_command.h"
#include "app/status_command.h"
#include "app/topology_command.h"
#include "app/users_command.h"

namespace app {

CommandLine::CommandLine(const std::string& version)
    : herald_("Herald turns raw social events from Kafka into per-user notification inboxes.",
              "herald") {
  herald_.set_version_flag("--version", version);
  herald_.require_subcommand(0, 1);
  herald_.footer(
      "Examples:\n"
      "  herald run --embedded --users examples/users.ndjson\n"
      "  herald send --type follow --actor 2 --target 1\n"
      "  herald inbox 1 --follow\n\n"
      "Exit codes:\n"
      "  0  done\n"
      "  1  the server failed, or this program did\n"
      "  2  a wrong command line\n"
      "  3  the server cannot be reached\n"
      "  4  refused: the server says what is wrong with the request\n\n"
      "Environment:\n"
      "  HERALD_SERVER  ADDR:PORT of the server, where there is no --server\n"
      "  NO_COLOR       when set, no colours on a terminal");
}

CLI::App& CommandLine::Add(CLI::App& parent, const std::string& name,
                           const std::string& description, Run run) {
  CLI::App& command = *parent.add_subcommand(name, description);
  if (run == nullptr) {
    command.require_subcommand(0, 1);
  } else {
    runs_[&command] = std::move(run);
  }
  return command;
}

CLI::App& CommandLine::Selected() {
  CLI::App* command = &herald_;
  while (!command->get_subcommands().empty()) command = command->get_subcommands().back();
  return *command;
}

int CommandLine::Main(int argc, const char* const* argv, Environment& environment) {
  try {
    herald_.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    environment.console.out << herald_.help();  // of the selected command
    return kExitDone;
  } catch (const CLI::CallForVersion& version) {
    environment.console.out << version.what() << '\n';
    return kExitDone;
  } catch (const CLI::ParseError& error) {
    return UsageError(environment.console, Selected(), error.what());
  }
  const auto run = runs_.find(&Selected());
  if (run == runs_.end()) {
    environment.console.err << herald_.help();
    return kExitUsage;
  }
  return run->second(environment, Selected());
}

std::string FullName(const CLI::App& command) {
  const CLI::App* parent = command.get_parent();
  return parent == nullptr ? command.get_name() : FullName(*parent) + " " + command.get_name();
}

int UsageError(const Console& console, const CLI::App& command, const std::string& what) {
  const std::string name = FullName(command);
  console.err << name << ": " << SafeText(what) << "\nTry: " << name << " --help\n";
  return kExitUsage;
}

void AddCommands(CommandLine& command_line) {
  AddSendCommand(command_line);
  AddInboxCommand(command_line);
  AddMarkCommand(command_line);
  AddUsersCommand(command_line);
  AddStatusCommand(command_line);
  AddTopologyCommand(command_line);
  AddCompletionCommand(command_line);
}

}  // namespace app
