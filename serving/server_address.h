#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace serving {

/// Where a server is to be found, as a client is told of it.
struct ServerAddress {
  /// A name or an IP address; IPv6 without brackets.
  std::string host;
  std::string port;

  /// "127.0.0.1:8080", "[::1]:8080": as it stands in a Host header.
  std::string ToText() const;
};

/// Reads "ADDR:PORT" or "http://ADDR:PORT/", where ADDR is a name, an IPv4 address or an IPv6
/// address in brackets.
/// Errors: InvalidArgument that quotes `text` and says how it should look.
base::Result<ServerAddress> ParseServerAddress(std::string_view text);

}  // namespace serving
