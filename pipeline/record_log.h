#pragma once

#include <initializer_list>
#include <source_location>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/log.h"
#include "pipeline/record.h"

namespace pipeline {

/// Which record a line of the log is about.
struct LoggedRecord {
  /// A task's id, or what else had the record: "global" for a global table.
  std::string task;
  RecordPlace place;
  /// 32 hexadecimal digits; kTraceUnknown when the record was not read, so that its headers are not
  /// known.
  std::string trace_id;
};

inline constexpr std::string_view kTraceUnknown = "unknown";

/// Writes a line about one record. All such lines go through here, so that each has the fields by
/// which records are found: task, topic, partition, offset, trace_id; then `more`. Threads: any.
void LogRecord(base::LogLevel level, std::string_view message, const LoggedRecord& record,
               std::initializer_list<base::LogField> more = {},
               const std::source_location& where = std::source_location::current());

}  // namespace pipeline
