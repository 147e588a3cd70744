#include "tests/support/fake_log.h"

#include <algorithm>
#include <set>
#include <utility>

namespace support {

std::optional<std::string> StoredRecord::Header(std::string_view name) const {
  for (const auto& [header, header_value] : headers) {
    if (header == name) return header_value;
  }
  return std::nullopt;
}

int64_t PartitionLog::Append(StoredRecord record) {
  const int64_t offset = end_++;
  record.offset = base::Offset{offset};
  Entry entry;
  entry.offset = offset;
  entry.transaction = record.transaction;
  if (record.transaction != 0) {
    entry.decision = Decision::kOpen;
    open_.emplace(record.transaction, offset);
  }
  entry.record = std::make_shared<const StoredRecord>(std::move(record));
  entries_.push_back(std::move(entry));
  return offset;
}

void PartitionLog::AppendMarker(int64_t transaction, bool commit) {
  if (const auto open = open_.find(transaction); open != open_.end()) {
    for (size_t i = IndexOf(open->second); i < entries_.size(); ++i) {
      if (entries_[i].transaction != transaction) continue;
      entries_[i].decision = commit ? Decision::kCommitted : Decision::kAborted;
    }
    open_.erase(open);
  }
  Entry marker;
  marker.offset = end_++;
  marker.kind = commit ? Kind::kCommitMarker : Kind::kAbortMarker;
  marker.transaction = transaction;
  entries_.push_back(std::move(marker));
}

int64_t PartitionLog::LastStableOffset() const {
  int64_t stable = end_;
  for (const auto& [transaction, first] : open_) stable = std::min(stable, first);
  return stable;
}

size_t PartitionLog::IndexOf(int64_t offset) const {
  const auto at =
      std::lower_bound(entries_.begin(), entries_.end(), offset,
                       [](const Entry& entry, int64_t wanted) { return entry.offset < wanted; });
  return static_cast<size_t>(at - entries_.begin());
}

void PartitionLog::Compact(bool drop_tombstones) {
  const int64_t stable = LastStableOffset();
  std::map<std::string, int64_t> latest;
  for (const Entry& entry : entries_) {
    if (entry.offset >= stable || entry.record == nullptr || !entry.record->key.has_value())
      continue;
    if (entry.decision == Decision::kCommitted) latest[*entry.record->key] = entry.offset;
  }
  std::vector<Entry> kept;
  for (size_t i = 0; i < entries_.size(); ++i) {
    Entry& entry = entries_[i];
    bool keep = true;
    if (entry.offset >= stable || i + 1 == entries_.size()) {
      keep = true;
    } else if (entry.record == nullptr) {
      keep = false;
    } else if (entry.decision == Decision::kAborted) {
      keep = false;
    } else if (entry.record->key.has_value()) {
      const bool superseded = latest.at(*entry.record->key) != entry.offset;
      keep = !superseded && !(drop_tombstones && !entry.record->value.has_value());
    }
    if (keep) kept.push_back(std::move(entry));
  }
  entries_ = std::move(kept);
}

void PartitionLog::DeleteBefore(int64_t offset) {
  start_ = std::clamp(offset, start_, end_);
  entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(IndexOf(start_)));
}

}  // namespace support
