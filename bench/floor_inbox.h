#pragma once

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>
#include <rocksdb/write_buffer_manager.h>

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/floor_json.h"

namespace bench {

/// Memory that the databases of all partitions share, as large as Herald's by default.
struct FloorMemory {
  FloorMemory();
  std::shared_ptr<rocksdb::Cache> block_cache;
  std::shared_ptr<rocksdb::WriteBufferManager> write_buffers;
};

/// The inboxes of one partition of the notifications in a RocksDB of their own: the rows that
/// Herald keeps, byte for byte, by its rule for which row stands (docs/formats.md).
///
/// Left out is what this load does not ask for: limits of an inbox and of tombstones, and reading,
/// so that every item counts as unread and none is in the index of unread items.
///
/// Threads: one.
class FloorInbox {
 public:
  /// A row that waits for the commit; its bytes are in bytes().
  struct Row {
    size_t key_at = 0;
    size_t key_bytes = 0;
    size_t value_bytes = 0;  // behind the key
    bool deleted = false;
  };
  /// One that was found wrong ends the process.
  struct Checked {
    uint64_t items = 0;
    uint64_t tombstones = 0;
    uint64_t recipients = 0;
    uint64_t read_back = 0;
  };

  /// Opens a new database; anything that fails ends the process.
  FloorInbox(const std::filesystem::path& directory, const FloorMemory& memory);
  ~FloorInbox();
  FloorInbox(const FloorInbox&) = delete;
  FloorInbox& operator=(const FloorInbox&) = delete;

  /// `stamp_ms` is the timestamp of the record that brought it.
  void Apply(const FloorNotification& notification, int64_t stamp_ms);

  /// What is to be committed, for the changelog, in the order of the keys: each changed identity
  /// and head once. Valid until Write().
  std::span<const Row> Prepare();
  std::string_view Key(const Row& row) const { return {&bytes_[row.key_at], row.key_bytes}; }
  /// nullopt: deleted.
  std::optional<std::string_view> Value(const Row& row) const {
    if (row.deleted) return std::nullopt;
    return std::string_view(&bytes_[row.key_at + row.key_bytes], row.value_bytes);
  }

  /// Writes the prepared rows and named positions in one batch.
  void Write(std::span<const std::pair<std::string, int64_t>> positions);

  bool has_pending() const { return !bytes_.empty() || !identities_.empty(); }
  uint64_t rows_written() const { return rows_written_; }

  /// Counts all rows against the heads, and reads back `count` items: their JSON, and the identity
  /// that goes with each.
  Checked Check(uint64_t count);

 private:
  struct Head {
    uint64_t version = 0;
    uint64_t total = 0;
    uint64_t tombstones = 0;
    int64_t oldest_ms = 0;
    uint64_t oldest_arrival = 0;
    int64_t oldest_tombstone_ms = 0;
  };
  struct Recipient {
    std::string id;
    std::string group;  // the prefix of its keys
    Head head;
    bool changed = false;
  };
  static constexpr size_t kNoRow = SIZE_MAX;
  struct Known {
    bool stands = false;
    int64_t decided_ms = 0;
    int64_t item_ms = 0;
    uint64_t item_arrival = 0;
    int64_t stamp_ms = 0;
    std::string later_json;
    const Recipient* recipient = nullptr;
    /// Its rows that wait for this commit.
    size_t item_row = kNoRow;
    size_t tombstone_row = kNoRow;
  };
  struct IdentityHash {
    using is_avalanching = void;  // it is a hash itself
    size_t operator()(const FloorIdentity& identity) const {
      size_t hash = 0;
      std::memcpy(&hash, identity.data(), sizeof hash);
      return hash;
    }
  };

  Recipient& FindRecipient(std::string_view id);
  bool FindKnown(const Recipient& recipient, const FloorIdentity& identity, Known& known);
  void AddItem(Recipient& recipient, const FloorIdentity& identity, Known& known, int64_t time_ms,
               std::string_view json);
  void RemoveItem(Recipient& recipient, Known& known);
  void AddTombstone(Recipient& recipient, const FloorIdentity& identity, Known& known,
                    int64_t time_ms, int64_t stamp_ms);
  void RemoveTombstone(Recipient& recipient, const FloorIdentity& identity, Known& known);
  /// Deletes the row that waits as number `row`, or, with kNoRow, the one that `append_key` names.
  template <typename AppendKey>
  void Delete(std::vector<Row>& rows, size_t row, const AppendKey& append_key);
  template <typename AppendKey, typename AppendValue>
  size_t Put(std::vector<Row>& rows, const AppendKey& append_key, const AppendValue& append_value);
  void PutHeads();
  void PutIdentities();
  void Sort(std::vector<Row>& rows) const;
  bool Get(rocksdb::ColumnFamilyHandle* family, std::string_view key);

  std::unique_ptr<rocksdb::DB> db_;
  rocksdb::ColumnFamilyHandle* meta_ = nullptr;
  rocksdb::ColumnFamilyHandle* inbox_ = nullptr;
  rocksdb::WriteBatch batch_;
  rocksdb::PinnableSlice found_;
  std::string key_;
  uint64_t rows_written_ = 0;

  std::deque<Recipient> recipients_;
  boost::unordered_flat_map<std::string_view, Recipient*> by_id_;

  // Of this commit.
  std::string bytes_;
  std::vector<Row> inbox_rows_;
  boost::unordered_flat_map<FloorIdentity, Known, IdentityHash> identities_;
  std::vector<Recipient*> changed_;
};

}  // namespace bench
