#include "app/reset_command.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "app/command_line.h"
#include "app/exit_code.h"
#include "pipeline/application_reset.h"
#include "pipeline/state_directory.h"
#include "stages/notification_topology.h"
#include "stages/topics.h"

namespace app {
namespace {

using pipeline::ApplicationReset;
using pipeline::ResetPlan;
using pipeline::ResetTo;
using std::chrono::milliseconds;

struct ResetCommandOptions {
  BrokerOptions kafka;
  std::string application_id;
  std::string topic = "notifications";
  std::string state_dir;
  bool to_earliest = false;
  bool to_latest = false;
  std::string to_datetime;
  bool dry_run = false;
  bool yes = false;
};

std::string Text(const std::optional<base::Offset>& offset) {
  return offset.has_value() ? std::to_string(offset->value) : "none";
}

/// One `herald reset`, from the flags to the exit code.
class ResetCommand {
 public:
  ResetCommand(Environment& environment, const CLI::App& command,
               const ResetCommandOptions& options, const MakeClients& make_clients)
      : console_(environment.console),
        input_(environment.input),
        command_(command),
        options_(options),
        make_clients_(make_clients) {}

  int Run();

 private:
  std::string CheckOptions();
  int Fail(const base::Status& status) const;
  base::Status OpenStateDirectory();
  base::Status CheckCluster(const std::string& cluster_id) const;
  void PrintPlan(const ResetPlan& plan) const;
  void PrintDone(const ResetPlan& plan, ApplicationReset::Step step) const;
  void PrintInputs(const ResetPlan& plan, const char* would) const;
  void PrintStateHint() const;

  const Console& console_;
  const int input_;
  const CLI::App& command_;
  const ResetCommandOptions& options_;
  const MakeClients& make_clients_;
  pipeline::ResetOptions reset_;
  std::vector<std::string> changelogs_;
  std::optional<pipeline::StateDirectory> directory_;
};

std::string ResetCommand::CheckOptions() {
  if (options_.application_id.empty()) return "--application-id must not be empty";
  reset_.application_id = options_.application_id;
  reset_.topic_prefix = options_.kafka.topic_prefix;
  reset_.request_timeout = milliseconds(options_.kafka.broker_timeout_ms);
  const int targets = static_cast<int>(options_.to_earliest) +
                      static_cast<int>(options_.to_latest) +
                      static_cast<int>(!options_.to_datetime.empty());
  if (targets > 1) return "give one of --to-earliest, --to-latest and --to-datetime";
  if (options_.to_earliest) reset_.to = ResetTo::kEarliest;
  if (options_.to_latest) reset_.to = ResetTo::kLatest;
  if (!options_.to_datetime.empty()) {
    const std::optional<int64_t> time = ParseTime(options_.to_datetime);
    if (!time.has_value()) {
      return "--to-datetime wants a time like 2026-11-21T05:00:00Z or milliseconds since 1970, "
             "not \"" +
             options_.to_datetime + "\"";
    }
    reset_.to = ResetTo::kTime;
    reset_.time_ms = *time;
  }
  if (!options_.dry_run && !options_.yes && isatty(input_) == 0) {
    return kNobodyToAsk;
  }
  return "";
}

int ResetCommand::Fail(const base::Status& status) const {
  console_.err << FullName(command_) << ": " << SafeText(status.message()) << '\n';
  return ExitCodeOf(status);
}

base::Status ResetCommand::OpenStateDirectory() {
  if (options_.state_dir.empty()) return base::Status::Ok();
  if (!pipeline::StateDirectory::IsThere(options_.state_dir)) {
    return base::Status::InvalidArgument("--state-dir " + options_.state_dir +
                                         " is no state directory of Herald");
  }
  auto directory = pipeline::StateDirectory::Open(options_.state_dir);
  // Whoever holds the lock is a running instance, as the members of the group are.
  if (!directory.ok()) return base::Status::InvalidArgument(directory.status().message());
  directory_.emplace(std::move(*directory));
  const std::vector<std::string> known = directory_->Changelogs();
  for (const std::string& changelog : known) {
    if (std::find(changelogs_.begin(), changelogs_.end(), changelog) != changelogs_.end()) continue;
    return base::Status::InvalidArgument(
        "--state-dir " + options_.state_dir + " has the rows of changelog " + changelog +
        ", which is not of application " + options_.application_id);
  }
  return base::Status::Ok();
}

base::Status ResetCommand::CheckCluster(const std::string& cluster_id) const {
  if (!directory_.has_value()) return base::Status::Ok();
  const std::string known = directory_->Get("cluster-id");
  if (known.empty() || known == cluster_id) return base::Status::Ok();
  return base::Status::InvalidArgument("--state-dir " + options_.state_dir +
                                       " belongs to cluster " + known +
                                       ", but the brokers are cluster " + cluster_id);
}

int ResetCommand::Run() {
  const std::string wrong = CheckOptions();
  if (!wrong.empty()) return UsageError(console_, command_, wrong);
  auto clients = ClientsOf(options_.kafka, make_clients_);
  if (!clients.ok()) return UsageError(console_, command_, clients.status().message());
  const pipeline::Topology topology = stages::BuildNotificationTopology(
      stages::Topics::WithPrefix(options_.kafka.topic_prefix, options_.topic),
      stages::InboxLimits());
  ApplicationReset reset((*clients)->admin(), topology, reset_);
  changelogs_ = reset.Changelogs();

  const base::Status opened = OpenStateDirectory();
  if (!opened.ok()) return Fail(opened);
  auto cluster = (*clients)->admin().ClusterId(reset_.request_timeout);
  if (!cluster.ok()) return Fail(cluster.status());
  const base::Status same_cluster = CheckCluster(*cluster);
  if (!same_cluster.ok()) return Fail(same_cluster);
  auto plan = reset.Plan();
  if (!plan.ok()) return Fail(plan.status());
  if (options_.dry_run) {
    PrintPlan(*plan);
    return kExitDone;
  }
  if (!options_.yes) {
    PrintPlan(*plan);
    if (!Confirmed(console_, input_)) {
      console_.err << "Nothing was changed.\n";
      return kExitRefused;
    }
    // Time has passed: an instance may have been started, records may have come.
    plan = reset.Plan();
    if (!plan.ok()) return Fail(plan.status());
  }
  bool begun = false;
  base::Status status = reset.CarryOut(*plan, [&](ApplicationReset::Step step) {
    begun = true;
    PrintDone(*plan, step);
  });
  if (status.ok() && directory_.has_value()) {
    const size_t tasks = directory_->Tasks().size();
    status = directory_->ForgetTasks();
    if (status.ok()) {
      console_.out << "deleted the rows of " << tasks << " tasks in "
                   << SafeText(options_.state_dir) << '\n';
    }
  }
  if (!status.ok()) {
    const int code = Fail(status);
    if (begun) {
      console_.err << "The reset is not complete: run the same command again before Herald is "
                      "started.\n";
    }
    return code;
  }
  PrintStateHint();
  return kExitDone;
}

void ResetCommand::PrintPlan(const ResetPlan& plan) const {
  console_.out << "would delete group " << SafeText(plan.group) << " with its positions\n";
  for (const std::string& topic : plan.topics) {
    console_.out << "would delete topic " << SafeText(topic) << '\n';
  }
  PrintInputs(plan, "would set ");
  if (directory_.has_value()) {
    console_.out << "would delete the rows of " << directory_->Tasks().size() << " tasks in "
                 << SafeText(options_.state_dir) << '\n';
  }
  PrintStateHint();
}

void ResetCommand::PrintDone(const ResetPlan& plan, ApplicationReset::Step step) const {
  switch (step) {
    case ApplicationReset::Step::kGroupDeleted:
      console_.out << "deleted group " << SafeText(plan.group) << " with its positions\n";
      break;
    case ApplicationReset::Step::kTopicsDeleted:
      for (const std::string& topic : plan.topics) {
        console_.out << "deleted topic " << SafeText(topic) << '\n';
      }
      break;
    case ApplicationReset::Step::kPositionsSet:
      PrintInputs(plan, "set ");
      break;
  }
  console_.out << std::flush;
}

void ResetCommand::PrintInputs(const ResetPlan& plan, const char* would) const {
  for (const ResetPlan::Input& input : plan.inputs) {
    if (!input.from.has_value() && !input.to.has_value()) continue;
    console_.out << would << SafeText(input.partition.ToString()) << ": " << Text(input.from)
                 << " -> " << Text(input.to) << '\n';
  }
}

void ResetCommand::PrintStateHint() const {
  if (directory_.has_value()) {
    console_.out << "Other instances' state directories are to be treated the same way.\n";
    return;
  }
  console_.out << "Each instance's state directory is to be removed as well, or reset with "
                  "--state-dir: Herald refuses rows of a changelog that was deleted.\n";
}

}  // namespace

void AddResetCommand(CommandLine& command_line, MakeClients make_clients) {
  auto options = std::make_shared<ResetCommandOptions>();
  CLI::App& command = command_line.Add(
      command_line.herald(), "reset",
      "Make an application start anew: delete its positions, its internal topics, its rows",
      [options, make_clients = std::move(make_clients)](Environment& environment,
                                                        const CLI::App& self) {
        return ResetCommand(environment, self, *options, make_clients).Run();
      });
  AddBrokerOptions(command, options->kafka);
  command.add_option("--application-id", options->application_id, "Which application")->required();
  command.add_option("--topic", options->topic, "Name of the notifications topic")
      ->capture_default_str();
  command.add_option("--state-dir", options->state_dir,
                     "Delete the rows of this instance, too; it must not run");
  command.add_flag("--to-earliest", options->to_earliest,
                   "Read the inputs from the earliest record there is now");
  command.add_flag("--to-latest", options->to_latest, "Read only what comes from now on");
  command.add_option("--to-datetime", options->to_datetime,
                     "Read from the first record of this time or later, e.g. 2026-11-21T05:00:00Z "
                     "or milliseconds since 1970; when there is none, as --to-latest");
  command.add_flag("--dry-run", options->dry_run, "Say what would be done and change nothing");
  command.add_flag("--yes", options->yes, "Do not ask");
  command.footer(
      "Stop all instances first: it is refused while the group has members.\n"
      "Without a --to flag the positions are deleted, so that the application starts at the\n"
      "earliest record of events, notifications and inbox-actions. Inboxes are rebuilt from what\n"
      "these topics still have, by default the last 7 days: older items do not come back.\n"
      "When it fails half-way, run it again before Herald is started.\n\n"
      "Examples:\n"
      "  herald reset --brokers localhost:9092 --application-id herald --dry-run\n"
      "  herald reset --brokers localhost:9092 --application-id herald \\\n"
      "    --state-dir /var/lib/herald --to-datetime 2026-11-21T05:00:00Z\n\n"
      "Exit codes: 0 done, 1 a failure, 2 a wrong command line, 3 no broker answers,\n"
      "4 refused (the group has members, the state directory is in use, or no was answered).");
}

}  // namespace app
