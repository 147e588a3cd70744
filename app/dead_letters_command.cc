#include "app/dead_letters_command.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <chrono>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "app/command_line.h"
#include "app/exit_code.h"
#include "pipeline/dead_letter_topic.h"
#include "stages/iso_time.h"
#include "stages/topics.h"

namespace app {
namespace {

using pipeline::DeadLetter;
using pipeline::DeadLetterMark;
using pipeline::DeadLetterTopic;
using Json = nlohmann::ordered_json;

/// A page of `list`.
constexpr int64_t kListedDefault = 20;
constexpr int64_t kListedMax = 1000;
/// Letters that cannot be replayed which are named one by one.
constexpr size_t kNamedMax = 20;
/// Bytes of a key that a page shows.
constexpr size_t kKeyShownBytesMax = 64;
/// Letters that one command line may name.
constexpr int kLettersMax = 100;

struct DeadLettersOptions {
  BrokerOptions kafka;
  std::string notifications = "notifications";
  std::vector<std::string> letters;
  std::string reason;
  std::string stage;
  std::string topic;
  std::optional<int64_t> partition;
  std::optional<int64_t> offset;
  std::string since;
  std::string until;
  bool marked = false;
  bool all = false;
  int64_t limit = kListedDefault;
  bool json = false;
  bool raw = false;
  bool dry_run = false;
  bool yes = false;
};

enum class What { kList, kShow, kReplay, kDrop };

std::string TimeText(int64_t time_ms) {
  std::string text;
  if (time_ms < stages::kTimeMsMin || time_ms > stages::kTimeMsMax) return std::to_string(time_ms);
  stages::AppendIsoTime(text, time_ms);
  return text;
}

/// "3/17"; nullopt for anything else.
std::optional<std::pair<base::Partition, base::Offset>> ParseLetter(const std::string& text) {
  std::pair<base::Partition, base::Offset> letter;
  const char* const end = text.data() + text.size();
  const auto partition = std::from_chars(text.data(), end, letter.first.value);
  if (partition.ec != std::errc() || partition.ptr == end || *partition.ptr != '/') {
    return std::nullopt;
  }
  const auto offset = std::from_chars(partition.ptr + 1, end, letter.second.value);
  if (offset.ec != std::errc() || offset.ptr != end) return std::nullopt;
  if (letter.first.value < 0 || letter.second.value < 0) return std::nullopt;
  return letter;
}

std::string SourceText(const DeadLetter& letter) {
  if (!letter.original.has_value()) return letter.topic.empty() ? "?" : letter.topic;
  return letter.topic + "/" + std::to_string(letter.original->partition.value) + "@" +
         std::to_string(letter.original->offset.value);
}

/// What a page keeps of a letter, without its value.
Json Summary(const DeadLetter& letter, DeadLetterMark mark) {
  const auto number = [&](auto part) {
    return letter.original.has_value() ? Json(part(*letter.original)) : Json(nullptr);
  };
  using pipeline::RecordMetadata;
  return {
      {"letter", letter.Name()},
      {"refused", TimeText(letter.refused_ms)},
      {"reason", letter.reason},
      {"stage", letter.stage},
      {"topic", letter.topic},
      {"partition", number([](const RecordMetadata& place) { return place.partition.value; })},
      {"offset", number([](const RecordMetadata& place) { return place.offset.value; })},
      {"timestamp", number([](const RecordMetadata& place) { return place.timestamp_ms; })},
      {"bytes", letter.value.has_value() ? Json(letter.value->size()) : Json(nullptr)},
      {"truncated_from",
       letter.original_bytes.has_value() ? Json(*letter.original_bytes) : Json(nullptr)},
      {"handled", mark == DeadLetterMark::kNone
                      ? Json(nullptr)
                      : Json(std::string(pipeline::DeadLetterMarkName(mark)))},
  };
}

Json Text(const std::optional<std::string_view>& bytes) {
  return bytes.has_value() ? Json(std::string(*bytes)) : Json(nullptr);
}

/// One `herald dead-letters ...`, from the flags to the exit code.
class DeadLettersCommand {
 public:
  DeadLettersCommand(Environment& environment, const CLI::App& command,
                     const DeadLettersOptions& options, const MakeClients& make_clients,
                     const base::Clock& clock, const std::function<bool()>& interrupted)
      : console_(environment.console),
        input_(environment.input),
        command_(command),
        options_(options),
        make_clients_(make_clients),
        clock_(clock),
        interrupted_(interrupted) {}

  int Run(What what);

 private:
  /// Letters that are alike in this, for people to see before they decide.
  using Group = std::tuple<std::string, std::string, std::string>;
  struct Plan {
    std::map<Group, size_t> groups;
    size_t letters = 0;
    /// Name and why, up to kNamedMax of those that cannot be replayed.
    std::vector<std::pair<std::string, std::string>> refused;
    size_t refused_count = 0;
    /// Those that were named and are not there.
    std::vector<std::string> missing;
  };

  std::string CheckOptions(What what);
  std::string TakeTime(const std::string& text, const char* flag, std::optional<int64_t>& time);
  int Fail(const base::Status& status) const;
  int List();
  int Show();
  int Handle(What what);
  base::Status FindMissing(Plan& plan);
  base::Result<Plan> MakePlan(What what);
  void PrintPlan(What what, const Plan& plan) const;
  void PrintRefused(const Plan& plan) const;

  const Console& console_;
  const int input_;
  const CLI::App& command_;
  const DeadLettersOptions& options_;
  const MakeClients& make_clients_;
  const base::Clock& clock_;
  const std::function<bool()>& interrupted_;
  pipeline::DeadLetterFilter filter_;
  std::optional<DeadLetterTopic> topic_;
};

std::string DeadLettersCommand::TakeTime(const std::string& text, const char* flag,
                                         std::optional<int64_t>& time) {
  if (text.empty()) return "";
  time = ParseTime(text);
  if (time.has_value()) return "";
  return std::string(flag) +
         " wants a time like 2026-11-21T05:00:00Z or milliseconds since 1970, not \"" + text + "\"";
}

std::string DeadLettersCommand::CheckOptions(What what) {
  for (const std::string& text : options_.letters) {
    const auto letter = ParseLetter(text);
    if (!letter.has_value()) {
      return "a dead letter is named PARTITION/OFFSET, like 0/17 as list shows it, not \"" + text +
             "\"";
    }
    filter_.letters.push_back(*letter);
  }
  filter_.reason = options_.reason;
  filter_.stage = options_.stage;
  filter_.topic = options_.topic;
  if (options_.partition.has_value()) {
    filter_.partition = base::Partition{static_cast<int32_t>(*options_.partition)};
  }
  if (options_.offset.has_value()) filter_.offset = base::Offset{*options_.offset};
  filter_.marked = options_.marked || what == What::kShow;
  std::string wrong = TakeTime(options_.since, "--since", filter_.since_ms);
  if (wrong.empty()) wrong = TakeTime(options_.until, "--until", filter_.until_ms);
  if (!wrong.empty() || what == What::kList || what == What::kShow) return wrong;
  const bool chosen = !filter_.letters.empty() || !filter_.reason.empty() ||
                      !filter_.stage.empty() || !filter_.topic.empty() ||
                      filter_.partition.has_value() || filter_.offset.has_value() ||
                      filter_.since_ms.has_value() || filter_.until_ms.has_value();
  if (chosen == options_.all) {
    return chosen ? "--all goes with no other choice"
                  : "say which dead letters: by name, by a filter, or --all";
  }
  if (!options_.dry_run && !options_.yes && isatty(input_) == 0) return kNobodyToAsk;
  return "";
}

int DeadLettersCommand::Fail(const base::Status& status) const {
  console_.err << FullName(command_) << ": " << SafeText(status.message()) << '\n';
  return ExitCodeOf(status);
}

int DeadLettersCommand::Run(What what) {
  const std::string wrong = CheckOptions(what);
  if (!wrong.empty()) return UsageError(console_, command_, wrong);
  auto clients = ClientsOf(options_.kafka, make_clients_);
  if (!clients.ok()) return UsageError(console_, command_, clients.status().message());
  const stages::Topics topics =
      stages::Topics::WithPrefix(options_.kafka.topic_prefix, options_.notifications);
  topic_.emplace(**clients, clock_,
                 pipeline::DeadLetterTopicOptions{
                     .topic = topics.dead_letters,
                     .inputs = {topics.events, topics.notifications, topics.inbox_actions},
                     .keyed_inputs = {topics.notifications, topics.inbox_actions},
                     .request_timeout =
                         std::chrono::milliseconds(options_.kafka.broker_timeout_ms),
                     .interrupted = interrupted_});
  const base::Status opened = topic_->Open();
  if (!opened.ok()) return Fail(opened);
  const int code = what == What::kList   ? List()
                   : what == What::kShow ? Show()
                                         : Handle(what);
  topic_.reset();
  return code;
}

int DeadLettersCommand::List() {
  // The newest ones, by when they were refused; the page is all that is held at a time.
  std::map<std::tuple<int64_t, base::Partition, base::Offset>, Json> page;
  size_t total = 0;
  const base::Status status = topic_->Scan(
      filter_, [&](const DeadLetter& letter, const pipeline::Headers&, DeadLetterMark mark) {
        ++total;
        Json row = Summary(letter, mark);
        row["key"] = letter.key.has_value()
                         ? Text(letter.key->substr(0, kKeyShownBytesMax))
                         : Json(nullptr);
        row["source"] = SourceText(letter);
        page.emplace(std::tuple(letter.refused_ms, letter.partition, letter.offset),
                     std::move(row));
        if (page.size() > static_cast<size_t>(options_.limit)) page.erase(page.begin());
        return base::Status::Ok();
      });
  if (!status.ok()) return Fail(status);
  if (options_.json) {
    Json rows = Json::array();
    for (auto it = page.rbegin(); it != page.rend(); ++it) {
      it->second.erase("source");
      rows.push_back(std::move(it->second));
    }
    const Json document = {{"dead_letters", std::move(rows)}, {"total", total}};
    console_.out << SafeJson(document.dump(-1, ' ', false, Json::error_handler_t::replace)) << '\n';
    return kExitDone;
  }
  if (total == 0) {
    console_.out << "No dead letters"
                 << (filter_.marked ? "" : ", but for those that were replayed or dropped, if any")
                 << ".\n";
    return kExitDone;
  }
  Table table({"LETTER", "REFUSED", "STAGE", "SOURCE", "KEY", "BYTES", "REASON"});
  for (auto it = page.rbegin(); it != page.rend(); ++it) {
    const Json& row = it->second;
    const std::string bytes = row["bytes"].is_null() ? "null" : row["bytes"].dump();
    const std::string handled =
        row["handled"].is_null() ? "" : "[" + row["handled"].get<std::string>() + "] ";
    table.Add({row["letter"], row["refused"], row["stage"], row["source"],
               row["key"].is_null() ? "-" : row["key"].get<std::string>(),
               bytes + (row["truncated_from"].is_null() ? "" : " (cut)"),
               handled + row["reason"].get<std::string>()});
  }
  table.Print(console_);
  if (page.size() < total) {
    console_.out << "\nThe newest " << page.size() << " of " << total
                 << "; more with --limit, fewer with a filter.\n";
  }
  return kExitDone;
}

int DeadLettersCommand::Show() {
  bool found = false;
  const base::Status status = topic_->Scan(
      filter_, [&](const DeadLetter& letter, const pipeline::Headers& headers,
                   DeadLetterMark mark) {
        found = true;
        if (options_.raw) {
          console_.out << letter.value.value_or("");
          return base::Status::Ok();
        }
        const std::string refused = topic_->WhyNotReplayed(letter);
        if (options_.json) {
          Json document = Summary(letter, mark);
          document["cannot_be_replayed"] = refused.empty() ? Json(nullptr) : Json(refused);
          document["headers"] = Json::array();
          for (const auto& [name, value] : headers) {
            document["headers"].push_back(
                {{"name", name}, {"value", value.has_value() ? Json(*value) : Json(nullptr)}});
          }
          document["key"] = Text(letter.key);
          document["value"] = Text(letter.value);
          console_.out << SafeJson(document.dump(-1, ' ', false, Json::error_handler_t::replace))
                       << '\n';
          return base::Status::Ok();
        }
        const auto line = [&](const std::string& name, const std::string& value) {
          console_.out << Dim(console_, name) << SafeText(value) << '\n';
        };
        line("letter     ", letter.Name());
        line("refused    ", TimeText(letter.refused_ms));
        if (mark != DeadLetterMark::kNone) {
          line("handled    ", std::string(pipeline::DeadLetterMarkName(mark)));
        }
        if (!refused.empty()) line("no replay  ", refused);
        for (const auto& [name, value] : headers) {
          line("header     ", name + ": " + value.value_or("(null)"));
        }
        line("key        ", std::string(letter.key.value_or("(null)")));
        line("bytes      ",
             letter.value.has_value()
                 ? std::to_string(letter.value->size()) +
                       (letter.original_bytes.has_value()
                            ? " of " + std::to_string(*letter.original_bytes) + ", the rest is lost"
                            : "")
                 : "(null)");
        if (letter.value.has_value()) console_.out << '\n' << SafeText(*letter.value) << '\n';
        return base::Status::Ok();
      });
  if (!status.ok()) return Fail(status);
  if (found) return kExitDone;
  return Fail(base::Status::InvalidArgument("there is no dead letter " + options_.letters.front()));
}

base::Status DeadLettersCommand::FindMissing(Plan& plan) {
  if (filter_.letters.empty()) return base::Status::Ok();
  pipeline::DeadLetterFilter named;
  named.letters = filter_.letters;
  named.marked = true;
  std::set<std::pair<base::Partition, base::Offset>> there;
  RETURN_IF_ERROR(topic_->Scan(
      named, [&](const DeadLetter& letter, const pipeline::Headers&, DeadLetterMark) {
        there.emplace(letter.partition, letter.offset);
        return base::Status::Ok();
      }));
  for (const auto& [partition, offset] : filter_.letters) {
    if (there.contains({partition, offset})) continue;
    plan.missing.push_back(std::to_string(partition.value) + "/" + std::to_string(offset.value));
  }
  return base::Status::Ok();
}

base::Result<DeadLettersCommand::Plan> DeadLettersCommand::MakePlan(What what) {
  Plan plan;
  RETURN_IF_ERROR(FindMissing(plan));
  const base::Status status = topic_->Scan(
      filter_, [&](const DeadLetter& letter, const pipeline::Headers&, DeadLetterMark) {
        const std::string refused =
            what == What::kReplay ? topic_->WhyNotReplayed(letter) : std::string();
        if (refused.empty()) {
          ++plan.letters;
          ++plan.groups[{std::string(pipeline::ReasonCode(letter.reason)), letter.stage,
                         letter.topic}];
        } else {
          ++plan.refused_count;
          if (plan.refused.size() < kNamedMax) plan.refused.emplace_back(letter.Name(), refused);
        }
        return base::Status::Ok();
      });
  if (!status.ok()) return status;
  return plan;
}

void DeadLettersCommand::PrintPlan(What what, const Plan& plan) const {
  console_.out << "would " << (what == What::kReplay ? "replay " : "drop ") << plan.letters
               << " dead letters\n";
  if (plan.letters == 0) return;
  Table table({"COUNT", "REASON", "STAGE", "TOPIC"});
  for (const auto& [group, count] : plan.groups) {
    table.Add({std::to_string(count), std::get<0>(group), std::get<1>(group), std::get<2>(group)});
  }
  table.Print(console_);
}

void DeadLettersCommand::PrintRefused(const Plan& plan) const {
  for (const std::string& name : plan.missing) {
    console_.err << "there is no dead letter " << name << '\n';
  }
  for (const auto& [name, why] : plan.refused) {
    console_.err << name << " cannot be replayed: " << SafeText(why) << '\n';
  }
  if (plan.refused_count > plan.refused.size()) {
    console_.err << "and " << plan.refused_count - plan.refused.size() << " more\n";
  }
}

int DeadLettersCommand::Handle(What what) {
  auto plan = MakePlan(what);
  if (!plan.ok()) return Fail(plan.status());
  PrintRefused(*plan);
  const int code =
      plan->refused_count > 0 || !plan->missing.empty() ? kExitRefused : kExitDone;
  if (options_.dry_run) {
    PrintPlan(what, *plan);
    return code;
  }
  const char* const did = what == What::kReplay ? "replayed " : "dropped ";
  if (plan->letters == 0) {
    console_.out << did << "0 dead letters\n";
    return code;
  }
  if (!options_.yes) {
    PrintPlan(what, *plan);
    if (!Confirmed(console_, input_)) {
      console_.err << "Nothing was changed.\n";
      return kExitRefused;
    }
  }
  size_t done = 0;
  const auto count = [&](size_t letters) { done += letters; };
  const base::Status status = what == What::kReplay ? topic_->Replay(filter_, count)
                                                    : topic_->Drop(filter_, count);
  console_.out << did << done << " dead letters\n";
  if (status.ok()) return code;
  const int failed = Fail(status);
  console_.err << "Each is handled once: the same command goes on where this one stopped.\n";
  return failed;
}

void AddFilters(CLI::App& command, DeadLettersOptions& options) {
  command.add_option("--reason", options.reason, "The reason's code, e.g. not-json");
  command.add_option("--stage", options.stage, "The stage that refused it, e.g. decode-event");
  command.add_option("--topic", options.topic, "The topic that it came from, by its full name");
  command.add_option("--partition", options.partition, "The partition that it came from")
      ->check(CLI::Range(int64_t{0}, int64_t{INT32_MAX}));
  command.add_option("--offset", options.offset, "The offset that it had there")
      ->check(CLI::Range(int64_t{0}, INT64_MAX));
  command.add_option("--since", options.since,
                     "Refused at this time or later, e.g. 2026-11-21T05:00:00Z or milliseconds "
                     "since 1970");
  command.add_option("--until", options.until, "Refused before this time");
}

void AddChoice(CLI::App& command, DeadLettersOptions& options) {
  command.add_option("letters", options.letters, "Which, as list names them: PARTITION/OFFSET")
      ->expected(0, kLettersMax);
  command.add_flag("--all", options.all, "All that were neither replayed nor dropped");
  command.add_flag("--dry-run", options.dry_run, "Say what would be done and change nothing");
  command.add_flag("--yes", options.yes, "Do not ask");
}

constexpr char kExitCodes[] =
    "\n\nExit codes: 0 done, 1 a failure, 2 a wrong command line, 3 no broker answers,\n"
    "4 refused (no such letter, one that cannot be replayed, or no was answered).";

}  // namespace

void AddDeadLettersCommand(CommandLine& command_line, const MakeClients& make_clients,
                           const base::Clock& clock, const std::function<bool()>& interrupted) {
  CLI::App& parent =
      command_line.Add(command_line.herald(), "dead-letters",
                       "Show records that were refused; replay them or put them aside");
  parent.footer(
      "Examples:\n"
      "  herald dead-letters list --brokers localhost:9092\n"
      "  herald dead-letters replay --brokers localhost:9092 --reason unknown-type --dry-run");
  const auto add = [&](const char* name, const char* description, What what,
                       const std::function<void(CLI::App&, DeadLettersOptions&)>& more,
                       const std::string& footer) {
    auto options = std::make_shared<DeadLettersOptions>();
    CLI::App& command = command_line.Add(
        parent, name, description,
        [options, make_clients, &clock, interrupted, what](Environment& environment,
                                                           const CLI::App& self) {
          return DeadLettersCommand(environment, self, *options, make_clients, clock, interrupted)
              .Run(what);
        });
    AddBrokerOptions(command, options->kafka);
    command
        .add_option("--notifications-topic", options->notifications,
                    "Name of the notifications topic: what herald run has as --topic")
        ->capture_default_str();
    more(command, *options);
    command.footer(footer + kExitCodes);
  };
  add(
      "list", "List dead letters, newest first", What::kList,
      [](CLI::App& command, DeadLettersOptions& options) {
        AddFilters(command, options);
        command.add_option("--limit", options.limit, "How many at most")
            ->check(CLI::Range(int64_t{1}, kListedMax))
            ->capture_default_str();
        command.add_flag("--handled", options.marked, "Also those that were replayed or dropped");
        command.add_flag("--json", options.json, "One JSON document");
      },
      "SOURCE is the record that was refused: TOPIC/PARTITION@OFFSET. BYTES (cut) has only the\n"
      "first 512 KiB of it.\n\n"
      "Examples:\n"
      "  herald dead-letters list --brokers localhost:9092\n"
      "  herald dead-letters list --brokers localhost:9092 --stage decode-event --json");
  add(
      "show", "Show one dead letter whole", What::kShow,
      [](CLI::App& command, DeadLettersOptions& options) {
        command.add_option("letter", options.letters, "Which, as list names it: PARTITION/OFFSET")
            ->required()
            ->expected(1);
        auto* const json = command.add_flag("--json", options.json, "One JSON document");
        command.add_flag("--raw", options.raw, "Nothing but the value, byte for byte")
            ->excludes(json);
      },
      "Bytes that are no text are shown as \\x1b, and as U+FFFD with --json.\n\n"
      "Examples:\n"
      "  herald dead-letters show --brokers localhost:9092 0/17\n"
      "  herald dead-letters show --brokers localhost:9092 0/17 --raw > event.json");
  add(
      "replay", "Write refused records to their topics again", What::kReplay,
      [](CLI::App& command, DeadLettersOptions& options) {
        AddFilters(command, options);
        AddChoice(command, options);
      },
      "A replayed record has the bytes that it had, and counts as the event that it was: with\n"
      "its own id and time, or those that it would have had. Each is replayed once, whatever\n"
      "becomes of this command. If it is refused again it is a new dead letter.\n\n"
      "Examples:\n"
      "  herald dead-letters replay --brokers localhost:9092 0/17\n"
      "  herald dead-letters replay --brokers localhost:9092 --reason unknown-type --dry-run");
  add(
      "drop", "Put dead letters aside that nobody needs any more", What::kDrop,
      [](CLI::App& command, DeadLettersOptions& options) {
        AddFilters(command, options);
        AddChoice(command, options);
      },
      "They are marked: list and replay leave them out. The records go when their time is over.\n\n"
      "Examples:\n"
      "  herald dead-letters drop --brokers localhost:9092 0/17 0/18\n"
      "  herald dead-letters drop --brokers localhost:9092 --until 2026-11-21T05:00:00Z --yes");
}

}  // namespace app
