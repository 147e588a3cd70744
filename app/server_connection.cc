#include "app/server_connection.h"

#include <chrono>

#include "serving/http_client.h"

namespace app {
namespace {

/// Longer than the server lets any of its handlers take.
constexpr std::chrono::milliseconds kCallTimeout{35'000};

}  // namespace

base::Result<serving::Response> HttpServerConnection::Call(const serving::Request& request) {
  return serving::Call(server_, request, kCallTimeout);
}

}  // namespace app
