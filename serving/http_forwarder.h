#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "base/metrics.h"
#include "serving/forwarder.h"

namespace serving {

/// What forwarding may take of this process and of the other instances.
struct ForwarderLimits {
  /// Open connections to one address; further requests to it wait for one.
  size_t connections_per_address_max = 32;
  /// Requests that are waiting or on their way; one more is answered 503 at once.
  size_t requests_max = 1000;
  std::chrono::milliseconds connect_timeout{1000};
  /// From Forward() to the whole answer.
  std::chrono::milliseconds request_timeout{10'000};
  /// A connection that was idle for so long is not used again. Below the server's own idle
  /// time-out, so that it is rarely used in the moment in which the other side closes it.
  std::chrono::milliseconds idle_timeout{30'000};
  /// Of one answer; a larger one is answered 500. As much as an instance answers itself.
  size_t body_bytes_max = size_t{512} << 20;
};

/// Forwards over HTTP/1.1, on connections that it keeps open for the next request.
///
/// A request that fails on such a connection before any byte of the answer came is sent once more
/// on a fresh one: the other side may have closed it while it was idle. It may have been applied
/// the first time, so all requests that are forwarded must be idempotent; those on inboxes are.
///
/// Lifecycle: works from its construction on. The destructor answers what is under way with 503;
/// nothing is forwarded meanwhile or later.
/// Threads: Forward() from any, without blocking. Requests and answers are on a thread of its own,
/// and so are most calls of `respond`.
class HttpForwarder : public Forwarder {
 public:
  /// `application_id`: of this instance and of those it forwards to. `metrics` is borrowed and
  /// outlives it; nullptr: counts nowhere.
  explicit HttpForwarder(std::string application_id, ForwarderLimits limits = {},
                         base::Metrics* metrics = nullptr);
  ~HttpForwarder() override;
  HttpForwarder(const HttpForwarder&) = delete;
  HttpForwarder& operator=(const HttpForwarder&) = delete;

  void Forward(const pipeline::Instance& to, const Request& request, Respond respond) override;

 private:
  class Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace serving
