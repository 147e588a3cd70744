#include "app/status_command.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "app/client.h"
#include "app/exit_code.h"
#include "app/status_watch.h"

namespace app {
namespace {

/// Seconds between two looks of --watch.
constexpr double kIntervalMin = 0.2;
constexpr double kIntervalMax = 3600;

/// A number, or "?" while the server does not know it.
std::string NumberText(const Json& object, const char* field) {
  return PartOf(object, field).is_number() ? std::to_string(NumberOf(object, field)) : "?";
}

/// "running", "restoring, 1200 records left".
std::string StateText(const Json& task) {
  std::string text = TextOf(task, "state");
  int64_t left = 0;
  const Json& restoring = PartOf(task, "restore_remaining");
  if (restoring.is_object()) {
    for (const auto& [store, records] : restoring.items()) {
      if (records.is_number_integer()) left += records.get<int64_t>();
    }
  }
  return left == 0 ? text : text + ", " + std::to_string(left) + " records left";
}

/// "0-3, 7" of 0 1 2 3 7.
std::string RangesText(const Json& numbers) {
  std::vector<int64_t> sorted;
  for (const Json& number : numbers) {
    if (number.is_number_integer()) sorted.push_back(number.get<int64_t>());
  }
  std::sort(sorted.begin(), sorted.end());
  std::string text;
  for (size_t i = 0; i < sorted.size();) {
    size_t last = i;
    while (last + 1 < sorted.size() && sorted[last + 1] == sorted[last] + 1) ++last;
    text += (text.empty() ? "" : ", ") + std::to_string(sorted[i]);
    if (last > i) text += "-" + std::to_string(sorted[last]);
    i = last + 1;
  }
  return text;
}

void PrintInstance(const Console& console, const Json& status) {
  const Json& ready = PartOf(status, "ready");
  const bool is_ready = ready.is_boolean() && ready.get<bool>();
  const auto line = [&](const std::string& name, const std::string& value) {
    if (!value.empty()) console.out << Dim(console, name) << SafeText(value) << '\n';
  };
  line("instance   ", TextOf(status, "instance"));
  const std::string role = TextOf(status, "role");
  line("role       ", role == "all" ? "" : role);
  line("version    ", TextOf(status, "version"));
  line("brokers    ", TextOf(status, "brokers"));
  line("cluster    ", TextOf(status, "cluster"));
  line("guarantee  ", TextOf(status, "guarantee"));
  line("ready      ", is_ready ? "yes" : "no, waiting for " + TextOf(status, "waiting_for"));
}

void PrintTasks(const Console& console, const Json& tasks, const std::string& role) {
  Table table({"TASK", "THREAD", "STATE", "INPUT", "POSITION", "LAG"});
  for (const Json& task : tasks) {
    std::vector<std::string> cells = {TextOf(task, "id"), NumberText(task, "thread"),
                                      StateText(task)};
    bool first = true;
    for (const Json& input : PartOf(task, "inputs")) {
      if (!first) cells = {"", "", ""};
      first = false;
      cells.push_back(TextOf(input, "topic") + "/" + NumberText(input, "partition"));
      cells.push_back(NumberText(input, "position"));
      cells.push_back(NumberText(input, "lag"));
      table.Add(cells);
    }
    if (first) table.Add(cells);
  }
  console.out << '\n';
  if (role == "ingest") {
    console.out << "No tasks: this instance takes events in and hands everything else on.\n";
  } else if (table.empty()) {
    console.out << "No tasks: other instances have all partitions, or this one is starting.\n";
  } else {
    table.Print(console);
  }
}

void PrintInstances(const Console& console, const Json& instances) {
  Table table({"INSTANCE", "ADDRESS", "PARTITIONS"});
  for (const Json& instance : instances) {
    const Json& self = PartOf(instance, "self");
    const bool is_self = self.is_boolean() && self.get<bool>();
    std::string partitions;
    const Json& topics = PartOf(instance, "partitions");
    if (topics.is_object()) {
      for (const auto& [topic, numbers] : topics.items()) {
        partitions += (partitions.empty() ? "" : "; ") + topic + " " + RangesText(numbers);
      }
    }
    table.Add({TextOf(instance, "id") + (is_self ? " (this)" : ""), TextOf(instance, "address"),
               partitions});
  }
  if (table.empty()) return;
  console.out << '\n';
  table.Print(console);
}

struct StatusOptions {
  ClientOptions client;
  bool watch = false;
  double interval_s = 1;
};

/// From the upper left corner, over what stood there before.
void Redraw(const Console& console, const std::vector<std::string>& lines) {
  std::string screen = "\x1b[H";
  for (const std::string& line : lines) screen += line + "\x1b[K\n";
  console.out << screen << "\x1b[J" << std::flush;
}

int Watch(Environment& environment, Client& client, const StatusOptions& options) {
  environment.end_on_interrupt();
  const Console& console = environment.console;
  const bool redraws = console.terminal && !client.json();
  if (redraws) console.out << "\x1b[2J";
  const std::chrono::milliseconds interval(std::llround(options.interval_s * 1000));
  StatusWatch watch;
  do {
    const Reply reply = client.Ask("GET", "/v1/status");
    if (client.json()) {
      if (reply.ok()) {
        client.PrintJson(reply.response.body);
        console.out << std::flush;
      } else {
        client.Fail(reply);
      }
      continue;
    }
    if (reply.ok()) {
      // Not JSON, so this reply is never ok(); without metrics there are fewer figures.
      const Reply metrics = client.Ask("GET", "/metrics");
      watch.Add(MakeWatchSample(environment.clock.NowMs(), reply.json,
                                metrics.response.status == 200 ? metrics.response.body : ""));
    } else {
      WatchSample silence;
      silence.time_ms = environment.clock.NowMs();
      silence.unreachable = reply.error;
      watch.Add(std::move(silence));
    }
    if (redraws) {
      Redraw(console, watch.Screen(console, options.client.server));
    } else {
      console.out << watch.Line() << std::endl;
    }
  } while (environment.pause(interval));
  return kExitDone;
}

int Status(Environment& environment, const CLI::App& command, const StatusOptions& options) {
  Client client(environment, command, options.client);
  if (options.watch) return Watch(environment, client, options);
  const Reply reply = client.Ask("GET", "/v1/status");
  if (!reply.ok()) return client.Fail(reply);
  if (client.json()) {
    client.PrintJson(reply.response.body);
    return kExitDone;
  }
  PrintInstance(environment.console, reply.json);
  PrintTasks(environment.console, PartOf(reply.json, "tasks"),
             TextOf(reply.json, "role"));
  PrintInstances(environment.console, PartOf(reply.json, "instances"));
  return kExitDone;
}

}  // namespace

void AddStatusCommand(CommandLine& command_line) {
  auto options = std::make_shared<StatusOptions>();
  CLI::App& command =
      command_line.Add(command_line.herald(), "status", "Show what an instance is doing",
                       [options](Environment& environment, const CLI::App& self) {
                         return Status(environment, self, *options);
                       });
  AddClientOptions(command, options->client);
  auto* const watch =
      command.add_flag("--watch", options->watch, "Go on showing it, with charts, until Ctrl-C");
  command.add_option("--interval", options->interval_s, "Seconds between two looks of --watch")
      ->check(CLI::Range(kIntervalMin, kIntervalMax))
      ->capture_default_str()
      ->needs(watch);
  command.footer(
      "LAG is how many records wait to be read; ? is not known yet. With --watch a terminal is\n"
      "redrawn in place; elsewhere each look is a line, or the server's JSON with --json.\n\n"
      "Examples:\n"
      "  herald status\n"
      "  herald status --server 10.0.0.7:8080\n"
      "  herald status --watch --interval 2\n"
      "  herald status --json | jq .ready");
}

}  // namespace app
