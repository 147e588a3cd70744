#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "app/command_line.h"

namespace app {

using Json = nlohmann::ordered_json;

/// The options of every command that talks to a server.
struct ClientOptions {
  std::string server = "127.0.0.1:8080";
  bool json = false;
};

/// Adds --server and --json; `options` outlives `command`.
void AddClientOptions(CLI::App& command, ClientOptions& options);

/// What came of a request.
struct Reply {
  /// kExitDone for 2xx, else how a command ends that cannot do without.
  int exit_code = 0;
  serving::Response response;
  /// The body; null when there is none or it is not JSON.
  Json json;
  /// What is wrong and what to do, for people; empty with 2xx.
  std::string error;

  bool ok() const { return exit_code == 0; }
  /// The same request can succeed later, without a change.
  bool temporary() const;
};

/// One command's talk with its server.
class Client {
 public:
  /// `command` names itself in error messages. All of it outlives the client.
  Client(Environment& environment, const CLI::App& command, const ClientOptions& options);

  /// Threads: any.
  Reply Ask(std::string_view method, const std::string& target, std::string body = {});

  /// Tells the user about a reply that is not ok(); returns its exit code.
  int Fail(const Reply& reply) const;
  /// One line on standard error that begins with the command's name.
  void Complain(const std::string& what) const;

  /// For programs: one document, with a line end behind it.
  void PrintJson(const std::string& document) const;

  bool json() const { return options_.json; }
  const Console& console() const { return environment_.console; }
  Environment& environment() const { return environment_; }

 private:
  Environment& environment_;
  const CLI::App& command_;
  const ClientOptions& options_;
  const std::unique_ptr<ServerConnection> connection_;
};

/// Any text as one segment of a path or one value of a query.
std::string PercentEncode(std::string_view text);

/// What a server says, taken as it comes: a field that is not there or of another type is "" or 0.
std::string TextOf(const Json& object, const char* field);
int64_t NumberOf(const Json& object, const char* field);
/// A field that holds an object or an array; null when there is none.
const Json& PartOf(const Json& object, const char* field);

/// Retry-After in seconds; 1 when the reply does not say.
int64_t RetryAfterSeconds(const Reply& reply);

}  // namespace app
