#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/status.h"
#include "state/key_value_store.h"

namespace state {

/// One store of a task.
struct StoreSpec {
  std::string name;
  /// False: a local index, written in the same batch as the other rows but absent from the
  /// changelog; whoever declares it rebuilds it after a restore.
  bool changelog = true;
};

using base::Positions;

/// Figures of one store over all tasks, for metrics.
struct StoreFigures {
  /// As RocksDB estimates.
  uint64_t rows = 0;
  /// Of live table files and memtables.
  uint64_t bytes = 0;
};

/// Figures of all databases of a process, for metrics.
struct DatabaseFigures {
  // How they stand now.
  uint64_t databases = 0;
  std::map<std::string, StoreFigures> stores;
  uint64_t estimated_keys = 0;
  uint64_t live_sst_bytes = 0;
  uint64_t memtable_bytes = 0;
  uint64_t pending_compaction_bytes = 0;
  /// Of the store of a task that has the most.
  uint64_t level0_files_max = 0;
  uint64_t running_compactions = 0;
  uint64_t running_flushes = 0;
  /// Those that take no writes now, and those that take them slowly.
  uint64_t stopped_databases = 0;
  uint64_t delayed_databases = 0;
  uint64_t block_cache_bytes = 0;
  uint64_t block_cache_capacity_bytes = 0;

  // Since the process started; also of databases that are closed by now.
  uint64_t block_cache_hits = 0;
  uint64_t block_cache_misses = 0;
  std::chrono::microseconds write_stalls{0};
  uint64_t flush_bytes = 0;
  uint64_t compaction_read_bytes = 0;
  uint64_t compaction_write_bytes = 0;
  uint64_t background_errors = 0;
};

/// Memory that all tasks of a process share: RocksDB's block cache and write buffers. Knows which
/// databases are open on it. Threads: any.
class SharedMemory {
 public:
  /// Sizes in bytes; the write buffers are charged to the cache.
  SharedMemory(size_t block_cache_bytes, size_t write_buffer_bytes);
  ~SharedMemory();

  /// Asks each database some twenty questions, tens of microseconds; one that is about to close waits
  /// for the end of it.
  DatabaseFigures Figures() const;

  /// From now on the block cache has so many bytes less than at first, because something else of
  /// the process takes them. REQUIRES: bytes <= the block cache's. Threads: any.
  void Lend(size_t bytes);

  struct Impl;
  const Impl& impl() const { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

/// What other threads read of one task: committed rows of all its stores.
///
/// Keeps the database open while it lives, so hold it for a request, not for longer.
/// Threads: any.
class TaskReader {
 public:
  virtual ~TaskReader() = default;

  /// One moment in the task's life: every store read through it shows the same commit.
  class View {
   public:
    virtual ~View() = default;
    /// REQUIRES: the task has a store of that name. The store lives as long as the view.
    virtual const ReadableStore& Store(std::string_view name) const = 0;
    /// Names the reader that the view is of, within this process: views of one number show one
    /// history, commit after commit. 0: not known.
    virtual uint64_t reader() const { return 0; }
  };
  virtual std::unique_ptr<View> Snapshot() const = 0;
};

/// One row read back from a changelog. A nullopt value is a tombstone.
struct RestoredRow {
  std::string_view key;
  std::optional<std::string_view> value;
};

/// The state of one task: one RocksDB, a column family a store, and beside the rows the positions
/// that belong to them.
///
/// Rows and positions are written in one WriteBatch, never apart. RocksDB's write-ahead log is on
/// and not synced: after a machine crash rows and positions fall back together, and the changelog
/// brings them forward again.
///
/// Threads: the stream thread that owns the task; MakeReader()'s result goes to others.
class TaskState {
 public:
  struct Options {
    std::filesystem::path directory;
    std::vector<StoreSpec> stores;
    /// Borrowed; outlives the TaskState and its readers.
    SharedMemory* memory = nullptr;
  };

  /// Opens or creates the directory.
  /// Stores that an earlier run had and that are not declared now stay on disk, unseen.
  /// Errors: Unavailable when it is locked (a reader in this process still holds it, or another
  /// process does); Corruption when the database cannot be opened or has an unknown format; Fatal
  /// when the directory cannot be made or written.
  static base::Result<std::unique_ptr<TaskState>> Open(const Options& options);

  /// Deletes the directory with all its rows; one that is not there is fine.
  /// Errors: Unavailable while it is open, in a reader too; Fatal when it cannot be deleted.
  static base::Status Destroy(const std::filesystem::path& directory);

  virtual ~TaskState() = default;

  /// REQUIRES: declared in Options::stores.
  virtual KeyValueStore& Store(std::string_view name) = 0;

  /// Writes after this belong to one record, until the next BeginRecord().
  virtual void BeginRecord() = 0;
  /// Takes back the writes since BeginRecord(), so that a refused record leaves nothing behind.
  virtual void RollbackRecord() = 0;

  /// Bytes of keys and values that wait for Commit().
  virtual size_t pending_bytes() const = 0;
  virtual bool has_pending() const = 0;

  /// Visits the pending writes of stores with a changelog, by store in order of declaration and
  /// ascending key; a nullopt value is a delete. The first error ends the visit and is returned.
  using PendingVisitor = std::function<base::Status(std::string_view store, std::string_view key,
                                                    std::optional<std::string_view> value)>;
  virtual base::Status VisitPending(const PendingVisitor& visitor) const = 0;

  /// Writes the pending rows and `positions` in one batch; the positions replace those of the same
  /// topic and partition, others stay. Afterwards nothing is pending.
  /// Errors: Fatal when RocksDB cannot write (disk full, I/O error), Corruption when it has found
  /// its files damaged. The writes stay pending then.
  virtual base::Status Commit(const Positions& positions) = 0;

  /// Forgets the pending writes.
  virtual void DropPending() = 0;

  /// Writes rows read from the changelog of `store`, in order, and the position behind them, in
  /// one batch. REQUIRES: nothing is pending.
  virtual base::Status ApplyRestored(std::string_view store, std::span<const RestoredRow> rows,
                                     const base::TopicPartition& changelog,
                                     base::Offset position) = 0;

  /// The stored position of one topic partition, as of the last Commit()/ApplyRestored().
  virtual std::optional<base::Offset> Position(const base::TopicPartition& tp) const = 0;
  virtual Positions AllPositions() const = 0;

  /// A small named value beside the rows (cluster id, last-seen stamp), written at once.
  virtual base::Status PutNote(std::string_view name, std::string_view value) = 0;
  virtual std::optional<std::string> Note(std::string_view name) const = 0;

  /// A reader of committed rows; shares the database with this object.
  virtual std::shared_ptr<const TaskReader> MakeReader() const = 0;
};

/// Opens and deletes the states of tasks and global tables: where an engine gets them from.
/// Threads: any.
class TaskStates {
 public:
  virtual ~TaskStates() = default;
  /// As TaskState::Open() and TaskState::Destroy().
  virtual base::Result<std::unique_ptr<TaskState>> Open(const TaskState::Options& options) = 0;
  virtual base::Status Destroy(const std::filesystem::path& directory) = 0;
};

/// Those on disk: TaskState's own.
TaskStates& RocksdbTaskStates();

}  // namespace state
