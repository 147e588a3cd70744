#include "pipeline/dead_letter.h"

namespace pipeline {

std::string_view ReasonCode(std::string_view message) {
  const size_t colon = message.find(": ");
  constexpr size_t kCodeBytesMax = 40;
  if (colon == std::string_view::npos || colon == 0 || colon > kCodeBytesMax) return "other";
  const std::string_view code = message.substr(0, colon);
  for (const char c : code) {
    if ((c < 'a' || c > 'z') && c != '-' && c != '_') return "other";
  }
  return code;
}

Headers DeadLetterHeaders(const RawRecord& record, std::string_view stage,
                          const base::Status& why, const RecordTrace& trace) {
  Headers headers = {
      {"reason", why.message()},
      {"stage", std::string(stage)},
      {"topic", std::string(record.metadata.topic)},
      {"partition", std::to_string(record.metadata.partition.value)},
      {"offset", std::to_string(record.metadata.offset.value)},
      {"timestamp", std::to_string(record.metadata.timestamp_ms)},
  };
  if (record.value.has_value() && record.value->size() > kDeadLetterValueBytesMax) {
    headers.emplace_back("truncated", std::to_string(record.value->size()));
  }
  if (trace.headers.empty()) {
    headers.emplace_back(std::string(base::kTraceParentHeader), trace.context.ToTraceParent());
  } else {
    headers.insert(headers.end(), trace.headers.begin(), trace.headers.end());
  }
  return headers;
}

}  // namespace pipeline
