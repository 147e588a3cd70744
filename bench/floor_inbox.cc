#include "bench/floor_inbox.h"

#include <rocksdb/filter_policy.h>
#include <rocksdb/perf_level.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace bench {
namespace {

// The sizes that Herald has by default.
constexpr size_t kBlockCacheBytes = size_t{64} << 20;
constexpr size_t kWriteBufferBytes = size_t{32} << 20;
constexpr size_t kMemtableBytes = size_t{16} << 20;
constexpr size_t kMemtableBlockBytes = size_t{128} << 10;
constexpr int kMemtablesMax = 3;
constexpr uint64_t kWalBytesMax = uint64_t{96} << 20;
constexpr int kBackgroundJobsMax = 2;
constexpr int kOpenFilesMax = 256;
constexpr double kBloomBitsPerKey = 10;
constexpr double kMemtableBloomRatio = 0.01;
constexpr size_t kBlockBytes = size_t{8} << 10;

// Kinds of rows, behind the recipient in a key.
constexpr char kHeadKind = 1;
constexpr char kItemKind = 2;
constexpr char kIdentityKind = 3;
constexpr char kTombstoneKind = 4;

constexpr char kFormat = 1;
constexpr char kHeadFormat = 2;
constexpr char kStandsFlag = 1;
constexpr uint64_t kSignBit = uint64_t{1} << 63;

[[noreturn]] void Die(const std::string& why) {
  std::fprintf(stderr, "floor_rows: %s\n", why.c_str());
  std::exit(1);
}

void Must(const rocksdb::Status& status, const char* what) {
  if (!status.ok()) Die(std::string(what) + ": " + status.ToString());
}

rocksdb::Slice ToSlice(std::string_view text) { return {text.data(), text.size()}; }
std::string_view ToView(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

void AppendBigEndian(std::string& out, uint64_t number) {
  char bytes[8];
  for (size_t i = 0; i < sizeof bytes; ++i) bytes[i] = static_cast<char>(number >> (56 - 8 * i));
  out.append(bytes, sizeof bytes);
}

uint64_t BigEndian(std::string_view bytes) {
  uint64_t number = 0;
  for (size_t i = 0; i < 8; ++i) number = number << 8 | static_cast<uint8_t>(bytes[i]);
  return number;
}

uint64_t Unsigned(int64_t number) { return static_cast<uint64_t>(number) ^ kSignBit; }

/// Newest first.
void AppendPlace(std::string& out, int64_t time_ms, uint64_t arrival) {
  AppendBigEndian(out, ~Unsigned(time_ms));
  AppendBigEndian(out, ~arrival);
}

void AppendVarint(std::string& out, uint64_t number) {
  for (; number >= 0x80; number >>= 7) out += static_cast<char>(number | 0x80);
  out += static_cast<char>(number);
}

void AppendSigned(std::string& out, int64_t number) {
  AppendVarint(out, (static_cast<uint64_t>(number) << 1) ^ static_cast<uint64_t>(number >> 63));
}

/// Reads the numbers of a row; a row that ends too early ends the process.
class Numbers {
 public:
  explicit Numbers(std::string_view row) : row_(row) {
    const char format = static_cast<char>(Byte());
    if (format != kFormat && format != kHeadFormat) Die("a row of an unknown format");
  }
  char Byte() {
    if (row_.empty()) Die("a row is too short");
    const char byte = row_.front();
    row_.remove_prefix(1);
    return byte;
  }
  uint64_t Varint() {
    uint64_t number = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<uint8_t>(Byte());
      number |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    return number;
  }
  int64_t Signed() {
    const uint64_t bits = Varint();
    return static_cast<int64_t>((bits >> 1) ^ (~(bits & 1) + 1));
  }
  std::string_view rest() const { return row_; }

 private:
  std::string_view row_;
};

/// No key is the beginning of another, and the order of the bytes is that of the ids.
std::string GroupOf(std::string_view recipient) {
  std::string group;
  for (const char c : recipient) {
    group += c;
    if (c == '\0') group += '\xff';
  }
  group += '\0';
  group += '\1';
  return group;
}

size_t GroupBytes(std::string_view key) {
  for (size_t i = 0; i + 1 < key.size(); ++i) {
    if (key[i] != '\0') continue;
    if (key[i + 1] == '\1') return i + 2;
    ++i;
  }
  Die("a key without its recipient");
}

rocksdb::DBOptions DatabaseOptions(const FloorMemory& memory) {
  rocksdb::DBOptions options;
  options.create_if_missing = true;
  options.error_if_exists = true;
  options.create_missing_column_families = true;
  options.write_buffer_manager = memory.write_buffers;
  options.max_background_jobs = kBackgroundJobsMax;
  options.max_open_files = kOpenFilesMax;
  options.max_total_wal_size = kWalBytesMax;
  options.info_log_level = rocksdb::WARN_LEVEL;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  return options;
}

rocksdb::ColumnFamilyOptions RowOptions(const FloorMemory& memory) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = memory.block_cache;
  table.block_size = kBlockBytes;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(kBloomBitsPerKey));
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  rocksdb::ColumnFamilyOptions options;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.compression = rocksdb::kLZ4Compression;
  options.write_buffer_size = kMemtableBytes;
  options.max_write_buffer_number = kMemtablesMax;
  options.arena_block_size = kMemtableBlockBytes;
  options.memtable_insert_with_hint_prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(0));
  options.memtable_prefix_bloom_size_ratio = kMemtableBloomRatio;
  options.memtable_whole_key_filtering = true;
  return options;
}

}  // namespace

FloorMemory::FloorMemory()
    : block_cache(rocksdb::NewLRUCache(kBlockCacheBytes)),
      write_buffers(std::make_shared<rocksdb::WriteBufferManager>(kWriteBufferBytes, block_cache)) {
}

FloorInbox::FloorInbox(const std::filesystem::path& directory, const FloorMemory& memory) {
  std::filesystem::create_directories(directory);
  const rocksdb::ColumnFamilyOptions rows = RowOptions(memory);
  const std::vector<rocksdb::ColumnFamilyDescriptor> families = {
      {rocksdb::kDefaultColumnFamilyName, rows}, {"inbox", rows}};
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* opened = nullptr;
  Must(rocksdb::DB::Open(DatabaseOptions(memory), directory.string(), families, &handles, &opened),
       "opening a new database");
  db_.reset(opened);
  meta_ = handles[0];
  inbox_ = handles[1];
}

FloorInbox::~FloorInbox() {
  for (rocksdb::ColumnFamilyHandle* family : {meta_, inbox_}) {
    Must(db_->DestroyColumnFamilyHandle(family), "closing a family");
  }
  Must(db_->Close(), "closing a database");
}

bool FloorInbox::Get(rocksdb::ColumnFamilyHandle* family, std::string_view key) {
  found_.Reset();
  const rocksdb::Status status = db_->Get(rocksdb::ReadOptions(), family, ToSlice(key), &found_);
  if (status.IsNotFound()) return false;
  Must(status, "reading a row");
  return true;
}

FloorInbox::Recipient& FloorInbox::FindRecipient(std::string_view id) {
  if (const auto found = by_id_.find(id); found != by_id_.end()) return *found->second;
  Recipient& recipient = recipients_.emplace_back();
  recipient.id = id;
  recipient.group = GroupOf(id);
  by_id_.emplace(recipient.id, &recipient);
  key_.assign(recipient.group) += kHeadKind;
  if (!Get(inbox_, key_)) return recipient;
  Numbers numbers(ToView(found_));
  recipient.head.version = numbers.Varint();
  recipient.head.total = numbers.Varint();
  for (int skipped = 0; skipped < 4; ++skipped) numbers.Varint();
  recipient.head.tombstones = numbers.Varint();
  recipient.head.oldest_ms = numbers.Signed();
  recipient.head.oldest_arrival = numbers.Varint();
  recipient.head.oldest_tombstone_ms = numbers.Signed();
  return recipient;
}

bool FloorInbox::FindKnown(const Recipient& recipient, const FloorIdentity& identity,
                           Known& known) {
  key_.assign(recipient.group) += kIdentityKind;
  key_.append(identity.data(), identity.size());
  if (!Get(inbox_, key_)) return false;
  Numbers numbers(ToView(found_));
  known.stands = (numbers.Byte() & kStandsFlag) != 0;
  known.decided_ms = numbers.Signed();
  if (known.stands) {
    known.item_ms = numbers.Signed();
    known.item_arrival = numbers.Varint();
    known.later_json = numbers.rest();
  } else {
    known.stamp_ms = numbers.Signed();
  }
  return true;
}

template <typename AppendKey, typename AppendValue>
size_t FloorInbox::Put(std::vector<Row>& rows, const AppendKey& append_key,
                       const AppendValue& append_value) {
  Row row;
  row.key_at = bytes_.size();
  append_key();
  row.key_bytes = bytes_.size() - row.key_at;
  append_value();
  row.value_bytes = bytes_.size() - row.key_at - row.key_bytes;
  rows.push_back(row);
  return rows.size() - 1;
}

template <typename AppendKey>
void FloorInbox::Delete(std::vector<Row>& rows, size_t row, const AppendKey& append_key) {
  if (row == kNoRow) row = Put(rows, append_key, [] {});
  rows[row].deleted = true;
}

void FloorInbox::AddItem(Recipient& recipient, const FloorIdentity& identity, Known& known,
                         int64_t time_ms, std::string_view json) {
  Head& head = recipient.head;
  const uint64_t arrival = head.version + 1;
  if (head.total == 0 || time_ms < head.oldest_ms) {
    head.oldest_ms = time_ms;
    head.oldest_arrival = arrival;
  }
  ++head.total;
  known.stands = true;
  known.decided_ms = known.item_ms = time_ms;
  known.item_arrival = arrival;
  known.item_row = Put(
      inbox_rows_,
      [&] {
        bytes_.append(recipient.group) += kItemKind;
        AppendPlace(bytes_, time_ms, arrival);
      },
      [&] {
        bytes_ += kFormat;
        bytes_ += '\0';
        AppendVarint(bytes_, arrival);
        bytes_.append(identity.data(), identity.size()).append(json);
      });
}

void FloorInbox::RemoveItem(Recipient& recipient, Known& known) {
  --recipient.head.total;
  Delete(inbox_rows_, std::exchange(known.item_row, kNoRow), [&] {
    bytes_.append(recipient.group) += kItemKind;
    AppendPlace(bytes_, known.item_ms, known.item_arrival);
  });
}

void FloorInbox::AddTombstone(Recipient& recipient, const FloorIdentity& identity, Known& known,
                              int64_t time_ms, int64_t stamp_ms) {
  known.stands = false;
  known.decided_ms = time_ms;
  known.stamp_ms = stamp_ms;
  known.later_json.clear();
  known.tombstone_row = Put(
      inbox_rows_,
      [&] {
        bytes_.append(recipient.group) += kTombstoneKind;
        AppendBigEndian(bytes_, Unsigned(stamp_ms));
        bytes_.append(identity.data(), identity.size());
      },
      [&] { bytes_ += kFormat; });
  Head& head = recipient.head;
  if (head.tombstones == 0 || stamp_ms < head.oldest_tombstone_ms) {
    head.oldest_tombstone_ms = stamp_ms;
  }
  ++head.tombstones;
}

void FloorInbox::RemoveTombstone(Recipient& recipient, const FloorIdentity& identity,
                                 Known& known) {
  --recipient.head.tombstones;
  Delete(inbox_rows_, std::exchange(known.tombstone_row, kNoRow), [&] {
    bytes_.append(recipient.group) += kTombstoneKind;
    AppendBigEndian(bytes_, Unsigned(known.stamp_ms));
    bytes_.append(identity.data(), identity.size());
  });
}

void FloorInbox::Apply(const FloorNotification& notification, int64_t stamp_ms) {
  Recipient& recipient = FindRecipient(notification.recipient);
  const FloorIdentity& identity = notification.identity;
  const int64_t time_ms = notification.time_ms;
  Known read;
  const auto waiting = identities_.find(identity);
  const bool waits = waiting != identities_.end();
  Known& known = waits ? waiting->second : read;
  bool head_changed = true;
  bool visible = false;
  if (!waits && !FindKnown(recipient, identity, known)) {
    known.recipient = &recipient;
    if (notification.retracted) {
      AddTombstone(recipient, identity, known, time_ms, stamp_ms);
    } else {
      AddItem(recipient, identity, known, time_ms, notification.json);
      visible = true;
    }
  } else if (!notification.retracted) {
    if (time_ms <= known.decided_ms) return;
    if (known.stands) {
      known.decided_ms = time_ms;
      known.later_json = notification.json;
      head_changed = false;
    } else {
      AddItem(recipient, identity, known, time_ms, notification.json);
      RemoveTombstone(recipient, identity, known);
      visible = true;
    }
  } else if (!known.stands) {
    if (time_ms <= known.decided_ms) return;
    RemoveTombstone(recipient, identity, known);
    AddTombstone(recipient, identity, known, time_ms, stamp_ms);
  } else {
    if (time_ms < known.item_ms) return;
    RemoveItem(recipient, known);
    visible = true;
    if (time_ms >= known.decided_ms) {
      AddTombstone(recipient, identity, known, time_ms, stamp_ms);
    } else {
      // The undo lies between the two: what came later is the row.
      const std::string later = std::move(known.later_json);
      known.later_json.clear();
      AddItem(recipient, identity, known, known.decided_ms, later);
    }
  }
  if (visible) ++recipient.head.version;
  if (head_changed && !std::exchange(recipient.changed, true)) changed_.push_back(&recipient);
  if (!waits) {
    known.recipient = &recipient;
    identities_.emplace(identity, std::move(known));
  }
}

void FloorInbox::PutHeads() {
  for (Recipient* recipient : changed_) {
    recipient->changed = false;
    Put(
        inbox_rows_, [&] { bytes_.append(recipient->group) += kHeadKind; },
        [&] {
          const Head& head = recipient->head;
          bytes_ += kHeadFormat;
          // Version, total, unread, unseen, both marks, tombstones.
          for (const uint64_t number : {head.version, head.total, head.total, head.total,
                                        uint64_t{0}, uint64_t{0}, head.tombstones}) {
            AppendVarint(bytes_, number);
          }
          AppendSigned(bytes_, head.oldest_ms);
          AppendVarint(bytes_, head.oldest_arrival);
          AppendSigned(bytes_, head.oldest_tombstone_ms);
          AppendVarint(bytes_, 0);  // Nothing is in the index of unread items.
        });
  }
}

void FloorInbox::PutIdentities() {
  for (const auto& [identity, known] : identities_) {
    Put(
        inbox_rows_,
        [&, &id = identity, &row = known] {
          bytes_.append(row.recipient->group) += kIdentityKind;
          bytes_.append(id.data(), id.size());
        },
        [&, &row = known] {
          bytes_ += kFormat;
          bytes_ += row.stands ? kStandsFlag : '\0';
          AppendSigned(bytes_, row.decided_ms);
          if (row.stands) {
            AppendSigned(bytes_, row.item_ms);
            AppendVarint(bytes_, row.item_arrival);
            bytes_ += row.later_json;
          } else {
            AppendSigned(bytes_, row.stamp_ms);
          }
        });
  }
}

void FloorInbox::Sort(std::vector<Row>& rows) const {
  std::sort(rows.begin(), rows.end(), [this](const Row& a, const Row& b) {
    const int order = Key(a).compare(Key(b));
    // Of two writes of one key the later counts.
    return order != 0 ? order < 0 : a.key_at < b.key_at;
  });
}

std::span<const FloorInbox::Row> FloorInbox::Prepare() {
  PutHeads();
  PutIdentities();
  Sort(inbox_rows_);
  return inbox_rows_;
}

void FloorInbox::Write(std::span<const std::pair<std::string, int64_t>> positions) {
  batch_.Clear();
  for (const Row& row : inbox_rows_) {
    if (const auto value = Value(row)) {
      batch_.Put(inbox_, ToSlice(Key(row)), ToSlice(*value));
    } else {
      batch_.Delete(inbox_, ToSlice(Key(row)));
    }
  }
  rows_written_ += inbox_rows_.size();
  for (const auto& [name, position] : positions) {
    std::string value;
    AppendBigEndian(value, Unsigned(position));
    batch_.Put(meta_, name, value);
  }
  // Else RocksDB counts each comparison of keys, and nobody reads it.
  rocksdb::SetPerfLevel(rocksdb::PerfLevel::kDisable);
  Must(db_->Write(rocksdb::WriteOptions(), &batch_), "writing a batch");
  bytes_.clear();
  inbox_rows_.clear();
  identities_.clear();
  changed_.clear();
}

FloorInbox::Checked FloorInbox::Check(uint64_t count) {
  Checked checked;
  uint64_t standing = 0, fallen = 0, by_heads = 0, tombstones_by_heads = 0;
  FloorReader reader;
  const std::unique_ptr<rocksdb::Iterator> row(db_->NewIterator(rocksdb::ReadOptions(), inbox_));
  for (row->SeekToFirst(); row->Valid(); row->Next()) {
    const std::string_view key = ToView(row->key());
    const size_t group_bytes = GroupBytes(key);
    const std::string_view group = key.substr(0, group_bytes);
    Numbers numbers(ToView(row->value()));
    switch (key[group_bytes]) {
      case kHeadKind:
        ++checked.recipients;
        numbers.Varint();
        by_heads += numbers.Varint();
        for (int skipped = 0; skipped < 4; ++skipped) numbers.Varint();
        tombstones_by_heads += numbers.Varint();
        break;
      case kTombstoneKind:
        ++checked.tombstones;
        break;
      case kIdentityKind:
        ++((numbers.Byte() & kStandsFlag) != 0 ? standing : fallen);
        break;
      case kItemKind: {
        ++checked.items;
        if (checked.read_back == count) break;
        ++checked.read_back;
        numbers.Byte();
        numbers.Varint();
        const std::string_view identity = numbers.rest().substr(0, sizeof(FloorIdentity));
        const std::string_view place = key.substr(group_bytes + 1);
        const int64_t time_ms = static_cast<int64_t>(~BigEndian(place) ^ kSignBit);
        FloorNotification notification;
        // Ids with a zero byte do not come up in this load.
        if (!reader.ReadNotification(group.substr(0, group_bytes - 2),
                                     numbers.rest().substr(sizeof(FloorIdentity)), notification) ||
            std::string_view(notification.identity.data(), identity.size()) != identity ||
            notification.time_ms != time_ms) {
          Die("an item does not hold the notification that its row names");
        }
        key_.assign(group) += kIdentityKind;
        if (!Get(inbox_, key_.append(identity))) Die("an item without its identity");
        Numbers known(ToView(found_));
        if (known.Byte() != kStandsFlag) Die("an item of an identity that was taken back");
        known.Signed();
        if (known.Signed() != time_ms || known.Varint() != ~BigEndian(place.substr(8))) {
          Die("an identity does not name its item");
        }
        break;
      }
      default:
        Die("a row of an unknown kind");
    }
  }
  Must(row->status(), "reading all rows");
  if (checked.items != by_heads || checked.items != standing ||
      checked.tombstones != tombstones_by_heads || checked.tombstones != fallen) {
    Die("the counts differ: " + std::to_string(checked.items) + " items, " +
        std::to_string(by_heads) + " by the heads, " + std::to_string(standing) +
        " identities that stand; " + std::to_string(checked.tombstones) + " tombstones, " +
        std::to_string(tombstones_by_heads) + " by the heads, " + std::to_string(fallen) +
        " identities taken back");
  }
  return checked;
}

}  // namespace bench
