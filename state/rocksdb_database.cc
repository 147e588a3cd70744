#include "state/rocksdb_database.h"

#if __has_include(<rocksdb/advanced_cache.h>)
#include <rocksdb/advanced_cache.h>  // Where RocksDB 8 and later define Cache.
#endif
#include <rocksdb/convenience.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <system_error>
#include <utility>

namespace state {
namespace {

constexpr size_t kMemtableBytes = size_t{16} << 20;
// A memtable takes this and its filter (160 KiB) with its first row: small, so that the shared
// write buffers hold many tasks before they make RocksDB flush early.
constexpr size_t kMemtableBlockBytes = size_t{128} << 10;
constexpr size_t kMetaMemtableBytes = size_t{1} << 20;
constexpr int kMemtablesMax = 3;
constexpr uint64_t kWalBytesMax = uint64_t{96} << 20;
constexpr int kBackgroundJobsMax = 2;
constexpr int kOpenFilesMax = 256;
constexpr size_t kInfoLogBytesMax = size_t{1} << 20;
constexpr size_t kInfoLogFilesMax = 2;
constexpr double kBloomBitsPerKey = 10;
constexpr double kMemtableBloomRatio = 0.01;
constexpr size_t kBlockBytes = size_t{8} << 10;

rocksdb::CompressionType FastCompression() {
  const auto supported = rocksdb::GetSupportedCompressions();
  const bool lz4 =
      std::find(supported.begin(), supported.end(), rocksdb::kLZ4Compression) != supported.end();
  return lz4 ? rocksdb::kLZ4Compression : rocksdb::kNoCompression;
}

rocksdb::DBOptions DatabaseOptions(const SharedMemory::Impl& memory) {
  rocksdb::DBOptions options;
  options.create_if_missing = true;
  options.write_buffer_manager = memory.write_buffers;
  options.max_background_jobs = kBackgroundJobsMax;
  options.max_open_files = kOpenFilesMax;
  options.max_total_wal_size = kWalBytesMax;
  options.max_log_file_size = kInfoLogBytesMax;
  options.keep_log_file_num = kInfoLogFilesMax;
  options.info_log_level = rocksdb::WARN_LEVEL;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.skip_stats_update_on_db_open = true;
  // An open is on the way of every start. What the log holds goes back into memtables, not through
  // them into files; and RocksDB would make 16 threads to open a handful of files, twice.
  options.avoid_flush_during_recovery = true;
  options.max_file_opening_threads = 1;
  options.statistics = memory.events;
  options.listeners = {memory.errors};
  return options;
}

rocksdb::ColumnFamilyOptions StoreOptions(const SharedMemory::Impl& memory) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = memory.block_cache;
  table.block_size = kBlockBytes;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(kBloomBitsPerKey));
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;

  rocksdb::ColumnFamilyOptions options;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.compression = FastCompression();
  options.write_buffer_size = kMemtableBytes;
  options.max_write_buffer_number = kMemtablesMax;
  options.arena_block_size = kMemtableBlockBytes;
  // A commit inserts its rows in order: with one hint for all, each search begins at the row before
  // it and not at the top, a sixth less CPU for a commit.
  options.memtable_insert_with_hint_prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(0));
  // Looking for a key that is not there is the common case of a new row.
  options.memtable_prefix_bloom_size_ratio = kMemtableBloomRatio;
  options.memtable_whole_key_filtering = true;
  return options;
}

/// A few small rows that each commit replaces.
rocksdb::ColumnFamilyOptions MetaOptions(const SharedMemory::Impl& memory) {
  rocksdb::ColumnFamilyOptions options = StoreOptions(memory);
  options.write_buffer_size = kMetaMemtableBytes;
  options.memtable_prefix_bloom_size_ratio = 0;
  return options;
}

/// Makes what earlier processes wrote to the log outlive the machine. Since an open does not flush, it
/// stays in those files alone, while RocksDB syncs only files that it began itself before it moves
/// one family's rows into a table file. With power lost behind that, the positions might be in such a
/// table and the rows up to them in a log that never came to the disk.
base::Status SyncLogs(const std::filesystem::path& directory, const std::string& what) {
  std::error_code error;
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    if (it->path().extension() != ".log") continue;
    const int file = open(it->path().c_str(), O_RDONLY | O_CLOEXEC);
    // RocksDB deletes what it needs no more in the background.
    if (file < 0 && errno == ENOENT) continue;
    const bool synced = file >= 0 && fdatasync(file) == 0;
    const int why = errno;
    if (file >= 0) close(file);
    if (!synced) {
      return base::Status::Internal(what + ": syncing " + it->path().filename().string() + ": " +
                                    std::generic_category().message(why));
    }
  }
  if (error) return base::Status::Internal(what + ": " + error.message());
  return base::Status::Ok();
}

/// RocksDB gives a lock that is held no code of its own, only these words.
bool IsLocked(const rocksdb::Status& status) {
  const std::string text = status.ToString();
  return text.find("While lock file") != std::string::npos ||
         text.find("lock hold by current process") != std::string::npos;
}

}  // namespace

std::string StoreKey(std::string_view name) {
  std::string key(1, kStoreTag);
  key.append(name);
  return key;
}

base::Status ToStatus(const rocksdb::Status& status, std::string_view what) {
  if (status.ok()) return base::Status::Ok();
  std::string message(what);
  message.append(": ").append(status.ToString());
  if (IsLocked(status) || status.IsBusy() || status.IsTryAgain() || status.IsTimedOut()) {
    return base::Status::Unavailable(std::move(message));
  }
  // A path that is missing inside a database is a lost file; an option or a format that this
  // build does not know makes the rows unreadable all the same.
  if (status.IsCorruption() || status.IsPathNotFound() || status.IsNotFound() ||
      status.IsInvalidArgument() || status.IsNotSupported()) {
    return base::Status::Corruption(std::move(message));
  }
  if (status.IsNoSpace()) {
    return base::Status::Fatal("the disk is full; nothing is lost: make room and start again (" +
                               message + ")");
  }
  // A disk that failed once may do so for a while only; whoever opens the database anew finds out.
  if (status.IsIOError()) return base::Status::Internal(std::move(message));
  return base::Status::Fatal(std::move(message));
}

SharedMemory::SharedMemory(size_t block_cache_bytes, size_t write_buffer_bytes)
    : impl_(std::make_unique<Impl>()) {
  impl_->block_cache = rocksdb::NewLRUCache(block_cache_bytes);
  impl_->block_cache_bytes = block_cache_bytes;
  impl_->write_buffers =
      std::make_shared<rocksdb::WriteBufferManager>(write_buffer_bytes, impl_->block_cache);
}

SharedMemory::~SharedMemory() = default;

DatabaseFigures SharedMemory::Figures() const {
  DatabaseFigures figures;
  impl_->open->AddFigures(&figures);
  figures.block_cache_bytes = impl_->block_cache->GetUsage();
  figures.block_cache_capacity_bytes = impl_->block_cache->GetCapacity();
  const EventCounts::Totals totals = impl_->events->Read();
  figures.block_cache_hits = totals.block_cache_hits;
  figures.block_cache_misses = totals.block_cache_misses;
  figures.write_stalls = std::chrono::microseconds(totals.stall_micros);
  figures.flush_bytes = totals.flush_bytes;
  figures.compaction_read_bytes = totals.compaction_read_bytes;
  figures.compaction_write_bytes = totals.compaction_write_bytes;
  figures.background_errors = impl_->errors->count();
  return figures;
}

void OpenDatabases::Add(const Database* database) {
  const base::MutexLock lock(mutex_);
  databases_.insert(database);
}

void OpenDatabases::Remove(const Database* database) {
  const base::MutexLock lock(mutex_);
  databases_.erase(database);
}

void OpenDatabases::AddFigures(DatabaseFigures* figures) const {
  // With the lock, so that none of them closes meanwhile.
  const base::MutexLock lock(mutex_);
  for (const Database* database : databases_) database->AddFigures(figures);
}

void SharedMemory::Lend(size_t bytes) {
  CHECK(bytes <= impl_->block_cache_bytes, "more memory lent than there is");
  impl_->block_cache->SetCapacity(impl_->block_cache_bytes - bytes);
}

Database::Database(const TaskState::Options& options)
    : directory_(options.directory), stores_(options.stores) {}

base::Result<std::shared_ptr<Database>> Database::Open(const TaskState::Options& options) {
  CHECK(options.memory != nullptr, "TaskState::Options::memory is not set");
  const std::string path = options.directory.string();
  const std::string what = "opening " + path;

  std::error_code error;
  std::filesystem::create_directories(options.directory, error);
  if (error) return base::Status::Fatal(what + ": " + error.message());

  const SharedMemory::Impl& memory = options.memory->impl();
  const rocksdb::DBOptions database_options = DatabaseOptions(memory);
  std::vector<std::string> names = {rocksdb::kDefaultColumnFamilyName};
  if (std::filesystem::exists(options.directory / "CURRENT", error)) {
    names.clear();
    const rocksdb::Status listed = rocksdb::DB::ListColumnFamilies(database_options, path, &names);
    if (!listed.ok()) return ToStatus(listed, what);
  }
  for (const StoreSpec& store : options.stores) {
    CHECK(!store.name.empty() && store.name != rocksdb::kDefaultColumnFamilyName,
          "not a name for a store");
  }

  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  descriptors.reserve(names.size());
  const rocksdb::ColumnFamilyOptions store_options = StoreOptions(memory);
  for (const std::string& name : names) {
    const bool meta = name == rocksdb::kDefaultColumnFamilyName;
    descriptors.emplace_back(name, meta ? MetaOptions(memory) : store_options);
  }

  std::shared_ptr<Database> database(new Database(options));
  rocksdb::DB* opened = nullptr;
  const rocksdb::Status status =
      rocksdb::DB::Open(database_options, path, descriptors, &database->handles_, &opened);
  if (!status.ok()) return ToStatus(status, what);
  database->db_.reset(opened);
  RETURN_IF_ERROR(SyncLogs(options.directory, what));

  const auto find = [&](const std::string& name) {
    const auto at = std::find(names.begin(), names.end(), name);
    return at == names.end() ? nullptr
                             : database->handles_[static_cast<size_t>(at - names.begin())];
  };
  database->meta_ = find(rocksdb::kDefaultColumnFamilyName);
  for (const StoreSpec& store : options.stores) {
    if (rocksdb::ColumnFamilyHandle* const family = find(store.name)) {
      database->families_.push_back(family);
    } else {
      RETURN_IF_ERROR(database->MakeStore(store, store_options));
    }
  }
  database->listed_ = memory.open;
  database->listed_->Add(database.get());
  return database;
}

/// A manifest that has lost its end, or a database made anew beside an old log, has the positions,
/// which are in the log, but not the families of the stores: RocksDB passes over their rows in the
/// log. So a store that was there before is not made again.
base::Status Database::MakeStore(const StoreSpec& store,
                                 const rocksdb::ColumnFamilyOptions& options) {
  const std::string what = "opening " + directory_.string();
  std::string ignored;
  const rocksdb::Status known =
      db_->Get(rocksdb::ReadOptions(), meta_, StoreKey(store.name), &ignored);
  if (known.ok()) {
    return base::Status::Corruption(what + ": store " + store.name +
                                    " is gone, but the positions are there");
  }
  if (!known.IsNotFound()) return ToStatus(known, what);
  rocksdb::ColumnFamilyHandle* family = nullptr;
  const rocksdb::Status made = db_->CreateColumnFamily(options, store.name, &family);
  if (!made.ok()) return ToStatus(made, what);
  handles_.push_back(family);
  families_.push_back(family);
  return base::Status::Ok();
}

Database::~Database() {
  if (listed_ != nullptr) listed_->Remove(this);
  if (db_ == nullptr) return;
  if (broken_) {
    // The process is about to end: see MarkBroken().
    [[maybe_unused]] rocksdb::DB* const left_open = db_.release();
    return;
  }
  for (rocksdb::ColumnFamilyHandle* handle : handles_) {
    db_->DestroyColumnFamilyHandle(handle).PermitUncheckedError();
  }
  db_->Close().PermitUncheckedError();
}

size_t Database::IndexOf(std::string_view store) const {
  const auto at = std::find_if(stores_.begin(), stores_.end(),
                               [&](const StoreSpec& spec) { return spec.name == store; });
  CHECK(at != stores_.end(), "no such store in this task: " + std::string(store));
  return static_cast<size_t>(at - stores_.begin());
}

void Database::AddFigures(DatabaseFigures* figures) const {
  using Properties = rocksdb::DB::Properties;
  const auto ask = [this](rocksdb::ColumnFamilyHandle* family, const std::string& property) {
    uint64_t value = 0;
    return db_->GetIntProperty(family, property, &value) ? value : 0;
  };
  ++figures->databases;
  const auto add_family = [&](rocksdb::ColumnFamilyHandle* family, StoreFigures* store) {
    const uint64_t rows = ask(family, Properties::kEstimateNumKeys);
    const uint64_t sst_bytes = ask(family, Properties::kLiveSstFilesSize);
    const uint64_t memtable_bytes = ask(family, Properties::kCurSizeAllMemTables);
    figures->live_sst_bytes += sst_bytes;
    figures->memtable_bytes += memtable_bytes;
    figures->pending_compaction_bytes += ask(family, Properties::kEstimatePendingCompactionBytes);
    std::string text;
    if (db_->GetProperty(family, Properties::kNumFilesAtLevelPrefix + "0", &text)) {
      uint64_t files = 0;
      std::from_chars(text.data(), text.data() + text.size(), files);
      figures->level0_files_max = std::max(figures->level0_files_max, files);
    }
    if (store == nullptr) return;
    figures->estimated_keys += rows;
    store->rows += rows;
    store->bytes += sst_bytes + memtable_bytes;
  };
  add_family(meta_, nullptr);
  for (size_t i = 0; i < families_.size(); ++i) {
    add_family(families_[i], &figures->stores[stores_[i].name]);
  }
  // Of the whole database, whichever family is asked.
  figures->running_compactions += ask(meta_, Properties::kNumRunningCompactions);
  figures->running_flushes += ask(meta_, Properties::kNumRunningFlushes);
  if (ask(meta_, Properties::kIsWriteStopped) > 0) ++figures->stopped_databases;
  if (ask(meta_, Properties::kActualDelayedWriteRate) > 0) ++figures->delayed_databases;
}

base::Status DestroyDatabase(const std::filesystem::path& directory) {
  const std::string what = "deleting " + directory.string();
  std::error_code error;
  if (!std::filesystem::exists(directory, error)) {
    return error ? base::Status::Fatal(what + ": " + error.message()) : base::Status::Ok();
  }
  // RocksDB's own lock, held meanwhile, shows that nobody has it open.
  rocksdb::Env* const env = rocksdb::Env::Default();
  rocksdb::FileLock* lock = nullptr;
  const rocksdb::Status locked = env->LockFile((directory / "LOCK").string(), &lock);
  if (!locked.ok()) return ToStatus(locked, what);
  std::filesystem::remove_all(directory, error);
  env->UnlockFile(lock).PermitUncheckedError();
  // Somebody who tries to open it makes a log file before he finds it locked.
  if (error == std::errc::directory_not_empty) {
    return base::Status::Unavailable(what + ": " + error.message());
  }
  if (error) return base::Status::Fatal(what + ": " + error.message());
  return base::Status::Ok();
}

}  // namespace state
