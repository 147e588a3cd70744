#include <malloc.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "app/command_line.h"
#include "app/configuration.h"
#include "app/dead_letters_command.h"
#include "app/exit_code.h"
#include "app/reset_command.h"
#include "app/run_command.h"
#include "app/run_options.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "pipeline/librdkafka_client.h"

namespace {

/// no-color.org: set and not empty.
bool WantsNoColours() {
  const char* const no_color = std::getenv("NO_COLOR");
  return no_color != nullptr && *no_color != '\0';
}

/// The environment's part that may be meant for us.
app::Variables HeraldVariables() {
  constexpr std::string_view kPrefix = "HERALD_";
  app::Variables variables;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const size_t equals = text.find('=');
    if (equals == std::string_view::npos || !text.starts_with(kPrefix)) continue;
    variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return variables;
}

void AddRunCommand(app::CommandLine& command_line) {
  auto options = std::make_shared<app::RunOptions>();
  auto configuration = std::make_shared<app::Configuration>();
  CLI::App& command = command_line.Add(
      command_line.herald(), "run", "Run Herald: read events, keep inboxes, serve HTTP",
      [options, configuration](app::Environment& environment, const CLI::App& self) -> int {
        const base::Status resolved = configuration->Resolve(self, HeraldVariables(), *options);
        if (!resolved.ok()) {
          return app::UsageError(environment.console, self, resolved.message());
        }
        if (configuration->print()) {
          configuration->Print(environment.console.out, *options);
          for (const std::string& warning : options->warnings) {
            environment.console.err << "herald run: " << app::SafeText(warning) << '\n';
          }
          return app::kExitDone;
        }
        return app::RunHerald(std::move(*options));
      });
  configuration->AddFlags(command, *options);
}

volatile std::sig_atomic_t interrupted = 0;

/// The second one ends the process.
void NoteInterrupt(int signal_number) {
  interrupted = 1;
  std::signal(signal_number, SIG_DFL);
}

/// Whether SIGINT or SIGTERM came, which from the first call on end nothing by themselves.
bool Interrupted() {
  static const bool noted = [] {
    std::signal(SIGINT, NoteInterrupt);
    std::signal(SIGTERM, NoteInterrupt);
    return true;
  }();
  return noted && interrupted != 0;
}

// What one thread frees another has often taken: with an arena for each, memory lies idle in all of
// them, a sixth of all there is under load.
constexpr int kMallocArenasMax = 4;

}  // namespace

int main(int argc, char** argv) {
  mallopt(M_ARENA_MAX, kMallocArenasMax);
  const bool terminal = isatty(STDOUT_FILENO) != 0;
  app::Environment environment{
      .console = {std::cout, std::cerr, terminal, terminal && !WantsNoColours()},
      .input = STDIN_FILENO,
      .connect = [](const std::string& server) -> std::unique_ptr<app::ServerConnection> {
        return std::make_unique<app::HttpServerConnection>(server);
      },
      .pause =
          [](std::chrono::milliseconds time) {
            base::SystemClock::Instance().Pause(time);
            return true;
          },
      .end_on_interrupt =
          [] {
            std::signal(SIGINT, [](int) { _exit(0); });
            std::signal(SIGTERM, [](int) { _exit(0); });
          }};
  app::CommandLine command_line((std::string(base::BuildVersion())));
  AddRunCommand(command_line);
  app::AddCommands(command_line);
  const app::MakeClients make_clients = [](const std::string& brokers,
                                           const std::map<std::string, std::string>& properties) {
    pipeline::LibrdkafkaOptions options;
    options.brokers = brokers;
    options.properties = properties;
    return pipeline::NewLibrdkafkaClients(options);
  };
  app::AddResetCommand(command_line, make_clients);
  app::AddDeadLettersCommand(command_line, make_clients, base::SystemClock::Instance(),
                             Interrupted);
  return command_line.Main(argc, argv, environment);
}
