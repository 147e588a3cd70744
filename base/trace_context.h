#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"

namespace base {

/// What W3C Trace Context (https://www.w3.org/TR/trace-context/) carries from one system to the
/// next, so that the log lines and spans of all that took part in one thing are found by one id.
struct TraceContext {
  std::array<uint8_t, 16> trace_id{};
  std::array<uint8_t, 8> parent_id{};
  uint8_t flags = 0;

  bool operator==(const TraceContext&) const = default;

  /// 32 hexadecimal digits, as `trace_id` in logs.
  std::string TraceIdText() const;
  /// "00-<trace id>-<parent id>-<flags>"
  std::string ToTraceParent() const;
};

inline constexpr std::string_view kTraceParentHeader = "traceparent";
inline constexpr std::string_view kTraceStateHeader = "tracestate";
/// A `tracestate` that is longer is not carried on.
inline constexpr size_t kTraceStateBytesMax = 512;

/// Reads a `traceparent`, strictly: lower-case digits, no id of zeros, version ff never, and nothing
/// behind version 00's four fields. Of a later version the four fields that version 00 knows.
/// nullopt: whoever gets it goes on as if there were none.
std::optional<TraceContext> ParseTraceParent(std::string_view text);

/// A new trace. Not sampled: Herald writes no spans, so nobody has its beginning.
TraceContext MakeTraceContext();

/// The trace of a record that came without one, the same whenever and wherever it is asked for:
/// 4 bytes FNV-1a of the topic's name with the lowest bit set, 4 bytes partition, 8 bytes offset.
/// So no header has to travel with it, and the place can be read from the id.
TraceContext TraceContextOfPlace(std::string_view topic, Partition partition, Offset offset);

}  // namespace base
