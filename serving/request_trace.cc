#include "serving/request_trace.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "base/trace_context.h"
#include "pipeline/record_trace.h"

namespace serving {
namespace {

/// As Request::Header() compares names.
bool IsName(std::string_view one, std::string_view other) {
  return std::equal(one.begin(), one.end(), other.begin(), other.end(), [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) ==
           std::tolower(static_cast<unsigned char>(b));
  });
}

}  // namespace

RequestTrace TraceOf(const Request& request) {
  pipeline::Headers came;
  std::string state;
  for (const auto& [name, value] : request.headers) {
    if (IsName(name, base::kTraceParentHeader)) {
      came.emplace_back(std::string(base::kTraceParentHeader), value);
    } else if (IsName(name, base::kTraceStateHeader)) {
      // It may come in several lines, which make one list.
      if (!state.empty()) state += ',';
      state += value;
    }
  }
  if (!came.empty()) came.emplace_back(std::string(base::kTraceStateHeader), std::move(state));
  RequestTrace trace;
  if (auto known = pipeline::ReadTrace(came)) {
    trace.headers = std::move(known->headers);
    trace.parent = known->context.ToTraceParent();
  } else {
    trace.parent = base::MakeTraceContext().ToTraceParent();
    trace.headers.emplace_back(std::string(base::kTraceParentHeader), trace.parent);
  }
  return trace;
}

Respond WithTraceResponse(const RequestTrace& trace, Respond respond) {
  return [parent = trace.parent, respond = std::move(respond)](Response response) {
    response.headers.emplace_back(std::string(kTraceResponseHeader), parent);
    respond(std::move(response));
  };
}

}  // namespace serving
