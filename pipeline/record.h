#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"

namespace pipeline {

/// Names and values as Kafka has them; a null value is kept apart from an empty one.
using Headers = std::vector<std::pair<std::string, std::optional<std::string>>>;

/// A record, by its place.
struct RecordPlace {
  base::TopicPartition tp;
  base::Offset offset;

  bool operator==(const RecordPlace&) const = default;
};

/// Where a record came from.
struct RecordMetadata {
  /// Outlives the processing of the record.
  std::string_view topic;
  base::Partition partition;
  base::Offset offset;
  /// Kafka's timestamp of the record, milliseconds since the epoch.
  int64_t timestamp_ms = 0;
};

/// Reads a record's headers when somebody asks, which is seldom: it costs as much as a small stage.
class HeaderSource {
 public:
  virtual ~HeaderSource() = default;
  virtual Headers ReadHeaders() const = 0;
};

/// A record as it lies in Kafka. The views live as long as the batch it came in.
struct RawRecord {
  RecordMetadata metadata;
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  /// Borrowed; nullptr where nobody is to ask for headers.
  const HeaderSource* headers = nullptr;
};

/// A decoded record on its way through the stages; stages move it along.
template <typename T>
struct Record {
  std::string key;
  T value;
  RecordMetadata metadata;
};

}  // namespace pipeline
