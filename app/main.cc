#include <CLI/CLI.hpp>
#include <cstdio>

#include "app/run_command.h"
#include "app/run_options.h"
#include "base/metrics.h"

namespace {

constexpr int kExitUsage = 2;

}  // namespace

int main(int argc, char** argv) {
  CLI::App herald("Herald turns raw social events from Kafka into per-user notification inboxes.");
  herald.set_version_flag("--version", std::string(base::BuildVersion()));
  herald.require_subcommand(1);
  app::RunOptions options;
  CLI::App* run = herald.add_subcommand("run", "Run Herald: read events, keep inboxes, serve HTTP");
  app::AddRunOptions(*run, options);
  try {
    herald.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // Help and version come this way too, with code 0.
    return herald.exit(error) == 0 ? 0 : kExitUsage;
  }
  if (const std::string wrong = options.Finish(); !wrong.empty()) {
    std::fprintf(stderr, "herald run: %s\nTry: herald run --help\n", wrong.c_str());
    return kExitUsage;
  }
  return app::RunHerald(std::move(options));
}
