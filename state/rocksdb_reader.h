#pragma once

#include <rocksdb/db.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "state/key_value_store.h"
#include "state/rocksdb_database.h"
#include "state/task_state.h"

namespace state {

/// The committed value under `key` in store number `store`, as of `snapshot` (nullptr: now).
base::Result<std::optional<std::string>> GetCommitted(const Database& database, size_t store,
                                                      const rocksdb::Snapshot* snapshot,
                                                      std::string_view key);

/// The committed rows with begin <= key < end (an empty `end`: no upper bound), to be walked in
/// either direction. Not positioned yet. Lives no longer than the bounds given and `snapshot`.
///
/// REQUIRES: end.empty() or begin < end.
class CommittedRows {
 public:
  CommittedRows(const Database& database, size_t store, const rocksdb::Snapshot* snapshot,
                std::string_view begin, std::string_view end);
  CommittedRows(const CommittedRows&) = delete;
  CommittedRows& operator=(const CommittedRows&) = delete;

  rocksdb::Iterator& iterator() { return *iterator_; }
  /// Corruption when the walk ended because a row could not be read.
  base::Status status() const;

 private:
  const Database& database_;
  const size_t store_;
  const rocksdb::Slice lower_bound_;
  const rocksdb::Slice upper_bound_;
  std::unique_ptr<rocksdb::Iterator> iterator_;
};

/// The TaskReader over a shared database.
std::shared_ptr<const TaskReader> MakeRocksdbReader(std::shared_ptr<const Database> database);

}  // namespace state
