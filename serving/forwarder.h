#pragma once

#include <string_view>

#include "pipeline/instance.h"
#include "serving/http_message.h"

namespace serving {

/// Names the instance that a forwarded request is meant for, "<application id>/<instance id>": an
/// address may be another's by now, of another application even. A request that has it is not
/// forwarded again: one hop, whatever two instances think of each other.
inline constexpr std::string_view kForwardedHeader = "Herald-Forwarded";

/// On a request that is forwarded: its owner is gone, a warm copy will do. On an answer: it came from
/// one, so it may be a little old; the value is how many changelog records that copy was behind when
/// that was last asked.
inline constexpr std::string_view kStaleHeader = "Herald-Stale";

/// Hands requests to the instance that can answer them.
class Forwarder {
 public:
  virtual ~Forwarder() = default;

  /// Sends `request` as it came (method, target, body, Content-Type) to `to.address`, with the
  /// header Herald-Forwarded (and Herald-Stale and its trace, if it has them), and calls `respond`
  /// once, from any thread, with the answer; or with a 503 problem with Retry-After when that
  /// instance cannot be reached or does not answer in time. Does not block. Threads: any.
  virtual void Forward(const pipeline::Instance& to, const Request& request, Respond respond) = 0;
};

}  // namespace serving
