#include "app/users_command.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "app/client.h"
#include "app/exit_code.h"
#include "app/line_reader.h"

namespace app {
namespace {

/// Users that `load` has under way: each waits until the server has read it back.
constexpr size_t kAtOnce = 16;
/// Lines taken together; those of one id go one after the other.
constexpr size_t kChunkLines = 1024;

struct UsersOptions {
  ClientOptions client;
  std::string file;
  std::string id;
  std::optional<std::string> name;
  std::optional<std::string> handle;
  std::optional<std::string> avatar_url;
};

std::string UserTarget(const std::string& id) { return "/v1/users/" + PercentEncode(id); }

/// Shows a user, or whatever else came of a request about one.
int Show(const Client& client, const Reply& reply) {
  if (!reply.ok()) return client.Fail(reply);
  if (client.json()) {
    client.PrintJson(reply.response.body);
    return kExitDone;
  }
  Table table({"ID", "NAME", "HANDLE", "AVATAR"});
  table.Add({TextOf(reply.json, "id"), TextOf(reply.json, "name"), TextOf(reply.json, "handle"),
             TextOf(reply.json, "avatar_url")});
  table.Print(client.console());
  return kExitDone;
}

int Get(Environment& environment, const CLI::App& command, const UsersOptions& options) {
  Client client(environment, command, options.client);
  return Show(client, client.Ask("GET", UserTarget(options.id)));
}

int Put(Environment& environment, const CLI::App& command, const UsersOptions& options) {
  Client client(environment, command, options.client);
  Json user = Json::object();
  const auto add = [&user](const char* field, const std::optional<std::string>& value) {
    if (value.has_value()) user[field] = *value;
  };
  add("name", options.name);
  add("handle", options.handle);
  add("avatar_url", options.avatar_url);
  return Show(client, client.Ask("PUT", UserTarget(options.id),
                                 user.dump(-1, ' ', false, Json::error_handler_t::replace)));
}

int Delete(Environment& environment, const CLI::App& command, const UsersOptions& options) {
  Client client(environment, command, options.client);
  const Reply reply = client.Ask("DELETE", UserTarget(options.id));
  if (!reply.ok()) return client.Fail(reply);
  if (client.json()) {
    client.PrintJson("{}");
  } else {
    environment.console.out << "User " << SafeText(options.id) << " is erased.\n";
  }
  return kExitDone;
}

/// A line of the file, and what came of it.
struct Line {
  size_t number = 0;
  std::string id;
  std::string body;
  /// Nothing: it was not sent, since nobody answers.
  std::optional<Reply> reply;
};

/// The id of a user's JSON: text, or an integer as its decimal text; "" when there is none.
std::string IdOf(const Json& user) {
  const Json& id = PartOf(user, "id");
  return id.is_number_integer() ? id.dump() : TextOf(user, "id");
}

/// Puts each line of a file, some at once, and goes on behind those that are refused.
class UserLoader {
 public:
  UserLoader(Client& client, LineReader reader) : client_(client), reader_(std::move(reader)) {}

  int Run() {
    bool more = true;
    while (more && !Stopped()) {
      std::vector<Line> chunk;
      more = ReadChunk(chunk);
      PutAll(chunk);
      for (Line& line : chunk) Conclude(line);
    }
    if (client_.json()) {
      client_.PrintJson(Json{{"loaded", loaded_}, {"refused", refused_}}.dump());
    } else {
      client_.console().out << loaded_ << " users loaded";
      if (!refused_.empty()) client_.console().out << ", " << refused_.size() << " lines refused";
      client_.console().out << '\n';
    }
    return exit_code_;
  }

 private:
  /// No further line can do better.
  bool Stopped() const { return exit_code_ == kExitUnreachable || exit_code_ == kExitFailure; }

  /// False at the end of the file.
  bool ReadChunk(std::vector<Line>& chunk) {
    while (chunk.size() < kChunkLines) {
      auto text = reader_.Next();
      if (!text.ok()) {
        client_.Complain(text.status().message());
        exit_code_ = kExitFailure;
        return false;
      }
      if (!text->has_value()) return false;
      const Json user = Json::parse(**text, nullptr, /*allow_exceptions=*/false);
      Line line{reader_.line(), IdOf(user), std::move(**text), std::nullopt};
      if (user.is_discarded()) {
        Refuse(line.number, "not JSON", "");
      } else if (line.id.empty()) {
        Refuse(line.number, "there is no id", "id");
      } else {
        chunk.push_back(std::move(line));
      }
    }
    return true;
  }

  void PutAll(std::vector<Line>& chunk) {
    const size_t parts = std::min(kAtOnce, chunk.size());
    std::vector<std::jthread> threads;
    for (size_t part = 0; part < parts; ++part) {
      threads.emplace_back([this, part, parts, &chunk] {
        for (Line& line : chunk) {
          if (std::hash<std::string>()(line.id) % parts != part) continue;
          line.reply = client_.Ask("PUT", UserTarget(line.id), std::move(line.body));
          if (line.reply->exit_code == kExitUnreachable) return;
        }
      });
    }
  }

  void Conclude(const Line& line) {
    if (!line.reply.has_value()) return;
    const Reply& reply = *line.reply;
    if (reply.ok()) {
      ++loaded_;
    } else if (reply.exit_code == kExitRefused) {
      Refuse(line.number, reply.error, TextOf(reply.json, "field"));
    } else if (!Stopped()) {
      client_.Complain("line " + std::to_string(line.number) + ": " + reply.error);
      exit_code_ = reply.exit_code;
    }
  }

  void Refuse(size_t line, const std::string& why, const std::string& field) {
    client_.Complain("line " + std::to_string(line) + ": " + why);
    Json refused = {{"line", line}, {"detail", why}};
    if (!field.empty()) refused["field"] = field;
    refused_.push_back(std::move(refused));
    if (exit_code_ == kExitDone) exit_code_ = kExitRefused;
  }

  Client& client_;
  LineReader reader_;
  size_t loaded_ = 0;
  Json refused_ = Json::array();
  int exit_code_ = kExitDone;
};

int Load(Environment& environment, const CLI::App& command, const UsersOptions& options) {
  auto reader = LineReader::Open(options.file, environment.input);
  if (!reader.ok()) return UsageError(environment.console, command, reader.status().message());
  Client client(environment, command, options.client);
  return UserLoader(client, std::move(*reader)).Run();
}

using UsersFunction = int (*)(Environment&, const CLI::App&, const UsersOptions&);

/// Adds `herald users NAME`; returns it for its own options and footer.
CLI::App& AddUsersSubcommand(CommandLine& command_line, CLI::App& users, const std::string& name,
                             const std::string& description, UsersFunction function,
                             const std::shared_ptr<UsersOptions>& options) {
  CLI::App& command =
      command_line.Add(users, name, description,
                       [options, function](Environment& environment, const CLI::App& self) {
                         return function(environment, self, *options);
                       });
  AddClientOptions(command, options->client);
  return command;
}

}  // namespace

void AddUsersCommand(CommandLine& command_line) {
  auto options = std::make_shared<UsersOptions>();
  CLI::App& users = command_line.Add(command_line.herald(), "users",
                                     "Load, show, change or erase users: who acts and is told");
  users.footer(
      "Examples:\n"
      "  herald users load examples/users.ndjson\n"
      "  herald users get 1");

  CLI::App& load =
      AddUsersSubcommand(command_line, users, "load", "Load users from a file", Load, options);
  load.add_option("file", options->file, "Users, one JSON document a line; - is standard input")
      ->required();
  load.footer(
      "Names the lines that are refused and goes on; they make the exit code 4.\n\n"
      "Examples:\n"
      "  herald users load examples/users.ndjson\n"
      "  echo '{\"id\":\"5\",\"name\":\"Ada\"}' | herald users load -");

  CLI::App& get = AddUsersSubcommand(command_line, users, "get", "Show a user", Get, options);
  get.add_option("id", options->id, "Id of the user")->required();
  get.footer("Example:\n  herald users get 1");

  CLI::App& put =
      AddUsersSubcommand(command_line, users, "put", "Make or replace a user", Put, options);
  put.add_option("id", options->id, "Id of the user")->required();
  put.add_option("--name", options->name, "Shown in notifications");
  put.add_option("--handle", options->handle, "The name behind an @");
  put.add_option("--avatar-url", options->avatar_url, "Address of a picture");
  put.footer(
      "Replaces the whole user: what is not given is empty afterwards.\n\n"
      "Example:\n"
      "  herald users put 5 --name Ada --handle ada");

  CLI::App& erase =
      AddUsersSubcommand(command_line, users, "delete", "Erase a user", Delete, options);
  erase.add_option("id", options->id, "Id of the user")->required();
  erase.footer("Example:\n  herald users delete 5");
}

}  // namespace app
