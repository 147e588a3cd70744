#include "stages/inbox_editor.h"

#include <utility>
#include <vector>

namespace stages {

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
  const uint64_t arrival = ++head_.last_arrival;
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
  unread_.Put(key, EncodeMarkerRow());
  return arrival;
}

base::Status InboxEditor::ReadItem(std::string_view key, std::string_view value, Item& item) const {
  InboxRowKey parsed;
  InboxItem decoded;
  if (!ParseInboxKey(key, parsed) || !DecodeItem(value, decoded)) {
    return CorruptRow("unreadable item row");
  }
  item = {std::string(key), parsed.time_ms,        parsed.arrival,
          decoded.identity, decoded.IsRead(head_), decoded.IsSeen(head_)};
  return base::Status::Ok();
}

void InboxEditor::EraseItem(const Item& item) {
  --head_.total;
  if (!item.seen) --head_.unseen;
  if (!item.read) {
    --head_.unread;
    unread_.Delete(item.key);
  }
  visible_change_ = true;
  inbox_.Delete(item.key);
}

base::Status InboxEditor::RemoveItem(int64_t time_ms, uint64_t arrival) {
  const std::string key = keys_.Item(time_ms, arrival);
  auto row = inbox_.Get(key);
  if (!row.ok()) return row.status();
  if (!row->has_value()) return CorruptRow("an identity names an item that is not there");
  Item item;
  RETURN_IF_ERROR(ReadItem(key, **row, item));
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
  return victims.size();
}

void InboxEditor::Save() {
  if (visible_change_) ++head_.version;
  if (head_ != saved_) inbox_.Put(keys_.Head(), EncodeHead(head_));
  saved_ = head_;
  visible_change_ = false;
}

}  // namespace stages
