#include "state/rocksdb_reader.h"

#include <rocksdb/perf_level.h>

#include <atomic>
#include <utility>
#include <vector>

namespace state {
namespace {

std::string Describe(const Database& database, size_t store) {
  return "reading store " + database.stores()[store].name + " in " + database.directory().string();
}

bool IsEmptyRange(std::string_view begin, std::string_view end) {
  return !end.empty() && begin >= end;
}

class SnapshotStore final : public ReadableStore {
 public:
  SnapshotStore(const Database& database, size_t store, const rocksdb::Snapshot* snapshot)
      : database_(database), store_(store), snapshot_(snapshot) {}

  base::Result<std::optional<std::string>> Get(std::string_view key) const override {
    return GetCommitted(database_, store_, snapshot_, key);
  }

  base::Status Scan(std::string_view begin, std::string_view end,
                    const RowVisitor& visitor) const override {
    if (IsEmptyRange(begin, end)) return base::Status::Ok();
    CommittedRows rows(database_, store_, snapshot_, begin, end);
    rocksdb::Iterator& it = rows.iterator();
    for (it.SeekToFirst(); it.Valid(); it.Next()) {
      if (!visitor(ToView(it.key()), ToView(it.value()))) return base::Status::Ok();
    }
    return rows.status();
  }

  base::Status ScanReverse(std::string_view begin, std::string_view end,
                           const RowVisitor& visitor) const override {
    if (IsEmptyRange(begin, end)) return base::Status::Ok();
    CommittedRows rows(database_, store_, snapshot_, begin, end);
    rocksdb::Iterator& it = rows.iterator();
    for (it.SeekToLast(); it.Valid(); it.Prev()) {
      if (!visitor(ToView(it.key()), ToView(it.value()))) return base::Status::Ok();
    }
    return rows.status();
  }

 private:
  const Database& database_;
  const size_t store_;
  const rocksdb::Snapshot* const snapshot_;
};

class SnapshotView final : public TaskReader::View {
 public:
  SnapshotView(std::shared_ptr<const Database> database, uint64_t reader)
      : database_(std::move(database)),
        reader_(reader),
        snapshot_(database_->db().GetSnapshot()) {
    stores_.reserve(database_->stores().size());
    for (size_t i = 0; i < database_->stores().size(); ++i) {
      stores_.emplace_back(*database_, i, snapshot_);
    }
  }
  ~SnapshotView() override { database_->db().ReleaseSnapshot(snapshot_); }
  SnapshotView(const SnapshotView&) = delete;
  SnapshotView& operator=(const SnapshotView&) = delete;

  const ReadableStore& Store(std::string_view name) const override {
    return stores_[database_->IndexOf(name)];
  }
  uint64_t reader() const override { return reader_; }

 private:
  const std::shared_ptr<const Database> database_;
  const uint64_t reader_;
  const rocksdb::Snapshot* const snapshot_;
  std::vector<SnapshotStore> stores_;
};

class RocksdbReader final : public TaskReader {
 public:
  explicit RocksdbReader(std::shared_ptr<const Database> database)
      : database_(std::move(database)), number_(++last_number_) {}

  std::unique_ptr<View> Snapshot() const override {
    // Nobody looks at what RocksDB counts for each thread, and it is 7 % of the CPU of a GET.
    rocksdb::SetPerfLevel(rocksdb::PerfLevel::kDisable);
    return std::make_unique<SnapshotView>(database_, number_);
  }

 private:
  inline static std::atomic<uint64_t> last_number_{0};

  const std::shared_ptr<const Database> database_;
  const uint64_t number_;
};

}  // namespace

base::Result<std::optional<std::string>> GetCommitted(const Database& database, size_t store,
                                                      const rocksdb::Snapshot* snapshot,
                                                      std::string_view key) {
  rocksdb::ReadOptions options;
  options.snapshot = snapshot;
  std::string value;
  const rocksdb::Status status =
      database.db().Get(options, database.family(store), ToSlice(key), &value);
  if (status.ok()) return std::optional<std::string>(std::move(value));
  if (status.IsNotFound()) return std::optional<std::string>();
  return ToStatus(status, Describe(database, store));
}

CommittedRows::CommittedRows(const Database& database, size_t store,
                             const rocksdb::Snapshot* snapshot, std::string_view begin,
                             std::string_view end)
    : database_(database), store_(store), lower_bound_(ToSlice(begin)), upper_bound_(ToSlice(end)) {
  rocksdb::ReadOptions options;
  options.snapshot = snapshot;
  if (!begin.empty()) options.iterate_lower_bound = &lower_bound_;
  if (!end.empty()) options.iterate_upper_bound = &upper_bound_;
  iterator_.reset(database.db().NewIterator(options, database.family(store)));
}

base::Status CommittedRows::status() const {
  if (iterator_->status().ok()) return base::Status::Ok();
  return ToStatus(iterator_->status(), Describe(database_, store_));
}

std::shared_ptr<const TaskReader> MakeRocksdbReader(std::shared_ptr<const Database> database) {
  return std::make_shared<RocksdbReader>(std::move(database));
}

}  // namespace state
