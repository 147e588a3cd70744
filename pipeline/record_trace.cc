#include "pipeline/record_trace.h"

namespace pipeline {

std::optional<RecordTrace> ReadTrace(const Headers& headers) {
  const std::optional<std::string>* parent = nullptr;
  const std::optional<std::string>* state = nullptr;
  for (const auto& [name, value] : headers) {
    if (name == base::kTraceParentHeader) {
      if (parent != nullptr) return std::nullopt;
      parent = &value;
    } else if (name == base::kTraceStateHeader) {
      state = &value;
    }
  }
  if (parent == nullptr || !parent->has_value()) return std::nullopt;
  const auto context = base::ParseTraceParent(**parent);
  if (!context.has_value()) return std::nullopt;
  RecordTrace trace;
  trace.context = *context;
  trace.headers.emplace_back(std::string(base::kTraceParentHeader), context->ToTraceParent());
  if (state != nullptr && state->has_value() && !(*state)->empty() &&
      (*state)->size() <= base::kTraceStateBytesMax) {
    trace.headers.emplace_back(std::string(base::kTraceStateHeader), *state);
  }
  return trace;
}

RecordTrace TraceOfPlace(const RecordPlace& place) {
  return {base::TraceContextOfPlace(place.tp.topic, place.tp.partition, place.offset), {}};
}

}  // namespace pipeline
