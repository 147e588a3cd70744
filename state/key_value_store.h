#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace state {

/// Bytes of one key and one value that a store takes.
inline constexpr size_t kKeyBytesMax = 4096;
inline constexpr size_t kValueBytesMax = size_t{16} << 20;

/// Sees a row; false ends the scan. The views are valid during the call only. A visitor does not
/// write to the store it visits.
using RowVisitor = std::function<bool(std::string_view key, std::string_view value)>;

/// Committed rows of one store, ordered by key bytes.
class ReadableStore {
 public:
  virtual ~ReadableStore() = default;

  /// The value under `key`, or nullopt when there is none.
  /// Errors: Corruption when the row cannot be read back.
  virtual base::Result<std::optional<std::string>> Get(std::string_view key) const = 0;

  /// Visits the rows with begin <= key < end, ascending. An empty `end` means no upper bound.
  virtual base::Status Scan(std::string_view begin, std::string_view end,
                            const RowVisitor& visitor) const = 0;

  /// Visits the same rows, descending.
  virtual base::Status ScanReverse(std::string_view begin, std::string_view end,
                                   const RowVisitor& visitor) const = 0;
};

/// The rows of one store in one task, as the task's stages see them.
///
/// Writes are pending until TaskState::Commit(). Get() and the scans see this task's own pending
/// writes; other threads see committed rows only (TaskReader).
///
/// Threads: the stream thread that owns the task, no other.
class KeyValueStore : public ReadableStore {
 public:
  /// Sets `key` to `value` and adds the change to the changelog, if the store has one.
  /// REQUIRES: key.size() <= kKeyBytesMax, value.size() <= kValueBytesMax.
  virtual void Put(std::string_view key, std::string value) = 0;

  /// Removes `key` if it is there; a tombstone in the changelog.
  virtual void Delete(std::string_view key) = 0;
};

}  // namespace state
