#include "app/client.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "app/exit_code.h"
#include "serving/problem.h"
#include "serving/server_address.h"

namespace app {
namespace {

constexpr int64_t kRetryAfterSecondsMax = 60;

/// "target is missing. (field target)"
std::string ProblemText(const Reply& reply) {
  std::string text = SafeText(TextOf(reply.json, "detail"));
  if (text.empty()) {
    text = "the server answers " + std::to_string(reply.response.status) + " " +
           std::string(serving::ReasonPhrase(reply.response.status));
  }
  const std::string field = TextOf(reply.json, "field");
  return field.empty() ? text : text + " (field " + SafeText(field) + ")";
}

void ReadUnreachable(const base::Status& status, Reply& reply) {
  reply.error = status.message();
  switch (status.code()) {
    case base::StatusCode::kInvalidArgument:
      reply.exit_code = kExitUsage;
      return;
    case base::StatusCode::kUnavailable:
      reply.exit_code = kExitUnreachable;
      reply.error +=
          "\nIs Herald running? Start it with: herald run --embedded\nIf it is elsewhere: "
          "--server ADDR:PORT";
      return;
    default:
      reply.exit_code = kExitFailure;
      reply.error += "\nIs that Herald? If it is elsewhere: --server ADDR:PORT";
  }
}

void ReadAnswer(Reply& reply) {
  const int status = reply.response.status;
  Json json = Json::parse(reply.response.body, nullptr, /*allow_exceptions=*/false);
  const bool is_json = !json.is_discarded();
  if (is_json) reply.json = std::move(json);
  if (status == 204) return;
  if (status >= 200 && status < 300) {
    if (is_json) return;
    reply.exit_code = kExitFailure;
    reply.error =
        "the server's answer is not JSON\nIs that Herald? If it is elsewhere: --server "
        "ADDR:PORT";
    return;
  }
  reply.exit_code = status >= 400 && status < 500 ? kExitRefused : kExitFailure;
  reply.error = ProblemText(reply);
  if (reply.temporary()) {
    reply.error += "\nTry again in " + std::to_string(RetryAfterSeconds(reply)) + " s.";
  }
}

}  // namespace

void AddClientOptions(CLI::App& command, ClientOptions& options) {
  command.add_option("--server", options.server, "Herald's address, ADDR:PORT or http://ADDR:PORT")
      ->envname("HERALD_SERVER")
      ->capture_default_str()
      ->check([](const std::string& server) {
        const auto address = serving::ParseServerAddress(server);
        return address.ok() ? std::string() : address.status().message();
      });
  command.add_flag("--json", options.json, "For programs: print the server's JSON");
}

bool Reply::temporary() const {
  return exit_code == kExitUnreachable || response.status == 429 || response.status == 503;
}

Client::Client(Environment& environment, const CLI::App& command, const ClientOptions& options)
    : environment_(environment),
      command_(command),
      options_(options),
      connection_(environment.connect(options.server)) {}

Reply Client::Ask(std::string_view method, const std::string& target, std::string body) {
  serving::Request request;
  request.method = std::string(method);
  request.target = target;
  request.headers = {{"Accept", "application/json"}, {"User-Agent", "herald"}};
  if (!body.empty()) request.headers.emplace_back("Content-Type", "application/json");
  request.body = std::move(body);
  Reply reply;
  auto response = connection_->Call(request);
  if (response.ok()) {
    reply.response = std::move(*response);
    ReadAnswer(reply);
  } else {
    reply.response.status = 0;
    ReadUnreachable(response.status(), reply);
  }
  return reply;
}

int Client::Fail(const Reply& reply) const {
  if (json() && !reply.json.is_null()) PrintJson(reply.response.body);
  Complain(reply.error);
  return reply.exit_code;
}

void Client::Complain(const std::string& what) const {
  console().err << FullName(command_) << ": ";
  // The line ends that separate our own sentences stay.
  for (size_t begin = 0; begin <= what.size();) {
    const size_t end = std::min(what.find('\n', begin), what.size());
    console().err << SafeText(std::string_view(what).substr(begin, end - begin)) << '\n';
    begin = end + 1;
  }
  console().err.flush();
}

void Client::PrintJson(const std::string& document) const {
  console().out << (console().terminal ? SafeJson(document) : document);
  if (!document.ends_with('\n')) console().out << '\n';
  console().out.flush();
}

std::string PercentEncode(std::string_view text) {
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const bool unreserved = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                            (c >= 'A' && c <= 'Z') ||
                            std::string_view("-._~").find(c) != std::string_view::npos;
    if (unreserved) {
      encoded += c;
    } else {
      const auto byte = static_cast<uint8_t>(c);
      encoded += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return encoded;
}

const Json& PartOf(const Json& object, const char* field) {
  static const Json kNull;
  if (!object.is_object()) return kNull;
  const auto part = object.find(field);
  return part == object.end() ? kNull : *part;
}

std::string TextOf(const Json& object, const char* field) {
  const Json& part = PartOf(object, field);
  return part.is_string() ? part.get<std::string>() : std::string();
}

int64_t NumberOf(const Json& object, const char* field) {
  const Json& part = PartOf(object, field);
  return part.is_number_integer() ? part.get<int64_t>() : 0;
}

int64_t RetryAfterSeconds(const Reply& reply) {
  int64_t seconds = 1;
  for (const auto& [name, value] : reply.response.headers) {
    if (name == "Retry-After") {
      std::from_chars(value.data(), value.data() + value.size(), seconds);
    }
  }
  return std::clamp<int64_t>(seconds, 1, kRetryAfterSecondsMax);
}

}  // namespace app
