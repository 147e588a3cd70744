#include <rocksdb/db.h>
#include <rocksdb/perf_level.h>
#include <rocksdb/write_batch.h>

#include <deque>
#include <map>
#include <set>
#include <utility>

#include "base/check.h"
#include "state/key_encoding.h"
#include "state/pending_writes.h"
#include "state/rocksdb_database.h"
#include "state/rocksdb_reader.h"
#include "state/row_cache.h"
#include "state/task_state.h"

namespace state {
namespace {

// The meta family; docs/formats.md describes the bytes.
constexpr std::string_view kFormatKey = "f";
constexpr std::string_view kFormatVersion = "1";
constexpr char kPositionTag = 'p';
constexpr char kNoteTag = 'n';

// Of each store of each task.
constexpr size_t kRowCacheBytesMax = size_t{1} << 20;
constexpr size_t kCachedValueBytesMax = size_t{4} << 10;
// A batch that grew beyond this is not kept for the next commit.
constexpr size_t kBatchBytesKept = size_t{4} << 20;

std::string PositionKey(const base::TopicPartition& tp) {
  std::string key(1, kPositionTag);
  AppendString(key, tp.topic);
  AppendInt64(key, tp.partition.value);
  return key;
}

std::string NoteKey(std::string_view name) {
  std::string key(1, kNoteTag);
  key.append(name);
  return key;
}

std::string PositionValue(base::Offset position) {
  std::string value;
  AppendInt64(value, position.value);
  return value;
}

/// One store as its task sees it: pending writes over committed rows.
class RocksdbStore final : public KeyValueStore {
 public:
  RocksdbStore(const Database& database, size_t index)
      : database_(database), index_(index), cache_(kRowCacheBytesMax) {}

  base::Result<std::optional<std::string>> Get(std::string_view key) const override;

  base::Status Scan(std::string_view begin, std::string_view end,
                    const RowVisitor& visitor) const override {
    return Walk(begin, end, false, visitor);
  }
  base::Status ScanReverse(std::string_view begin, std::string_view end,
                           const RowVisitor& visitor) const override {
    return Walk(begin, end, true, visitor);
  }

  void Put(std::string_view key, std::string value) override {
    CHECK(value.size() <= kValueBytesMax, "a value is too long for store " + name());
    Write(key, std::move(value));
  }
  void Delete(std::string_view key) override { Write(key, std::nullopt); }

  PendingWrites& pending() { return pending_; }
  const PendingWrites& pending() const { return pending_; }
  const std::string& name() const { return database_.stores()[index_].name; }
  bool changelog() const { return database_.stores()[index_].changelog; }
  rocksdb::ColumnFamilyHandle* family() const { return database_.family(index_); }

  /// The pending writes, ascending. REQUIRES: no scan is under way.
  std::span<const PendingWrites::Ordered> Sorted() const {
    CHECK(scans_ == 0, "a visitor commits the store it visits: " + name());
    return pending_.Sorted();
  }
  /// The pending writes are committed.
  void OnCommitted();
  /// Rows were written beside this object.
  void ForgetCached() { cache_.Clear(); }

 private:
  void Write(std::string_view key, std::optional<std::string> value) {
    CHECK(key.size() <= kKeyBytesMax, "a key is too long for store " + name());
    CHECK(scans_ == 0, "a visitor wrote to the store it visits: " + name());
    pending_.Write(key, std::move(value));
  }
  base::Status Walk(std::string_view begin, std::string_view end, bool reverse,
                    const RowVisitor& visitor) const;

  const Database& database_;
  const size_t index_;
  PendingWrites pending_;
  mutable RowCache cache_;
  mutable int scans_ = 0;
};

base::Result<std::optional<std::string>> RocksdbStore::Get(std::string_view key) const {
  if (const PendingWrites::Entry* pending = pending_.Find(key)) return pending->value;
  if (const std::string* cached = cache_.Find(key)) return std::optional<std::string>(*cached);
  base::Result<std::optional<std::string>> row = GetCommitted(database_, index_, nullptr, key);
  if (row.ok() && row->has_value() && (*row)->size() <= kCachedValueBytesMax) {
    cache_.Add(key, **row);
  }
  return row;
}

void RocksdbStore::OnCommitted() {
  if (!cache_.empty()) {
    for (const auto& [begin, entry] : pending_.Sorted()) {
      if (entry->value && entry->value->size() <= kCachedValueBytesMax) {
        cache_.Update(entry->key, *entry->value);
      } else {
        cache_.Erase(entry->key);
      }
    }
  }
  pending_.Clear();
}

/// Merges both in one order; a pending write hides the committed row under the same key.
base::Status RocksdbStore::Walk(std::string_view begin, std::string_view end, bool reverse,
                                const RowVisitor& visitor) const {
  if (!end.empty() && begin >= end) return base::Status::Ok();
  const std::unique_ptr<PendingWrites::Cursor> pending = pending_.Range(begin, end, reverse);
  CommittedRows committed(database_, index_, nullptr, begin, end);
  rocksdb::Iterator& row = committed.iterator();
  const auto advance = [&] { reverse ? row.Prev() : row.Next(); };
  reverse ? row.SeekToLast() : row.SeekToFirst();

  ++scans_;
  bool more = true;
  while (more && row.status().ok() && (row.Valid() || pending->Valid())) {
    int order = row.Valid() ? 1 : -1;  // Below 0: the pending write is next.
    if (row.Valid() && pending->Valid()) {
      order = pending->entry().key.compare(ToView(row.key()));
      if (reverse) order = -order;
    }
    if (order > 0) {
      more = visitor(ToView(row.key()), ToView(row.value()));
      advance();
      continue;
    }
    if (order == 0) advance();
    const PendingWrites::Entry& entry = pending->entry();
    if (entry.value) more = visitor(entry.key, *entry.value);
    pending->Advance();
  }
  --scans_;
  return committed.status();
}

class RocksdbTaskState final : public TaskState {
 public:
  explicit RocksdbTaskState(std::shared_ptr<Database> database) : database_(std::move(database)) {
    for (size_t i = 0; i < database_->stores().size(); ++i) stores_.emplace_back(*database_, i);
  }

  /// Reads positions and notes; marks a new database with the format.
  base::Status LoadMeta();

  KeyValueStore& Store(std::string_view name) override { return stores_[database_->IndexOf(name)]; }

  void BeginRecord() override {
    for (RocksdbStore& store : stores_) store.pending().BeginRecord();
  }
  void RollbackRecord() override {
    for (RocksdbStore& store : stores_) store.pending().RollbackRecord();
  }

  size_t pending_bytes() const override {
    size_t bytes = 0;
    for (const RocksdbStore& store : stores_) bytes += store.pending().bytes();
    return bytes;
  }
  bool has_pending() const override {
    for (const RocksdbStore& store : stores_) {
      if (!store.pending().empty()) return true;
    }
    return false;
  }

  base::Status VisitPending(const PendingVisitor& visitor) const override;
  base::Status Commit(const Positions& positions) override;
  void DropPending() override {
    for (RocksdbStore& store : stores_) store.pending().Clear();
  }
  base::Status ApplyRestored(std::string_view store, std::span<const RestoredRow> rows,
                             const base::TopicPartition& changelog, base::Offset position) override;

  std::optional<base::Offset> Position(const base::TopicPartition& tp) const override {
    const auto it = positions_.find(tp);
    if (it == positions_.end()) return std::nullopt;
    return it->second;
  }
  Positions AllPositions() const override { return positions_; }

  base::Status PutNote(std::string_view name, std::string_view value) override;
  std::optional<std::string> Note(std::string_view name) const override {
    const auto it = notes_.find(name);
    if (it == notes_.end()) return std::nullopt;
    return it->second;
  }

  std::shared_ptr<const TaskReader> MakeReader() const override {
    return MakeRocksdbReader(database_);
  }

 private:
  base::Status LoadMetaRow(std::string_view key, std::string_view value);
  base::Status Write(rocksdb::WriteBatch& batch) {
    // RocksDB counts each comparison of keys in a variable of this thread unless told not to: an
    // eighth of a commit's CPU, and nobody reads it.
    rocksdb::SetPerfLevel(rocksdb::PerfLevel::kDisable);
    const std::string what = "writing to " + database_->directory().string();
    if (database_->broken()) return base::Status::Fatal(what + ": an earlier write failed");
    const rocksdb::Status written = database_->db().Write(rocksdb::WriteOptions(), &batch);
    if (written.ok()) return base::Status::Ok();
    base::Status status = ToStatus(written, what);
    if (status.code() != base::StatusCode::kInternal && status.code() != base::StatusCode::kFatal) {
      return status;
    }
    // Nobody can open it again within this process, so this is for the next one.
    database_->MarkBroken();
    return base::Status::Fatal(status.message());
  }

  const std::shared_ptr<Database> database_;
  std::deque<RocksdbStore> stores_;
  /// Kept between commits for its memory.
  rocksdb::WriteBatch batch_;
  Positions positions_;
  std::map<std::string, std::string, std::less<>> notes_;
  /// Stores that this database has had.
  std::set<std::string, std::less<>> known_stores_;
};

base::Status RocksdbTaskState::LoadMeta() {
  std::unique_ptr<rocksdb::Iterator> row(
      database_->db().NewIterator(rocksdb::ReadOptions(), database_->meta()));
  std::optional<std::string> format;
  bool empty = true;
  for (row->SeekToFirst(); row->Valid(); row->Next()) {
    empty = false;
    if (ToView(row->key()) == kFormatKey) {
      format = row->value().ToString();
    } else {
      RETURN_IF_ERROR(LoadMetaRow(ToView(row->key()), ToView(row->value())));
    }
  }
  const std::string what = "opening " + database_->directory().string();
  if (!row->status().ok()) return ToStatus(row->status(), what);
  if (format != kFormatVersion && !empty) {
    return base::Status::Corruption(what + ": format " + format.value_or("(none)") +
                                    " is not known here, only " + std::string(kFormatVersion));
  }
  rocksdb::WriteBatch batch;
  if (empty) batch.Put(database_->meta(), ToSlice(kFormatKey), ToSlice(kFormatVersion));
  for (const StoreSpec& store : database_->stores()) {
    if (known_stores_.insert(store.name).second) {
      batch.Put(database_->meta(), StoreKey(store.name), rocksdb::Slice());
    }
  }
  return batch.Count() > 0 ? Write(batch) : base::Status::Ok();
}

base::Status RocksdbTaskState::LoadMetaRow(std::string_view key, std::string_view value) {
  const char tag = key.empty() ? '\0' : key.front();
  std::string_view rest = key.substr(key.empty() ? 0 : 1);
  if (tag == kNoteTag) {
    notes_.emplace(rest, value);
    return base::Status::Ok();
  }
  if (tag == kStoreTag) {
    known_stores_.emplace(rest);
    return base::Status::Ok();
  }
  base::TopicPartition tp;
  int64_t partition = 0;
  base::Offset position;
  if (tag == kPositionTag && TakeString(rest, tp.topic) && TakeInt64(rest, partition) &&
      rest.empty() && TakeInt64(value, position.value) && value.empty()) {
    tp.partition.value = static_cast<int32_t>(partition);
    positions_[std::move(tp)] = position;
    return base::Status::Ok();
  }
  return base::Status::Corruption("opening " + database_->directory().string() +
                                  ": a row beside the stores cannot be read");
}

base::Status RocksdbTaskState::VisitPending(const PendingVisitor& visitor) const {
  for (const RocksdbStore& store : stores_) {
    if (!store.changelog()) continue;
    for (const auto& [begin, entry] : store.Sorted()) {
      RETURN_IF_ERROR(visitor(store.name(), entry->key, entry->value));
    }
  }
  return base::Status::Ok();
}

base::Status RocksdbTaskState::Commit(const Positions& positions) {
  batch_.Clear();
  for (const RocksdbStore& store : stores_) {
    for (const auto& [begin, entry] : store.Sorted()) {
      if (entry->value) {
        batch_.Put(store.family(), ToSlice(entry->key), ToSlice(*entry->value));
      } else {
        batch_.Delete(store.family(), ToSlice(entry->key));
      }
    }
  }
  for (const auto& [tp, position] : positions) {
    if (Position(tp) == position) continue;
    batch_.Put(database_->meta(), PositionKey(tp), PositionValue(position));
  }
  if (batch_.Count() > 0) RETURN_IF_ERROR(Write(batch_));
  for (const auto& [tp, position] : positions) positions_[tp] = position;
  for (RocksdbStore& store : stores_) store.OnCommitted();
  if (batch_.GetDataSize() > kBatchBytesKept) batch_ = rocksdb::WriteBatch();
  return base::Status::Ok();
}

base::Status RocksdbTaskState::ApplyRestored(std::string_view store,
                                             std::span<const RestoredRow> rows,
                                             const base::TopicPartition& changelog,
                                             base::Offset position) {
  CHECK(!has_pending(), "restored rows beside pending writes");
  RocksdbStore& target = stores_[database_->IndexOf(store)];
  CHECK(target.changelog(), "restored rows of a store without a changelog: " + target.name());
  rocksdb::WriteBatch batch;
  for (const RestoredRow& row : rows) {
    if (row.value) {
      batch.Put(target.family(), ToSlice(row.key), ToSlice(*row.value));
    } else {
      batch.Delete(target.family(), ToSlice(row.key));
    }
  }
  batch.Put(database_->meta(), PositionKey(changelog), PositionValue(position));
  RETURN_IF_ERROR(Write(batch));
  target.ForgetCached();
  positions_[changelog] = position;
  return base::Status::Ok();
}

base::Status RocksdbTaskState::PutNote(std::string_view name, std::string_view value) {
  rocksdb::WriteBatch batch;
  batch.Put(database_->meta(), NoteKey(name), ToSlice(value));
  RETURN_IF_ERROR(Write(batch));
  notes_[std::string(name)] = std::string(value);
  return base::Status::Ok();
}

}  // namespace

base::Result<std::unique_ptr<TaskState>> TaskState::Open(const Options& options) {
  base::Result<std::shared_ptr<Database>> database = Database::Open(options);
  if (!database.ok()) return database.status();
  auto state = std::make_unique<RocksdbTaskState>(std::move(database).value());
  RETURN_IF_ERROR(state->LoadMeta());
  return std::unique_ptr<TaskState>(std::move(state));
}

base::Status TaskState::Destroy(const std::filesystem::path& directory) {
  return DestroyDatabase(directory);
}

TaskStates& RocksdbTaskStates() {
  class OnDisk final : public TaskStates {
    base::Result<std::unique_ptr<TaskState>> Open(const TaskState::Options& options) override {
      return TaskState::Open(options);
    }
    base::Status Destroy(const std::filesystem::path& directory) override {
      return TaskState::Destroy(directory);
    }
  };
  static OnDisk on_disk;
  return on_disk;
}

}  // namespace state
