#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
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

/// Carried by a dead letter that was replayed: the place of the record that was refused, as
/// PlaceText() writes it. What a record lacks (an id, a time) is taken from there, so that it means
/// the same however often it is replayed.
inline constexpr std::string_view kReplayedHeader = "herald-replayed";
/// Carried by a record that was sent on to its key's partition: the place of the record that was
/// found.
inline constexpr std::string_view kMisplacedHeader = "herald-misplaced";

/// "3/1042/1795237200000": partition, offset, timestamp.
std::string PlaceText(const RecordMetadata& metadata);
/// Puts the place that PlaceText() wrote into `metadata`. False, and it is as it was, for any other
/// text.
bool TakePlace(std::string_view text, RecordMetadata& metadata);
/// The same for the text of kReplayedHeader. False also for a time later than `metadata` has: a
/// record that says so was not replayed by us.
bool TakeReplayedPlace(std::string_view text, RecordMetadata& metadata);

/// Where and when `record` was first: its own metadata, or what its kReplayedHeader says.
RecordMetadata OriginalPlace(const RawRecord& record);

/// The headers of the dead letter for `record`, refused by node `stage` with `why`: reason, stage,
/// topic, partition, offset, timestamp; `truncated` = the original size in bytes where the value
/// was cut; `traceparent`, and the `tracestate` that came. `own` are the record's: had it been
/// somewhere else before, kReplayedHeader keeps that place.
Headers DeadLetterHeaders(const RawRecord& record, std::string_view stage, const base::Status& why,
                          const RecordTrace& trace, const Headers& own = {});

/// A record of topic dead-letters.
struct DeadLetter {
  /// Where it lies there, and since when.
  base::Partition partition;
  base::Offset offset;
  int64_t refused_ms = 0;
  /// What was refused, by which node and why; empty, or no place, when a header is missing or
  /// wrong.
  std::string reason;
  std::string stage;
  std::string topic;
  std::optional<RecordMetadata> original;
  /// The size of the original value, when only the first kDeadLetterValueBytesMax bytes are here.
  std::optional<int64_t> original_bytes;
  /// For kReplayedHeader, when it is replayed.
  std::string replay_place;
  /// `traceparent` and `tracestate`, to go with it then: the record is found by the same id again.
  Headers trace;
  /// As the batch that it came in.
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;

  /// "3/17": how people name it.
  std::string Name() const;
};

/// Never fails: whoever may write to the topic may write anything.
DeadLetter ReadDeadLetter(const RawRecord& record, const Headers& headers);

}  // namespace pipeline
