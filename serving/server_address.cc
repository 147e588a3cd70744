#include "serving/server_address.h"

#include <charconv>
#include <cstdint>

namespace serving {
namespace {

constexpr std::string_view kScheme = "http://";

bool IsHostCharacter(char c) {
  // ':' and '%' occur in IPv6 addresses only, "fe80::1%eth0".
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view(".-_:%").find(c) != std::string_view::npos;
}

}  // namespace

std::string ServerAddress::ToText() const {
  return (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + port;
}

base::Result<ServerAddress> ParseServerAddress(std::string_view text) {
  const auto wrong = [text](std::string_view why) {
    return base::Status::InvalidArgument("\"" + std::string(text) +
                                         "\" is no address of a server: " + std::string(why) +
                                         "; it is written like 127.0.0.1:8080, [::1]:8080 or "
                                         "http://localhost:8080");
  };
  std::string_view rest = text;
  if (rest.starts_with("https://")) return wrong("Herald speaks http, without TLS");
  if (rest.starts_with(kScheme)) {
    rest.remove_prefix(kScheme.size());
    if (rest.ends_with('/')) rest.remove_suffix(1);
  }
  const size_t colon = rest.rfind(':');
  if (colon == std::string_view::npos || rest.ends_with(']')) return wrong("there is no port");
  uint16_t port = 0;
  const std::string_view digits = rest.substr(colon + 1);
  const char* const end = digits.data() + digits.size();
  const auto [parsed, problem] = std::from_chars(digits.data(), end, port);
  if (problem != std::errc() || parsed != end || port == 0) {
    return wrong("the port is not a number from 1 to 65535");
  }
  std::string_view host = rest.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return wrong("an IPv6 address stands in brackets");
  }
  if (host.empty()) return wrong("there is no host");
  for (const char c : host) {
    if (!IsHostCharacter(c)) return wrong("that is not a host");
  }
  return ServerAddress{std::string(host), std::to_string(port)};
}

}  // namespace serving
