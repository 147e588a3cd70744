#include "tests/support/memory_task_state.h"

#include <deque>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "state/pending_writes.h"

namespace support {
namespace {

using base::Offset;
using base::Positions;
using base::Result;
using base::Status;
using base::TopicPartition;
using state::PendingWrites;
using state::RowVisitor;
using state::StoreSpec;

using Rows = std::map<std::string, std::string, std::less<>>;

/// All that one database holds.
struct Contents {
  std::map<std::string, Rows, std::less<>> stores;
  Positions positions;
  std::map<std::string, std::string, std::less<>> notes;
};

/// What a write has replaced, newest last.
struct Replaced {
  std::vector<std::tuple<std::string, std::string, std::optional<std::string>>> rows;
  std::vector<std::pair<TopicPartition, std::optional<Offset>>> positions;
  std::vector<std::pair<std::string, std::optional<std::string>>> notes;
};

template <typename Map, typename Key>
std::optional<typename Map::mapped_type> Lookup(const Map& map, const Key& key) {
  const auto it = map.find(key);
  if (it == map.end()) return std::nullopt;
  return it->second;
}

template <typename Map, typename Key>
void Set(Map& map, const Key& key, const std::optional<typename Map::mapped_type>& value) {
  const auto it = map.find(key);
  if (!value.has_value()) {
    if (it != map.end()) map.erase(it);
  } else if (it != map.end()) {
    it->second = *value;
  } else {
    map.emplace(key, *value);
  }
}

/// The rows with begin <= key < end, as a pair of iterators.
std::pair<Rows::const_iterator, Rows::const_iterator> Range(const Rows& rows,
                                                            std::string_view begin,
                                                            std::string_view end) {
  if (!end.empty() && begin >= end) return {rows.end(), rows.end()};
  return {rows.lower_bound(begin), end.empty() ? rows.end() : rows.lower_bound(end)};
}

}  // namespace

/// A database on the disk.
struct MemoryTaskStates::Database {
  std::mutex mutex;  ///< For all of it.
  /// Shared with snapshots: written in place when there is none, else copied first.
  std::shared_ptr<Contents> contents = std::make_shared<Contents>();
  std::vector<Replaced> tail;
  bool spoiled = false;
  /// Held by the state and its readers.
  std::weak_ptr<void> opened;

  Contents& Writable() {
    if (contents.use_count() > 1) contents = std::make_shared<Contents>(*contents);
    return *contents;
  }

  std::shared_ptr<Database> Copy() {
    const std::lock_guard lock(mutex);
    auto copy = std::make_shared<Database>();
    copy->contents = contents;
    copy->spoiled = spoiled;
    return copy;
  }
};

namespace {

using Database = MemoryTaskStates::Database;

/// An open database: as long as one of these lives it is locked.
struct Opened {
  std::shared_ptr<Database> database;
  std::vector<StoreSpec> stores;

  size_t IndexOf(std::string_view name) const {
    for (size_t i = 0; i < stores.size(); ++i) {
      if (stores[i].name == name) return i;
    }
    CHECK(false, "no such store in this task: " + std::string(name));
    return 0;
  }
};

class SnapshotStore final : public state::ReadableStore {
 public:
  explicit SnapshotStore(const Rows& rows) : rows_(rows) {}

  Result<std::optional<std::string>> Get(std::string_view key) const override {
    return Lookup(rows_, key);
  }
  Status Scan(std::string_view begin, std::string_view end,
              const RowVisitor& visitor) const override {
    const auto [first, last] = Range(rows_, begin, end);
    for (auto it = first; it != last; ++it) {
      if (!visitor(it->first, it->second)) break;
    }
    return Status::Ok();
  }
  Status ScanReverse(std::string_view begin, std::string_view end,
                     const RowVisitor& visitor) const override {
    const auto [first, last] = Range(rows_, begin, end);
    for (auto it = last; it != first;) {
      --it;
      if (!visitor(it->first, it->second)) break;
    }
    return Status::Ok();
  }

 private:
  const Rows& rows_;
};

class SnapshotView final : public state::TaskReader::View {
 public:
  explicit SnapshotView(std::shared_ptr<const Opened> opened) : opened_(std::move(opened)) {
    const std::lock_guard lock(opened_->database->mutex);
    contents_ = opened_->database->contents;
    for (const StoreSpec& spec : opened_->stores) {
      stores_.emplace_back(contents_->stores.find(spec.name)->second);
    }
  }

  const state::ReadableStore& Store(std::string_view name) const override {
    return stores_[opened_->IndexOf(name)];
  }

 private:
  const std::shared_ptr<const Opened> opened_;
  std::shared_ptr<const Contents> contents_;
  std::deque<SnapshotStore> stores_;
};

class MemoryReader final : public state::TaskReader {
 public:
  explicit MemoryReader(std::shared_ptr<const Opened> opened) : opened_(std::move(opened)) {}

  std::unique_ptr<View> Snapshot() const override {
    return std::make_unique<SnapshotView>(opened_);
  }

 private:
  const std::shared_ptr<const Opened> opened_;
};

/// One store as its task sees it: pending writes over committed rows.
class MemoryStore final : public state::KeyValueStore {
 public:
  MemoryStore(Database& database, const StoreSpec& spec) : database_(database), spec_(spec) {}

  Result<std::optional<std::string>> Get(std::string_view key) const override {
    if (const PendingWrites::Entry* waiting = pending_.Find(key)) return waiting->value;
    return Lookup(Committed(), key);
  }
  Status Scan(std::string_view begin, std::string_view end,
              const RowVisitor& visitor) const override {
    Walk(begin, end, false, visitor);
    return Status::Ok();
  }
  Status ScanReverse(std::string_view begin, std::string_view end,
                     const RowVisitor& visitor) const override {
    Walk(begin, end, true, visitor);
    return Status::Ok();
  }

  void Put(std::string_view key, std::string value) override {
    CHECK(value.size() <= state::kValueBytesMax, "a value is too long for store " + spec_.name);
    Write(key, std::move(value));
  }
  void Delete(std::string_view key) override { Write(key, std::nullopt); }

  PendingWrites& pending() { return pending_; }
  const PendingWrites& pending() const { return pending_; }
  const StoreSpec& spec() const { return spec_; }

 private:
  /// Only this object's owner writes rows, so it reads them without the lock.
  const Rows& Committed() const { return database_.contents->stores.find(spec_.name)->second; }

  void Write(std::string_view key, std::optional<std::string> value) {
    CHECK(key.size() <= state::kKeyBytesMax, "a key is too long for store " + spec_.name);
    CHECK(scans_ == 0, "a visitor wrote to the store it visits: " + spec_.name);
    pending_.Write(key, std::move(value));
  }

  /// Merges both in one order; a pending write hides the committed row under the same key.
  void Walk(std::string_view begin, std::string_view end, bool reverse,
            const RowVisitor& visitor) const {
    if (!end.empty() && begin >= end) return;
    const auto waiting = pending_.Range(begin, end, reverse);
    auto [first, last] = Range(Committed(), begin, end);
    const auto next_row = [&] { return reverse ? std::prev(last) : first; };
    const auto advance_row = [&] { reverse ? --last : ++first; };
    ++scans_;
    for (bool more = true; more && (first != last || waiting->Valid());) {
      int order = waiting->Valid() ? -1 : 1;  // Below 0: the pending write is next.
      if (waiting->Valid() && first != last) {
        order = waiting->entry().key.compare(next_row()->first);
        if (reverse) order = -order;
      }
      if (order > 0) {
        const auto row = next_row();
        advance_row();
        more = visitor(row->first, row->second);
        continue;
      }
      if (order == 0) advance_row();
      if (waiting->entry().value) more = visitor(waiting->entry().key, *waiting->entry().value);
      waiting->Advance();
    }
    --scans_;
  }

  Database& database_;
  const StoreSpec& spec_;
  PendingWrites pending_;
  mutable int scans_ = 0;
};

class MemoryTaskState final : public state::TaskState {
 public:
  explicit MemoryTaskState(std::shared_ptr<Opened> opened) : opened_(std::move(opened)) {
    for (const StoreSpec& spec : opened_->stores) stores_.emplace_back(*opened_->database, spec);
  }

  state::KeyValueStore& Store(std::string_view name) override {
    return stores_[opened_->IndexOf(name)];
  }

  void BeginRecord() override {
    for (MemoryStore& store : stores_) store.pending().BeginRecord();
  }
  void RollbackRecord() override {
    for (MemoryStore& store : stores_) store.pending().RollbackRecord();
  }

  size_t pending_bytes() const override {
    size_t bytes = 0;
    for (const MemoryStore& store : stores_) bytes += store.pending().bytes();
    return bytes;
  }
  bool has_pending() const override {
    for (const MemoryStore& store : stores_) {
      if (!store.pending().empty()) return true;
    }
    return false;
  }

  Status VisitPending(const PendingVisitor& visitor) const override {
    for (const MemoryStore& store : stores_) {
      if (!store.spec().changelog) continue;
      for (const auto& [begin, entry] : store.pending().Sorted()) {
        RETURN_IF_ERROR(visitor(store.spec().name, entry->key, entry->value));
      }
    }
    return Status::Ok();
  }

  Status Commit(const Positions& positions) override {
    Batch batch(*opened_->database);
    for (MemoryStore& store : stores_) {
      for (const auto& [begin, entry] : store.pending().Sorted()) {
        batch.Write(store.spec().name, entry->key, entry->value);
      }
      store.pending().Clear();
    }
    for (const auto& [tp, position] : positions) batch.MoveTo(tp, position);
    return Status::Ok();
  }

  void DropPending() override {
    for (MemoryStore& store : stores_) store.pending().Clear();
  }

  Status ApplyRestored(std::string_view store, std::span<const state::RestoredRow> rows,
                       const TopicPartition& changelog, Offset position) override {
    CHECK(!has_pending(), "restored rows beside pending writes");
    const StoreSpec& spec = opened_->stores[opened_->IndexOf(store)];
    CHECK(spec.changelog, "restored rows of a store without a changelog: " + spec.name);
    Batch batch(*opened_->database);
    for (const state::RestoredRow& row : rows) {
      std::optional<std::string> value;
      if (row.value.has_value()) value = std::string(*row.value);
      batch.Write(spec.name, row.key, value);
    }
    batch.MoveTo(changelog, position);
    return Status::Ok();
  }

  std::optional<Offset> Position(const TopicPartition& tp) const override {
    return Lookup(opened_->database->contents->positions, tp);
  }
  Positions AllPositions() const override { return opened_->database->contents->positions; }

  Status PutNote(std::string_view name, std::string_view value) override {
    Batch(*opened_->database).Note(name, value);
    return Status::Ok();
  }
  std::optional<std::string> Note(std::string_view name) const override {
    return Lookup(opened_->database->contents->notes, name);
  }

  std::shared_ptr<const state::TaskReader> MakeReader() const override {
    return std::make_shared<MemoryReader>(opened_);
  }

 private:
  /// One write, seen by others as a whole; what it replaced goes to the tail.
  class Batch {
   public:
    explicit Batch(Database& database)
        : lock_(database.mutex), database_(database), contents_(database.Writable()) {}
    ~Batch() {
      if (replaced_.rows.empty() && replaced_.positions.empty() && replaced_.notes.empty()) return;
      database_.tail.push_back(std::move(replaced_));
    }
    Batch(const Batch&) = delete;
    Batch& operator=(const Batch&) = delete;

    void Write(const std::string& store, std::string_view key,
               const std::optional<std::string>& value) {
      Rows& rows = contents_.stores.find(store)->second;
      replaced_.rows.emplace_back(store, key, Lookup(rows, key));
      Set(rows, key, value);
    }
    void MoveTo(const TopicPartition& tp, Offset position) {
      const std::optional<Offset> before = Lookup(contents_.positions, tp);
      if (before == position) return;
      replaced_.positions.emplace_back(tp, before);
      contents_.positions[tp] = position;
    }
    void Note(std::string_view name, std::string_view value) {
      replaced_.notes.emplace_back(name, Lookup(contents_.notes, name));
      contents_.notes.insert_or_assign(std::string(name), std::string(value));
    }

   private:
    const std::lock_guard<std::mutex> lock_;
    Database& database_;
    Contents& contents_;
    Replaced replaced_;
  };

  const std::shared_ptr<Opened> opened_;
  std::deque<MemoryStore> stores_;
};

}  // namespace

MemoryTaskStates::~MemoryTaskStates() = default;

MemoryTaskStates::Database* MemoryTaskStates::Find(const std::filesystem::path& directory) const {
  const auto it = databases_.find(directory);
  return it == databases_.end() ? nullptr : it->second.get();
}

Result<std::unique_ptr<state::TaskState>> MemoryTaskStates::Open(
    const state::TaskState::Options& options) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<Database>& database = databases_[options.directory];
  if (database == nullptr) database = std::make_shared<Database>();
  const std::lock_guard database_lock(database->mutex);
  const std::string what = "opening " + options.directory.string();
  if (!database->opened.expired()) return Status::Unavailable(what + ": it is open");
  if (database->spoiled) return Status::Corruption(what + ": ordered to be unreadable");
  Contents& contents = database->Writable();
  for (const StoreSpec& spec : options.stores) contents.stores.try_emplace(spec.name);
  // Opening RocksDB moves what it finds in the log into files that a crash leaves alone.
  database->tail.clear();
  auto opened = std::make_shared<Opened>(Opened{database, options.stores});
  database->opened = opened;
  return std::unique_ptr<state::TaskState>(std::make_unique<MemoryTaskState>(std::move(opened)));
}

Status MemoryTaskStates::Destroy(const std::filesystem::path& directory) {
  const std::lock_guard lock(mutex_);
  Database* const database = Find(directory);
  if (database == nullptr) return Status::Ok();
  if (!database->opened.expired()) {
    return Status::Unavailable("deleting " + directory.string() + ": it is open");
  }
  databases_.erase(directory);
  return Status::Ok();
}

std::vector<std::filesystem::path> MemoryTaskStates::Databases() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::filesystem::path> directories;
  for (const auto& [directory, database] : databases_) directories.push_back(directory);
  return directories;
}

size_t MemoryTaskStates::TailBatches(const std::filesystem::path& directory) const {
  const std::lock_guard lock(mutex_);
  const Database* const database = Find(directory);
  return database == nullptr ? 0 : database->tail.size();
}

void MemoryTaskStates::LoseTail(const std::filesystem::path& directory, size_t batches) {
  const std::lock_guard lock(mutex_);
  Database* const database = Find(directory);
  CHECK(batches == 0 || (database != nullptr && batches <= database->tail.size()),
        "more than can be lost of " + directory.string());
  for (; batches > 0; --batches) {
    Contents& contents = database->Writable();
    const Replaced& replaced = database->tail.back();
    for (auto it = replaced.rows.rbegin(); it != replaced.rows.rend(); ++it) {
      const auto& [store, key, before] = *it;
      Set(contents.stores.find(store)->second, key, before);
    }
    for (const auto& [tp, before] : replaced.positions) Set(contents.positions, tp, before);
    for (const auto& [name, before] : replaced.notes) Set(contents.notes, name, before);
    database->tail.pop_back();
  }
}

void MemoryTaskStates::Spoil(const std::filesystem::path& directory) {
  const std::lock_guard lock(mutex_);
  if (Database* const database = Find(directory)) database->spoiled = true;
}

void MemoryTaskStates::Lose() {
  const std::lock_guard lock(mutex_);
  databases_.clear();
}

void MemoryTaskStates::Remember() {
  const std::lock_guard lock(mutex_);
  remembered_.clear();
  for (const auto& [directory, database] : databases_) {
    remembered_.emplace(directory, database->Copy());
  }
}

std::vector<std::filesystem::path> MemoryTaskStates::Remembered() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::filesystem::path> directories;
  for (const auto& [directory, database] : remembered_) directories.push_back(directory);
  return directories;
}

void MemoryTaskStates::PutBack(const std::filesystem::path& directory) {
  const std::lock_guard lock(mutex_);
  databases_[directory] = remembered_.at(directory)->Copy();
}

void MemoryTaskStates::PutBackAll() {
  const std::lock_guard lock(mutex_);
  databases_.clear();
  for (const auto& [directory, database] : remembered_) {
    databases_.emplace(directory, database->Copy());
  }
}

}  // namespace support
