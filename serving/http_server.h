#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "serving/http_message.h"
#include "serving/timers.h"

namespace base {
class Metrics;
}

namespace serving {

/// What one client, and all clients together, may take of the server.
struct HttpLimits {
  /// Of request line and headers; more: 431.
  size_t header_bytes_max = size_t{16} << 10;
  /// Of one request's body; more: 413.
  size_t body_bytes_max = size_t{8} << 20;
  /// Of all bodies that are being read or handled; more: 503.
  size_t all_body_bytes_max = size_t{256} << 20;
  /// Of all answers that are being written; one that does not fit is replaced by a 503.
  size_t all_answer_bytes_max = size_t{512} << 20;
  /// Open connections; one more is answered 503 and closed.
  size_t connections_max = 10'000;
  /// How long a connection may lie idle between two requests.
  std::chrono::milliseconds idle_timeout{75'000};
  /// From a request's first byte (of a new connection: from the accept) to the end of its header.
  std::chrono::milliseconds header_timeout{10'000};
  std::chrono::milliseconds body_timeout{30'000};
  /// How long a handler may take to respond; then 503.
  std::chrono::milliseconds handler_timeout{30'000};
  std::chrono::milliseconds write_timeout{60'000};
};

/// An HTTP/1.1 server: listens, reads requests within limits, hands them to one Handler, writes
/// what it responds. Keep-alive and pipelined requests are answered in order, one at a time.
///
/// Lifecycle: Start() once, then Stop() once; the destructor stops at once.
/// Threads: Start() and Stop() from one thread. Connections are spread over `threads` threads and
/// stay on theirs.
class HttpServer {
 public:
  struct Options {
    /// "127.0.0.1:8080", "[::1]:8080", "localhost:8080"; port 0 takes a free one.
    std::vector<std::string> listen;
    int threads = 2;
    HttpLimits limits;
    /// Borrowed, outlives the server; nullptr: counts nowhere.
    base::Metrics* metrics = nullptr;
    const base::Clock* clock = &base::SystemClock::Instance();
  };

  explicit HttpServer(Options options);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// Listens on all addresses or on none; returns them as bound, in the order given.
  /// Errors: InvalidArgument for an address that cannot be read, Fatal for one that cannot be
  /// listened on (in use, not of this machine); the message names it.
  base::Result<std::vector<std::string>> Start(Handler handler);

  /// Stops accepting, closes idle connections, gives requests that are being read or handled until
  /// `deadline` from now, then closes theirs. Afterwards no handler runs and no timer fires.
  void Stop(std::chrono::milliseconds deadline);

  /// Valid before Start(), and after the server is gone (then it does nothing).
  std::shared_ptr<Timers> timers() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace serving
