#pragma once

#include <string>
#include <string_view>

#include "pipeline/record.h"
#include "serving/http_message.h"

namespace serving {

/// The trace that a request belongs to (W3C Trace Context), for the records that come of it.
/// Threads: any.
struct RequestTrace {
  /// `traceparent`, as the request had it, or of a new trace; and the `tracestate` that it had.
  pipeline::Headers headers;
  /// The value of `traceparent`.
  std::string parent;
};

/// A `traceparent` that is not valid, or that comes twice, counts as none.
RequestTrace TraceOf(const Request& request);

/// In answers to requests that records came of: the trace that these carry.
inline constexpr std::string_view kTraceResponseHeader = "traceresponse";

/// `respond`, with kTraceResponseHeader in the answer.
Respond WithTraceResponse(const RequestTrace& trace, Respond respond);

}  // namespace serving
