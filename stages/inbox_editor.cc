#include "stages/inbox_editor.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "stages/inbox_limits.h"

namespace stages {
namespace {

/// When there are too many tombstones, this many more go, so that not each one pays for a scan.
constexpr uint64_t kTombstonesSpare = kTombstonesMax / 10;
/// Tombstones that one record evicts at most; WriteInbox::Punctuate() does the rest.
constexpr size_t kEvictedByRecordMax = 128;

}  // namespace

base::Status InboxEditor::CorruptRow(std::string_view what) const {
  return base::Status::Corruption(std::string("store inbox: ").append(what));
}

base::Status InboxEditor::Open(InboxKeys keys) {
  keys_ = std::move(keys);
  head_ = {};
  visible_change_ = false;
  auto row = inbox_.Get(keys_.Head());
  if (!row.ok()) return row.status();
  if (row->has_value() && !DecodeHead(**row, head_)) return CorruptRow("unreadable head row");
  if (head_.indexed == kNewestPlace) {
    // From before there was a top. What comes from now on can be above what is there.
    const auto newest = NewestPlace(keys_.End(InboxRowKind::kItem));
    if (!newest.ok()) return newest.status();
    head_.indexed = newest->value_or(kOldestPlace);
  }
  saved_ = head_;
  return base::Status::Ok();
}

base::Result<std::optional<InboxIdentity>> InboxEditor::FindIdentity(
    const Identity& identity) const {
  auto row = inbox_.Get(keys_.IdentityRow(identity));
  if (!row.ok()) return row.status();
  if (!row->has_value()) return std::optional<InboxIdentity>();
  InboxIdentity found;
  if (!DecodeIdentity(**row, found)) return CorruptRow("unreadable identity row");
  return std::optional<InboxIdentity>(std::move(found));
}

void InboxEditor::PutIdentity(const Identity& identity, const InboxIdentity& row) {
  inbox_.Put(keys_.IdentityRow(identity), EncodeIdentity(row));
}

uint64_t InboxEditor::AddItem(const Identity& identity, int64_t time_ms, std::string_view json) {
  const uint64_t arrival = head_.version + 1;
  if (head_.total == 0 || time_ms < head_.oldest_ms) {
    head_.oldest_ms = time_ms;
    head_.oldest_arrival = arrival;
  }
  ++head_.total;
  ++head_.unread;
  ++head_.unseen;
  visible_change_ = true;
  const std::string key = keys_.Item(time_ms, arrival);
  InboxItem item;
  item.mark_number = arrival;
  item.identity = identity;
  item.json = json;
  inbox_.Put(key, EncodeItem(item));
  if (head_.IsIndexed({time_ms, arrival})) PutUnread({time_ms, arrival}, {false, arrival});
  return arrival;
}

base::Status InboxEditor::ReadItem(std::string_view key, std::string_view value, Item& item) const {
  InboxRowKey parsed;
  InboxItem decoded;
  if (!ParseInboxKey(key, parsed) || !DecodeItem(value, decoded)) {
    return CorruptRow("unreadable item row");
  }
  item = {std::string(key), parsed.time_ms,        parsed.arrival,       decoded.mark_number,
          decoded.identity, decoded.IsRead(head_), decoded.IsSeen(head_)};
  return base::Status::Ok();
}

base::Result<std::string> InboxEditor::FindItem(int64_t time_ms, uint64_t arrival,
                                                Item& item) const {
  const std::string key = keys_.Item(time_ms, arrival);
  auto row = inbox_.Get(key);
  if (!row.ok()) return row.status();
  if (!row->has_value()) return CorruptRow("an identity names an item that is not there");
  RETURN_IF_ERROR(ReadItem(key, **row, item));
  return std::move(**row);
}

void InboxEditor::PutItem(const Item& item, std::string_view json) {
  InboxItem row;
  row.read = item.read;
  row.seen = item.seen;
  row.mark_number = item.mark_number;
  row.identity = item.identity;
  row.json = json;
  inbox_.Put(item.key, EncodeItem(row));
  visible_change_ = true;
}

base::Status InboxEditor::SetRead(int64_t time_ms, uint64_t arrival, bool read) {
  Item item;
  const auto row = FindItem(time_ms, arrival, item);
  if (!row.ok()) return row.status();
  if (item.read == read) return base::Status::Ok();
  InboxItem decoded;
  DecodeItem(*row, decoded);
  if (read) {
    if (head_.IsIndexed(item.place())) {
      unread_.Delete(UnreadKey(item));
    } else {
      RETURN_IF_ERROR(IndexUpTo(item));
    }
    --head_.unread;
    if (!item.seen) --head_.unseen;
  } else {
    ++head_.unread;
    // Above every mark, and not among what an older version showed unread.
    item.mark_number = head_.version + 1;
    // It was read, so it is not of the top.
    PutUnread(item.place(), {true, item.mark_number});
  }
  item.read = read;
  item.seen = true;
  PutItem(item, decoded.json);
  return base::Status::Ok();
}

base::Status InboxEditor::SetSeen(int64_t time_ms, uint64_t arrival) {
  Item item;
  const auto row = FindItem(time_ms, arrival, item);
  if (!row.ok()) return row.status();
  if (item.seen) return base::Status::Ok();
  InboxItem decoded;
  DecodeItem(*row, decoded);
  --head_.unseen;
  item.seen = true;
  // What is not seen is not read, so the index has it unless it is of the top.
  if (head_.IsIndexed(item.place())) PutUnread(item.place(), {true, item.mark_number});
  PutItem(item, decoded.json);
  return base::Status::Ok();
}

base::Status InboxEditor::ReadTop(std::string_view begin, std::vector<UnreadItem>& found) const {
  bool readable = true;
  RETURN_IF_ERROR(inbox_.Scan(
      begin, keys_.Item(head_.indexed), [&](std::string_view key, std::string_view value) {
        InboxRowKey parsed;
        InboxItem item;
        readable = ParseInboxKey(key, parsed) && DecodeItem(value, item);
        if (!readable) return false;
        found.push_back({{parsed.time_ms, parsed.arrival}, {item.seen, item.mark_number}});
        return true;
      }));
  if (!readable) return CorruptRow("unreadable item row");
  return base::Status::Ok();
}

base::Result<std::optional<InboxPlace>> InboxEditor::NewestPlace(std::string_view end) const {
  std::optional<InboxPlace> newest;
  bool readable = true;
  RETURN_IF_ERROR(inbox_.Scan(keys_.Begin(InboxRowKind::kItem), end,
                              [&](std::string_view key, std::string_view) {
                                InboxRowKey parsed;
                                readable = ParseInboxKey(key, parsed);
                                newest = {parsed.time_ms, parsed.arrival};
                                return false;
                              }));
  if (!readable) return CorruptRow("unreadable key of an item");
  return newest;
}

void InboxEditor::PutUnread(const InboxPlace& place, const InboxUnread& row) {
  unread_.Put(keys_.Unread(head_.read_mark, place.time_ms, place.arrival),
              EncodeUnread(row, place.arrival));
}

base::Status InboxEditor::IndexUpTo(const Item& item) {
  std::vector<UnreadItem> older;
  RETURN_IF_ERROR(ReadTop(item.key + '\0', older));
  for (const UnreadItem& unread : older) PutUnread(unread.place, unread.row);
  head_.indexed = item.place();
  return base::Status::Ok();
}

base::Result<std::vector<InboxEditor::UnreadItem>> InboxEditor::AllUnread() const {
  std::vector<UnreadItem> all;
  all.reserve(head_.unread);
  RETURN_IF_ERROR(ReadTop(keys_.Begin(InboxRowKind::kItem), all));
  bool readable = true;
  RETURN_IF_ERROR(unread_.Scan(keys_.UnreadBegin(head_.read_mark), keys_.End(InboxRowKind::kUnread),
                               [&](std::string_view key, std::string_view value) {
                                 InboxRowKey parsed;
                                 UnreadItem& item = all.emplace_back();
                                 readable = ParseInboxKey(key, parsed) &&
                                            DecodeUnread(value, parsed.arrival, item.row);
                                 item.place = {parsed.time_ms, parsed.arrival};
                                 return readable;
                               }));
  if (!readable) return CorruptRow("unreadable row of the unread index");
  return all;
}

base::Status InboxEditor::ReadUpTo(uint64_t version) {
  const uint64_t mark = std::min(version, head_.version);
  if (mark <= head_.read_mark || head_.unread == 0) return base::Status::Ok();
  uint64_t unread = 0;
  uint64_t unseen = 0;
  // The rows under the old mark are left to SweepUnread().
  if (mark < head_.version) {
    const auto all = AllUnread();
    if (!all.ok()) return all.status();
    head_.read_mark = mark;
    for (const UnreadItem& item : *all) {
      if (item.row.mark_number <= mark) {
        // The newest of these is where the top ends now; all that is older comes after it here.
        head_.indexed = std::max(head_.indexed, item.place);
        continue;
      }
      ++unread;
      if (!item.row.seen && item.row.mark_number > head_.seen_mark) ++unseen;
      if (head_.IsIndexed(item.place)) PutUnread(item.place, item.row);
    }
  } else {
    const auto newest = NewestPlace(keys_.Item(head_.indexed));
    if (!newest.ok()) return newest.status();
    head_.read_mark = mark;
    head_.indexed = newest->value_or(head_.indexed);
  }
  if (unread != head_.unread) visible_change_ = true;
  head_.unread = unread;
  head_.unseen = unseen;
  return base::Status::Ok();
}

base::Status InboxEditor::SeeUpTo(uint64_t version) {
  const uint64_t mark = std::min(version, head_.version);
  if (mark <= head_.seen_mark || head_.unseen == 0) return base::Status::Ok();
  uint64_t unseen = 0;
  if (mark < head_.version) {
    const auto all = AllUnread();
    if (!all.ok()) return all.status();
    for (const UnreadItem& item : *all) {
      if (!item.row.seen && item.row.mark_number > mark) ++unseen;
    }
  }
  head_.seen_mark = mark;
  if (unseen != head_.unseen) visible_change_ = true;
  head_.unseen = unseen;
  return base::Status::Ok();
}

base::Result<size_t> InboxEditor::SweepUnread(size_t rows_max) {
  std::vector<std::string> garbage;
  if (head_.read_mark == 0 || rows_max == 0) return size_t{0};
  RETURN_IF_ERROR(unread_.Scan(keys_.Begin(InboxRowKind::kUnread),
                               keys_.UnreadBegin(head_.read_mark),
                               [&](std::string_view key, std::string_view) {
                                 garbage.emplace_back(key);
                                 return garbage.size() < rows_max;
                               }));
  for (const std::string& key : garbage) unread_.Delete(key);
  return garbage.size();
}

void InboxEditor::EraseItem(const Item& item) {
  --head_.total;
  if (!item.seen) --head_.unseen;
  if (!item.read) {
    --head_.unread;
    if (head_.IsIndexed(item.place())) unread_.Delete(UnreadKey(item));
  }
  visible_change_ = true;
  inbox_.Delete(item.key);
}

base::Status InboxEditor::RemoveItem(int64_t time_ms, uint64_t arrival) {
  Item item;
  const auto row = FindItem(time_ms, arrival, item);
  if (!row.ok()) return row.status();
  EraseItem(item);
  return base::Status::Ok();
}

template <typename Visitor>
base::Status InboxEditor::VisitOldest(const Visitor& visitor) const {
  // Starting at the oldest item's place, not at the end of the range, passes over the remains of
  // all the items that were trimmed before.
  const std::string last = keys_.Item(head_.oldest_ms, head_.oldest_arrival);
  base::Status status;
  const auto visit = [&](std::string_view key, std::string_view value) {
    Item item;
    status = ReadItem(key, value, item);
    return status.ok() && visitor(std::move(item));
  };
  RETURN_IF_ERROR(inbox_.ScanReverse(keys_.Begin(InboxRowKind::kItem), last + '\0', visit));
  return status;
}

base::Result<size_t> InboxEditor::Trim(const Keep& keep, size_t rows_max) {
  if (head_.total == 0 || head_.oldest_ms > keep.newest_ms ||
      (head_.total <= keep.items_max && head_.oldest_ms >= keep.cutoff_ms)) {
    return size_t{0};
  }
  std::vector<Item> victims;
  RETURN_IF_ERROR(VisitOldest([&](Item item) {
    head_.oldest_ms = item.time_ms;
    head_.oldest_arrival = item.arrival;
    const bool too_many =
        head_.total - victims.size() > keep.items_max && item.time_ms <= keep.newest_ms;
    const bool goes = too_many || item.time_ms < keep.cutoff_ms;
    if (!goes || victims.size() == rows_max) return false;
    victims.push_back(std::move(item));
    return true;
  }));
  for (const Item& item : victims) {
    EraseItem(item);
    inbox_.Delete(keys_.IdentityRow(item.identity));
  }
  if (!victims.empty()) trimmed_.items.Increment(static_cast<double>(victims.size()));
  return victims.size();
}

void InboxEditor::AddTombstone(const Identity& identity, int64_t decided_ms, int64_t stamp_ms) {
  InboxIdentity row;
  row.decided_ms = decided_ms;
  row.stamp_ms = stamp_ms;
  PutIdentity(identity, row);
  inbox_.Put(keys_.Tombstone(stamp_ms, identity), EncodeMarkerRow());
  if (head_.tombstones == 0 || stamp_ms < head_.oldest_tombstone_ms) {
    head_.oldest_tombstone_ms = stamp_ms;
  }
  ++head_.tombstones;
}

base::Status InboxEditor::LimitTombstones(int64_t stream_ms) {
  const bool too_many = head_.tombstones > kTombstonesMax;
  return EvictTombstones(too_many ? kTombstonesMax - kTombstonesSpare : kTombstonesMax,
                         stream_ms - kTombstoneAgeMsMax, kEvictedByRecordMax)
      .status();
}

void InboxEditor::RemoveTombstone(const Identity& identity, int64_t stamp_ms) {
  inbox_.Delete(keys_.Tombstone(stamp_ms, identity));
  --head_.tombstones;
}

base::Result<size_t> InboxEditor::EvictTombstones(uint64_t tombstones_max, int64_t cutoff_ms,
                                                  size_t rows_max) {
  if (head_.tombstones == 0 ||
      (head_.tombstones <= tombstones_max && head_.oldest_tombstone_ms >= cutoff_ms)) {
    return size_t{0};
  }
  std::vector<std::pair<std::string, Identity>> victims;
  base::Status status;
  const auto visit = [&](std::string_view key, std::string_view) {
    InboxRowKey parsed;
    if (!ParseInboxKey(key, parsed)) {
      status = CorruptRow("unreadable tombstone row");
      return false;
    }
    head_.oldest_tombstone_ms = parsed.time_ms;
    const bool goes =
        head_.tombstones - victims.size() > tombstones_max || parsed.time_ms < cutoff_ms;
    if (!goes || victims.size() == rows_max) return false;
    victims.emplace_back(key, parsed.identity);
    return true;
  };
  RETURN_IF_ERROR(inbox_.Scan(keys_.Begin(InboxRowKind::kTombstone),
                              keys_.End(InboxRowKind::kTombstone), visit));
  RETURN_IF_ERROR(status);
  for (const auto& [key, identity] : victims) {
    inbox_.Delete(key);
    inbox_.Delete(keys_.IdentityRow(identity));
  }
  head_.tombstones -= victims.size();
  if (!victims.empty()) trimmed_.tombstones.Increment(static_cast<double>(victims.size()));
  return victims.size();
}

void InboxEditor::Save() {
  if (visible_change_) ++head_.version;
  if (head_ != saved_) inbox_.Put(keys_.Head(), EncodeHead(head_));
  saved_ = head_;
  visible_change_ = false;
}

}  // namespace stages
