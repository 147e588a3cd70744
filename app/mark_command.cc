#include "app/mark_command.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "app/client.h"
#include "app/exit_code.h"

namespace app {
namespace {

struct MarkOptions {
  ClientOptions client;
  std::string user;
  std::string action;
  std::string id;
  std::optional<int64_t> up_to;
};

int Mark(Environment& environment, const CLI::App& command, const MarkOptions& options) {
  const bool whole = options.action == "read-all" || options.action == "seen-all";
  if (whole && !options.id.empty()) {
    return UsageError(environment.console, command, options.action + " takes no ID");
  }
  if (!whole && options.id.empty()) {
    return UsageError(environment.console, command,
                      options.action +
                          " needs the ID of a notification; herald inbox USER --ids "
                          "shows them");
  }
  if (!whole && options.up_to.has_value()) {
    return UsageError(environment.console, command, "--up-to goes with read-all and seen-all");
  }
  std::string target = "/v1/users/" + PercentEncode(options.user) + "/inbox/";
  std::string body;
  if (whole) {
    target += options.action;
    if (options.up_to.has_value()) body = Json{{"up_to", *options.up_to}}.dump();
  } else {
    target += PercentEncode(options.id);
    if (options.action != "delete") target += "/" + options.action;
  }
  Client client(environment, command, options.client);
  const Reply reply =
      client.Ask(options.action == "delete" ? "DELETE" : "POST", target, std::move(body));
  if (!reply.ok()) return client.Fail(reply);
  if (client.json()) {
    client.PrintJson(reply.response.body);
  } else {
    environment.console.out << "Inbox of " << SafeText(options.user) << ": "
                            << NumberOf(reply.json, "total") << " in all, "
                            << NumberOf(reply.json, "unread") << " unread, "
                            << NumberOf(reply.json, "unseen") << " unseen\n";
  }
  return kExitDone;
}

}  // namespace

void AddMarkCommand(CommandLine& command_line) {
  auto options = std::make_shared<MarkOptions>();
  CLI::App& command = command_line.Add(command_line.herald(), "mark",
                                       "Mark notifications as read, unread or seen, or delete them",
                                       [options](Environment& environment, const CLI::App& self) {
                                         return Mark(environment, self, *options);
                                       });
  command.add_option("user", options->user, "Id of the user")->required();
  command.add_option("action", options->action, "What to do")
      ->required()
      ->check(CLI::IsMember({"read", "unread", "seen", "delete", "read-all", "seen-all"}));
  command.add_option("id", options->id, "The notification; not with read-all and seen-all");
  command
      .add_option("--up-to", options->up_to,
                  "With read-all and seen-all: leave what came after this version of the inbox")
      ->check(CLI::NonNegativeNumber);
  AddClientOptions(command, options->client);
  command.footer(
      "Prints the counts as they are afterwards.\n\n"
      "Examples:\n"
      "  herald inbox 1 --ids\n"
      "  herald mark 1 read 9b0c5c3e1f20a7d4e8b6a1c2d3e4f506-1795237200000\n"
      "  herald mark 1 read-all");
}

}  // namespace app
