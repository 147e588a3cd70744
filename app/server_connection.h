#pragma once

#include <string>

#include "base/status.h"
#include "serving/http_message.h"

namespace app {

/// The way from a command to a running Herald.
class ServerConnection {
 public:
  virtual ~ServerConnection() = default;

  /// Sends a request and waits for the answer. Errors as serving::Call(). Threads: any.
  virtual base::Result<serving::Response> Call(const serving::Request& request) = 0;
};

/// Speaks HTTP.
class HttpServerConnection : public ServerConnection {
 public:
  explicit HttpServerConnection(std::string server) : server_(std::move(server)) {}

  base::Result<serving::Response> Call(const serving::Request& request) override;

 private:
  const std::string server_;
};

}  // namespace app
