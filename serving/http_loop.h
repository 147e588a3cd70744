#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <list>
#include <string>

#include "base/clock.h"
#include "base/mutex.h"
#include "serving/http_message.h"
#include "serving/http_metrics.h"
#include "serving/http_server.h"
#include "serving/pending_reply.h"

// Of the HTTP server's own files; nobody else includes this.
namespace serving {

template <typename T>
using LoopAwaitable = boost::asio::awaitable<T, LoopExecutor>;
using LoopSocket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, LoopExecutor>;

/// What all connections of a server share. Threads: any.
struct ServerShared {
  ServerShared(const HttpLimits& limits_in, base::Metrics* metrics_in, const base::Clock& clock_in)
      : limits(limits_in), clock(clock_in), metrics(metrics_in) {}

  const HttpLimits limits;
  const base::Clock& clock;
  HttpMetrics metrics;
  /// Set before the first connection.
  Handler handler;

  /// Bytes of request bodies that are being read or handled.
  std::atomic<size_t> body_bytes{0};
  /// Bytes of answers that are being written.
  std::atomic<size_t> answer_bytes{0};
  /// Set before any connection is told to stop.
  std::atomic<bool> stopping{false};
  /// Refusals under way, see ServeRefusal().
  std::atomic<size_t> refusals{0};

  /// Open connections; `changed` is notified when one is gone.
  base::Mutex mutex;
  base::ConditionVariable changed;
  size_t connections GUARDED_BY(mutex) = 0;
};

class Connection;

/// One thread's io_context and its connections. All but `context` is touched on that thread only.
struct Loop {
  boost::asio::io_context context{1};
  boost::asio::executor_work_guard<LoopExecutor> work{context.get_executor()};
  std::list<Connection*> connections;
  /// The Date header's value and the second it is for.
  std::string date;
  int64_t date_second = -1;
};

}  // namespace serving
