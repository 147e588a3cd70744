#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/status.h"
#include "pipeline/record.h"
#include "pipeline/record_trace.h"

namespace pipeline {

/// Bytes of the original value that a dead letter keeps at most.
inline constexpr size_t kDeadLetterValueBytesMax = size_t{512} << 10;
/// The same for the key, which a hostile producer may make as large.
inline constexpr size_t kDeadLetterKeyBytesMax = size_t{64} << 10;

/// The code before the first ": " of an error's message, for the metric's `reason` label; "other"
/// when the message has no such code.
std::string_view ReasonCode(std::string_view message);

/// The headers of the dead letter for `record`, refused by node `stage` with `why`: reason, stage,
/// topic, partition, offset, timestamp; `truncated` = the original size in bytes where the value
/// was cut; `traceparent`, and the `tracestate` that came.
Headers DeadLetterHeaders(const RawRecord& record, std::string_view stage, const base::Status& why,
                          const RecordTrace& trace);

}  // namespace pipeline
