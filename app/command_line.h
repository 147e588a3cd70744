#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "app/console.h"
#include "app/server_connection.h"
#include "base/clock.h"

namespace app {

/// What a command has of the world; tests have their own.
struct Environment {
  Console console;
  /// Standard input.
  int input = 0;
  /// A way to the server at this address.
  std::function<std::unique_ptr<ServerConnection>(const std::string& server)> connect;
  /// Waits; false: the command should end.
  std::function<bool(std::chrono::milliseconds)> pause;
  /// Called by a command that runs until Ctrl-C: from now on that is its proper end.
  std::function<void()> end_on_interrupt;
  /// For commands that show times.
  const base::Clock& clock = base::SystemClock::Instance();
};

/// The tree of `herald`'s commands, and what each of them does.
///
/// Threads: main.
class CommandLine {
 public:
  /// Does what `command` is for; returns an ExitCode.
  using Run = std::function<int(Environment& environment, const CLI::App& command)>;

  /// The bare tree: `herald` with --help and --version.
  explicit CommandLine(const std::string& version);

  CLI::App& herald() { return herald_; }

  /// Adds `parent name`. Without `run` it only holds further commands. Options are added to the
  /// result; what they are bound to lives as long as `run`.
  CLI::App& Add(CLI::App& parent, const std::string& name, const std::string& description,
                Run run = nullptr);

  /// Parses, runs the command that was named and returns its ExitCode.
  int Main(int argc, const char* const* argv, Environment& environment);

 private:
  CLI::App& Selected();

  CLI::App herald_;
  std::map<const CLI::App*, Run> runs_;
};

/// "herald users load": the command as it is typed.
std::string FullName(const CLI::App& command);

/// Says on `console.err` what is wrong with the command line; returns kExitUsage.
int UsageError(const Console& console, const CLI::App& command, const std::string& what);

/// All commands but `run`: those that talk to a server, topology and completion.
void AddCommands(CommandLine& command_line);

}  // namespace app
