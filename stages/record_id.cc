#include "stages/record_id.h"

#include "stages/hex.h"
#include "stages/json_text.h"

namespace stages {

std::string RecordId(const pipeline::RawRecord& record, FieldHash& scratch) {
  std::string text;
  const auto number = [&](int64_t value) {
    text.clear();
    AppendDecimal(text, value);
    scratch.Add(text);
  };
  scratch.Rewind(0);
  scratch.Add(record.metadata.topic);
  number(record.metadata.partition.value);
  number(record.metadata.offset.value);
  number(record.metadata.timestamp_ms);
  scratch.Add(*record.value);
  text = "h-";
  AppendHex(text, scratch.Finish().view());
  return text;
}

}  // namespace stages
