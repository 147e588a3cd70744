#include "pipeline/record_log.h"

#include <vector>

namespace pipeline {

void LogRecord(base::LogLevel level, std::string_view message, const LoggedRecord& record,
               std::initializer_list<base::LogField> more, const std::source_location& where) {
  std::vector<base::LogField> fields = {{"task", record.task},
                                        {"topic", record.place.tp.topic},
                                        {"partition", record.place.tp.partition.value},
                                        {"offset", record.place.offset.value},
                                        {"trace_id", record.trace_id}};
  fields.insert(fields.end(), more.begin(), more.end());
  base::Log(level, message, fields, where);
}

}  // namespace pipeline
