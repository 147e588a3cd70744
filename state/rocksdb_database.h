#pragma once

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/status.h>
#include <rocksdb/write_buffer_manager.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "state/rocksdb_statistics.h"
#include "state/task_state.h"

namespace state {

class Database;

/// The databases that are open. Threads: any.
class OpenDatabases {
 public:
  void Add(const Database* database);
  void Remove(const Database* database);
  void AddFigures(DatabaseFigures* figures) const;

 private:
  mutable base::Mutex mutex_;
  std::set<const Database*> databases_ GUARDED_BY(mutex_);
};

struct SharedMemory::Impl {
  std::shared_ptr<rocksdb::Cache> block_cache;
  size_t block_cache_bytes = 0;
  std::shared_ptr<rocksdb::WriteBufferManager> write_buffers;
  std::shared_ptr<EventCounts> events = std::make_shared<EventCounts>();
  std::shared_ptr<BackgroundErrors> errors = std::make_shared<BackgroundErrors>();
  std::shared_ptr<OpenDatabases> open = std::make_shared<OpenDatabases>();
};

inline rocksdb::Slice ToSlice(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view ToView(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

/// Begins the keys of the meta family that name stores.
inline constexpr char kStoreTag = 's';
/// The key in the meta family that says that the database has had this store.
std::string StoreKey(std::string_view name);

/// What RocksDB says, as the reaction it asks for; `what` goes before the message.
base::Status ToStatus(const rocksdb::Status& status, std::string_view what);

/// An open RocksDB with its column families. Shared by a TaskState and its readers; the last one
/// closes it.
class Database {
 public:
  /// As TaskState::Open().
  static base::Result<std::shared_ptr<Database>> Open(const TaskState::Options& options);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  rocksdb::DB& db() const { return *db_; }
  const std::filesystem::path& directory() const { return directory_; }

  /// The family beside the stores: format, positions, notes.
  rocksdb::ColumnFamilyHandle* meta() const { return meta_; }

  const std::vector<StoreSpec>& stores() const { return stores_; }
  /// The family of stores()[index].
  rocksdb::ColumnFamilyHandle* family(size_t index) const { return families_[index]; }
  /// The index of a store in stores(). REQUIRES: it was declared.
  size_t IndexOf(std::string_view store) const;

  /// Adds how this one stands. Threads: any.
  void AddFigures(DatabaseFigures* figures) const;

  /// A write failed: from now on nothing is written, and the database stays open for good, since a
  /// log that RocksDB could not write to ends the process when it is closed (in builds of RocksDB
  /// with assertions, Debian's among them). What is committed can still be read.
  void MarkBroken() { broken_ = true; }
  bool broken() const { return broken_; }

 private:
  explicit Database(const TaskState::Options& options);
  base::Status MakeStore(const StoreSpec& store, const rocksdb::ColumnFamilyOptions& options);

  const std::filesystem::path directory_;
  const std::vector<StoreSpec> stores_;
  /// Where it is listed, once it is open.
  std::shared_ptr<OpenDatabases> listed_;
  std::unique_ptr<rocksdb::DB> db_;
  /// All that are open, stores that are no longer declared among them.
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
  std::vector<rocksdb::ColumnFamilyHandle*> families_;
  rocksdb::ColumnFamilyHandle* meta_ = nullptr;
  std::atomic<bool> broken_{false};
};

/// Deletes a database's directory; the body of TaskState::Destroy().
base::Status DestroyDatabase(const std::filesystem::path& directory);

}  // namespace state
