#include "pipeline/dead_letter.h"

#include <array>
#include <charconv>
#include <limits>

namespace pipeline {
namespace {

/// nullopt unless all of `text` is a decimal number.
std::optional<int64_t> ToNumber(std::string_view text) {
  int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || rest != end) return std::nullopt;
  return number;
}

bool IsPartition(int64_t number) {
  return number >= 0 && number <= std::numeric_limits<int32_t>::max();
}

}  // namespace

std::string_view ReasonCode(std::string_view message) {
  const size_t colon = message.find(": ");
  constexpr size_t kCodeBytesMax = 40;
  if (colon == std::string_view::npos || colon == 0 || colon > kCodeBytesMax) return "other";
  const std::string_view code = message.substr(0, colon);
  for (const char c : code) {
    const bool letter = c >= 'a' && c <= 'z';
    const bool digit = c >= '0' && c <= '9';
    if (!letter && !digit && c != '-' && c != '_') return "other";
  }
  return code;
}

std::string PlaceText(const RecordMetadata& metadata) {
  return std::to_string(metadata.partition.value) + "/" + std::to_string(metadata.offset.value) +
         "/" + std::to_string(metadata.timestamp_ms);
}

bool TakePlace(std::string_view text, RecordMetadata& metadata) {
  std::array<int64_t, 3> numbers{};
  const char* at = text.data();
  const char* const end = at + text.size();
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (i > 0 && (at == end || *at++ != '/')) return false;
    const auto [rest, error] = std::from_chars(at, end, numbers[i]);
    if (error != std::errc()) return false;
    at = rest;
  }
  if (at != end || !IsPartition(numbers[0])) return false;
  metadata.partition.value = static_cast<int32_t>(numbers[0]);
  metadata.offset.value = numbers[1];
  metadata.timestamp_ms = numbers[2];
  return true;
}

bool TakeReplayedPlace(std::string_view text, RecordMetadata& metadata) {
  RecordMetadata told = metadata;
  if (!TakePlace(text, told) || told.timestamp_ms > metadata.timestamp_ms) return false;
  metadata = told;
  return true;
}

RecordMetadata OriginalPlace(const RawRecord& record) {
  RecordMetadata place = record.metadata;
  if (record.headers == nullptr) return place;
  for (const auto& [name, value] : record.headers->ReadHeaders()) {
    if (name == kReplayedHeader && value.has_value() && TakeReplayedPlace(*value, place)) break;
  }
  return place;
}

Headers DeadLetterHeaders(const RawRecord& record, std::string_view stage,
                          const base::Status& why, const RecordTrace& trace, const Headers& own) {
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
  RecordMetadata first = record.metadata;
  bool replayed = false;
  bool moved = false;
  for (const auto& [name, value] : own) {
    if (!value.has_value() || replayed) continue;
    if (name == kReplayedHeader) {
      RecordMetadata place = record.metadata;
      replayed = TakeReplayedPlace(*value, place);
      if (replayed) first = place;
    } else if (name == kMisplacedHeader) {
      moved = TakePlace(*value, first) || moved;
    }
  }
  if (replayed || moved) headers.emplace_back(std::string(kReplayedHeader), PlaceText(first));
  return headers;
}

std::string DeadLetter::Name() const {
  return std::to_string(partition.value) + "/" + std::to_string(offset.value);
}

DeadLetter ReadDeadLetter(const RawRecord& record, const Headers& headers) {
  DeadLetter letter;
  letter.partition = record.metadata.partition;
  letter.offset = record.metadata.offset;
  letter.refused_ms = record.metadata.timestamp_ms;
  letter.key = record.key;
  letter.value = record.value;
  std::optional<int64_t> partition;
  std::optional<int64_t> offset;
  std::optional<int64_t> timestamp;
  std::string before;
  for (const auto& [name, value] : headers) {
    if (!value.has_value()) continue;
    if (name == "reason") letter.reason = *value;
    if (name == "stage") letter.stage = *value;
    if (name == "topic") letter.topic = *value;
    if (name == "partition") partition = ToNumber(*value);
    if (name == "offset") offset = ToNumber(*value);
    if (name == "timestamp") timestamp = ToNumber(*value);
    // One that is no number was cut all the same.
    if (name == "truncated") letter.original_bytes = ToNumber(*value).value_or(0);
    if (name == kReplayedHeader) before = *value;
  }
  if (partition.has_value() && IsPartition(*partition) && offset.has_value() && *offset >= 0 &&
      timestamp.has_value() && !letter.topic.empty()) {
    RecordMetadata& original = letter.original.emplace();
    original.partition.value = static_cast<int32_t>(*partition);
    original.offset.value = *offset;
    original.timestamp_ms = *timestamp;
    RecordMetadata first = original;
    TakeReplayedPlace(before, first);
    letter.replay_place = PlaceText(first);
  }
  if (auto trace = ReadTrace(headers)) letter.trace = std::move(trace->headers);
  return letter;
}

}  // namespace pipeline
