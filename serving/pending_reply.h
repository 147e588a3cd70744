#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>

#include "base/mutex.h"
#include "serving/http_message.h"

// Of the HTTP server's own files; nobody else includes this.
namespace serving {

using LoopExecutor = boost::asio::io_context::executor_type;
using LoopTimer = boost::asio::basic_waitable_timer<
    std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>, LoopExecutor>;

/// Where a handler's response and the connection that waits for it meet.
///
/// The handler may respond from any thread, long after the connection and even the server are
/// gone. So the loop is touched only while the connection waits: its timer is registered here,
/// under the mutex, for exactly that time.
class PendingReply : public std::enable_shared_from_this<PendingReply> {
 public:
  /// From the handler, any thread.
  void Deliver(Response response);

  /// The response when it is there already; else registers `timer`, which is cancelled on its own
  /// thread when the response comes. REQUIRES: Take() before the timer goes.
  std::optional<Response> TakeOrWait(LoopTimer* timer);

  /// Ends the wait: the response, or nullopt when none came.
  std::optional<Response> Take();

 private:
  base::Mutex mutex_;
  bool answered_ GUARDED_BY(mutex_) = false;
  std::optional<Response> response_ GUARDED_BY(mutex_);
  LoopTimer* timer_ GUARDED_BY(mutex_) = nullptr;
};

}  // namespace serving
