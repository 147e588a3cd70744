#include "app/send_command.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "app/client.h"
#include "app/exit_code.h"
#include "app/line_reader.h"

namespace app {
namespace {

const std::string kEventsTarget = "/v1/events";
/// What the server takes in one request.
constexpr size_t kBatchEventsMax = 1000;
/// A request must fit what --embedded takes, 1 MiB; a single larger event goes alone.
constexpr size_t kBatchBytesMax = size_t{512} << 10;
/// How often a request is sent again that the server has no room for yet.
constexpr int kTriesMax = 60;

struct SendOptions {
  ClientOptions client;
  std::string file;
  std::string type;
  std::string actor;
  std::vector<std::string> targets;
  std::string object_type;
  std::string object_id;
  std::string object_title;
  std::string text;
  std::string id;
  std::string time;
  std::string undo_of;

  bool HasEventFlag() const {
    const auto given = {&type, &actor, &object_type, &object_id, &object_title,
                        &text, &id,    &time,        &undo_of};
    return !targets.empty() || std::any_of(given.begin(), given.end(),
                                           [](const std::string* flag) { return !flag->empty(); });
  }
};

Json MakeEvent(const SendOptions& options) {
  Json event;
  const auto add = [](Json& object, const char* name, const std::string& value) {
    if (!value.empty()) object[name] = value;
  };
  add(event, "id", options.id);
  add(event, "type", options.type);
  add(event, "actor", options.actor);
  if (options.targets.size() == 1) {
    event["target"] = options.targets.front();
  } else {
    event["targets"] = options.targets;
  }
  Json object = Json::object();
  add(object, "type", options.object_type);
  add(object, "id", options.object_id);
  add(object, "title", options.object_title);
  if (!object.empty()) event["object"] = std::move(object);
  add(event, "text", options.text);
  add(event, "undo_of", options.undo_of);
  const bool milliseconds = options.time.find_first_not_of("0123456789") == std::string::npos &&
                            !options.time.empty() && options.time.size() <= 15;
  if (milliseconds) {
    event["time"] = std::stoll(options.time);
  } else {
    add(event, "time", options.time);
  }
  return event;
}

/// POST; waits and tries again while the server has no room, in which case it took nothing.
Reply Post(Client& client, const std::string& body) {
  Reply reply = client.Ask("POST", kEventsTarget, body);
  for (int tries = 1; reply.response.status == 429 && tries < kTriesMax; ++tries) {
    if (!client.environment().pause(std::chrono::seconds(RetryAfterSeconds(reply)))) break;
    reply = client.Ask("POST", kEventsTarget, body);
  }
  return reply;
}

void PrintIds(const Client& client, const Json& json) {
  for (const Json& id : PartOf(json, "ids")) {
    if (id.is_string()) client.console().out << SafeText(id.get<std::string>()) << '\n';
  }
  client.console().out.flush();
}

int SendOne(Client& client, const SendOptions& options) {
  const Reply reply =
      Post(client, MakeEvent(options).dump(-1, ' ', false, Json::error_handler_t::replace));
  if (!reply.ok()) {
    const int exit_code = client.Fail(reply);
    // It may have arrived: under the same id a second one is folded into the first.
    for (const Json& id : PartOf(reply.json, "ids")) {
      if (id.is_string()) client.Complain("to send it again: --id " + id.get<std::string>());
    }
    return exit_code;
  }
  if (client.json()) {
    client.PrintJson(reply.response.body);
  } else {
    PrintIds(client, reply.json);
  }
  return kExitDone;
}

/// Sends the lines of a file, as many at once as there are and fit.
class FileSender {
 public:
  FileSender(Client& client, LineReader reader) : client_(client), reader_(std::move(reader)) {}

  int Run() {
    const int exit_code = SendAll();
    if (client_.json()) client_.PrintJson(Json{{"ids", ids_}}.dump());
    if (exit_code != kExitDone) {
      client_.Complain("events sent before that: " + std::to_string(sent_));
    }
    return exit_code;
  }

 private:
  int SendAll() {
    while (true) {
      auto line = reader_.Next();
      if (!line.ok()) {
        const int exit_code = SendBatch();
        if (exit_code != kExitDone) return exit_code;
        client_.Complain(line.status().message());
        return line.status().code() == base::StatusCode::kInvalidArgument ? kExitRefused
                                                                          : kExitFailure;
      }
      if (!line->has_value()) return SendBatch();
      // One line, one document: what closes the array early would shift the rest.
      if (!Json::accept(**line)) {
        const int exit_code = SendBatch();
        if (exit_code != kExitDone) return exit_code;
        client_.Complain("line " + std::to_string(reader_.line()) + " is not JSON");
        return kExitRefused;
      }
      if (!lines_.empty() && body_.size() + (*line)->size() > kBatchBytesMax) {
        const int exit_code = SendBatch();
        if (exit_code != kExitDone) return exit_code;
      }
      body_ += (lines_.empty() ? "[" : ",") + **line;
      lines_.push_back(reader_.line());
      if (lines_.size() == kBatchEventsMax || !reader_.Ready()) {
        const int exit_code = SendBatch();
        if (exit_code != kExitDone) return exit_code;
      }
    }
  }

  int SendBatch() {
    if (lines_.empty()) return kExitDone;
    body_ += ']';
    Reply reply = Post(client_, body_);
    if (!reply.ok()) {
      reply.error = Place(reply) + ": " + reply.error;
      // The document is that of all ids, at the end.
      client_.Complain(reply.error);
      return reply.exit_code;
    }
    if (client_.json()) {
      for (const Json& id : PartOf(reply.json, "ids")) ids_.push_back(id);
    } else {
      PrintIds(client_, reply.json);
    }
    sent_ += lines_.size();
    lines_.clear();
    body_.clear();
    return kExitDone;
  }

  std::string Place(const Reply& reply) const {
    if (PartOf(reply.json, "index").is_number_unsigned()) {
      const auto index = static_cast<size_t>(NumberOf(reply.json, "index"));
      if (index < lines_.size()) return "line " + std::to_string(lines_[index]);
    }
    return "lines " + std::to_string(lines_.front()) + " to " + std::to_string(lines_.back());
  }

  Client& client_;
  LineReader reader_;
  /// The request being put together, and the lines its events are from.
  std::string body_;
  std::vector<size_t> lines_;
  size_t sent_ = 0;
  Json ids_ = Json::array();
};

int Send(Environment& environment, const CLI::App& command, const SendOptions& options) {
  Client client(environment, command, options.client);
  if (!options.file.empty()) {
    if (options.HasEventFlag()) {
      return UsageError(environment.console, command,
                        "give either a file of events or one event's flags");
    }
    auto reader = LineReader::Open(options.file, environment.input);
    if (!reader.ok()) return UsageError(environment.console, command, reader.status().message());
    return FileSender(client, std::move(*reader)).Run();
  }
  if (options.type.empty() || options.actor.empty() || options.targets.empty()) {
    return UsageError(environment.console, command,
                      "an event needs --type, --actor and --target; many events come from a FILE, "
                      "or from standard input with -");
  }
  return SendOne(client, options);
}

}  // namespace

void AddSendCommand(CommandLine& command_line) {
  auto options = std::make_shared<SendOptions>();
  CLI::App& command =
      command_line.Add(command_line.herald(), "send", "Send an event, or a file of events",
                       [options](Environment& environment, const CLI::App& self) {
                         return Send(environment, self, *options);
                       });
  command.add_option("file", options->file,
                     "Events, one JSON document a line; - is standard input");
  command.add_option("--type", options->type,
                     "follow, like, mention, message, unfollow, unlike, unmention");
  command.add_option("--actor", options->actor, "Id of the user who did it");
  command.add_option("--target", options->targets, "Id of a user who is told; repeatable")
      ->allow_extra_args(false);
  command.add_option("--object-type", options->object_type, "What it is about, e.g. post, comment");
  command.add_option("--object-id", options->object_id, "Its id");
  command.add_option("--object-title", options->object_title, "Its title");
  command.add_option("--text", options->text, "What a mention or a message says");
  command.add_option("--id", options->id,
                     "The event's id (default: a new one); the same id again changes nothing");
  command.add_option("--time", options->time,
                     "When it was, ISO 8601 or milliseconds since 1970 (default: now)");
  command.add_option("--undo-of", options->undo_of,
                     "For unmention: the id of the mention that it takes back");
  AddClientOptions(command, options->client);
  command.footer(
      "Prints the id of each event once Kafka has it. Lines from standard input are sent as they\n"
      "come, up to 1,000 at once; the first that is refused ends it and is named.\n\n"
      "Examples:\n"
      "  herald send --type follow --actor 2 --target 1\n"
      "  herald send --type like --actor 4 --target 1 --object-type post --object-id p1 \\\n"
      "              --object-title \"My weekend getaway!\"\n"
      "  herald send --type message --actor 3 --target 1 --target 2 --text \"Lunch?\"\n"
      "  herald send examples/events.ndjson\n"
      "  tail -f events.log | herald send -");
}

}  // namespace app
