#pragma once

#include <optional>
#include <string>

#include "base/trace_context.h"
#include "pipeline/record.h"

namespace pipeline {

/// The trace that a record belongs to, and how it came to it. Threads: any.
struct RecordTrace {
  base::TraceContext context;
  /// `traceparent` and `tracestate` to put on what comes of the record; empty when the record came
  /// without them: then its place makes the trace, for whoever asks, and no header has to travel.
  Headers headers;
};

/// The trace that `headers` name, with the headers to pass on as they came: Herald takes part in a
/// trace and writes no spans, so the span before it stays the parent of those behind it. nullopt:
/// there is no `traceparent`, several, or one that is not valid.
std::optional<RecordTrace> ReadTrace(const Headers& headers);

/// The trace of a record that lies, or its origin lies, at `place` and has no valid `traceparent`.
RecordTrace TraceOfPlace(const RecordPlace& place);

}  // namespace pipeline
