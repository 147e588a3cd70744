#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "pipeline/record.h"

namespace support {

/// A record as it lies in a partition of the twin.
struct StoredRecord {
  base::Partition partition;
  base::Offset offset;
  std::optional<std::string> key;
  std::optional<std::string> value;
  pipeline::Headers headers;
  int64_t timestamp_ms = 0;
  /// Which transaction wrote it, counted from 1 over the whole cluster; 0: none.
  int64_t transaction = 0;

  /// The header's value; nullopt when absent or null.
  std::optional<std::string> Header(std::string_view name) const;
};

/// One partition: records, control records and what is decided of them, as a broker keeps it.
///
/// Offsets only grow; compaction and deletion leave gaps. Threads: the owner's lock.
class PartitionLog {
 public:
  enum class Kind { kData, kCommitMarker, kAbortMarker };
  enum class Decision { kOpen, kCommitted, kAborted };

  struct Entry {
    int64_t offset = 0;
    Kind kind = Kind::kData;
    Decision decision = Decision::kCommitted;
    int64_t transaction = 0;
    std::shared_ptr<const StoredRecord> record;  ///< Null for control records.
  };

  /// Sets the record's offset and appends it; open until its transaction's marker arrives.
  int64_t Append(StoredRecord record);

  /// Ends `transaction` in this partition with a control record.
  void AppendMarker(int64_t transaction, bool commit);

  int64_t start() const { return start_; }
  /// The next offset to be written: the high watermark.
  int64_t end() const { return end_; }
  /// The first offset of the oldest open transaction, else end().
  int64_t LastStableOffset() const;

  /// By offset; read it from IndexOf().
  const std::vector<Entry>& entries() const { return entries_; }
  /// The first entry at or after `offset`.
  size_t IndexOf(int64_t offset) const;

  /// What the log cleaner does below the last stable offset: control records, aborted records and
  /// those with a later record of the same key go. The last entry stays, because a broker never
  /// cleans the active segment.
  void Compact(bool drop_tombstones);

  /// Retention: everything below `offset` is gone, and so are readers' positions there.
  void DeleteBefore(int64_t offset);

 private:
  std::vector<Entry> entries_;
  std::map<int64_t, int64_t> open_;  // transaction -> first offset
  int64_t start_ = 0;
  int64_t end_ = 0;
};

}  // namespace support
