#include "stages/inbox_repair.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace stages {
namespace {

/// An item by what its identity says of it.
struct ItemPlace {
  Identity identity;
  int64_t time_ms = 0;
  uint64_t arrival = 0;
  auto operator<=>(const ItemPlace&) const = default;
};

struct ItemState {
  ItemPlace place;
  uint64_t mark_number = 0;
  bool read = false;
  bool seen = false;
  /// As its row says, whatever the head's mark.
  bool seen_flag = false;
};

struct TombstonePlace {
  Identity identity;
  int64_t stamp_ms = 0;
  auto operator<=>(const TombstonePlace&) const = default;
};

/// All that a recipient has, without the texts.
struct Rows {
  InboxHead head;
  std::vector<ItemState> items;
  /// As the identity rows say.
  std::set<ItemPlace> standing;
  std::set<TombstonePlace> tombstones;
  /// As the order of tombstones says.
  std::set<TombstonePlace> ordered;
};

bool ReadRow(std::string_view key, std::string_view value, Rows& rows) {
  InboxRowKey parsed;
  if (!ParseInboxKey(key, parsed)) return false;
  switch (parsed.kind) {
    case InboxRowKind::kHead:
      return DecodeHead(value, rows.head);
    case InboxRowKind::kItem: {
      InboxItem item;
      if (!DecodeItem(value, item)) return false;
      // The head is the first row of all, so its marks are known.
      rows.items.push_back({{item.identity, parsed.time_ms, parsed.arrival},
                            item.mark_number,
                            item.IsRead(rows.head),
                            item.IsSeen(rows.head),
                            item.seen});
      return true;
    }
    case InboxRowKind::kIdentity: {
      InboxIdentity identity;
      if (!DecodeIdentity(value, identity)) return false;
      if (identity.stands) {
        rows.standing.insert({parsed.identity, identity.item_ms, identity.item_arrival});
      } else {
        rows.tombstones.insert({parsed.identity, identity.stamp_ms});
      }
      return true;
    }
    case InboxRowKind::kTombstone:
      rows.ordered.insert({parsed.identity, parsed.time_ms});
      return true;
    case InboxRowKind::kUnread:
      break;  // of the other store
  }
  return false;
}

base::Status ReadRows(const InboxKeys& keys, const state::KeyValueStore& inbox, Rows& rows) {
  bool readable = true;
  RETURN_IF_ERROR(
      inbox.Scan(keys.group(), keys.GroupEnd(), [&](std::string_view key, std::string_view value) {
        readable = ReadRow(key, value, rows);
        return readable;
      }));
  if (!readable) return base::Status::Corruption("store inbox: unreadable row");
  return base::Status::Ok();
}

/// Gives an identity whose item is missing the item of its later content, if it has one: the event
/// that brought it will not be processed again.
base::Status AddLaterItem(const InboxKeys& keys, const Identity& identity,
                          state::KeyValueStore& inbox, Rows& rows) {
  const std::string key = keys.IdentityRow(identity);
  const auto row = inbox.Get(key);
  if (!row.ok()) return row.status();
  InboxIdentity known;
  if (!row->has_value() || !DecodeIdentity(**row, known)) {
    return base::Status::Corruption("store inbox: unreadable identity row");
  }
  if (known.later_json.empty()) {
    inbox.Delete(key);
    return base::Status::Ok();
  }
  InboxItem item;
  item.mark_number = ++rows.head.version;
  item.identity = identity;
  item.json = known.later_json;
  known.item_ms = known.decided_ms;
  known.item_arrival = item.mark_number;
  inbox.Put(keys.Item(known.item_ms, known.item_arrival), EncodeItem(item));
  rows.items.push_back({{identity, known.item_ms, known.item_arrival}, item.mark_number});
  known.later_json.clear();
  inbox.Put(key, EncodeIdentity(known));
  return base::Status::Ok();
}

/// Sees to it that items and identities name each other.
base::Status MatchItems(const InboxKeys& keys, state::KeyValueStore& inbox, Rows& rows) {
  std::erase_if(rows.items, [&](const ItemState& item) {
    if (rows.standing.erase(item.place) == 1) return false;
    inbox.Delete(keys.Item(item.place.time_ms, item.place.arrival));
    return true;
  });
  for (const ItemPlace& left : rows.standing) {
    RETURN_IF_ERROR(AddLaterItem(keys, left.identity, inbox, rows));
  }
  return base::Status::Ok();
}

/// Drops tombstones that have no place in the order, and places that have no tombstone.
void MatchTombstones(const InboxKeys& keys, state::KeyValueStore& inbox, Rows& rows) {
  std::erase_if(rows.ordered, [&](const TombstonePlace& place) {
    if (rows.tombstones.erase(place) == 1) return false;
    inbox.Delete(keys.Tombstone(place.stamp_ms, place.identity));
    return true;
  });
  for (const TombstonePlace& left : rows.tombstones) inbox.Delete(keys.IdentityRow(left.identity));
}

/// Of a commit that was torn the items may be here and the head that counts them not: no number may
/// be given out twice.
void RaiseVersion(Rows& rows) {
  for (const ItemState& item : rows.items) {
    rows.head.version = std::max({rows.head.version, item.place.arrival, item.mark_number});
  }
}

InboxHead CountAnew(const Rows& rows) {
  InboxHead head = rows.head;
  head.total = rows.items.size();
  head.unread = 0;
  head.unseen = 0;
  head.tombstones = rows.ordered.size();
  for (const ItemState& item : rows.items) {
    if (!item.read) ++head.unread;
    if (!item.seen) ++head.unseen;
  }
  // "No item is older" must hold; that the place is still an item's is not asked for.
  bool known = rows.head.total > 0;
  for (const ItemState& item : rows.items) {
    const ItemPlace& place = item.place;
    if (!known ||
        std::pair(place.time_ms, place.arrival) < std::pair(head.oldest_ms, head.oldest_arrival)) {
      head.oldest_ms = place.time_ms;
      head.oldest_arrival = place.arrival;
      known = true;
    }
  }
  for (const TombstonePlace& place : rows.ordered) {
    head.oldest_tombstone_ms = std::min(head.oldest_tombstone_ms, place.stamp_ms);
  }
  return head;
}

base::Status BuildIndex(const InboxKeys& keys, const Rows& rows, state::KeyValueStore& unread) {
  std::map<std::string, std::string, std::less<>> expected;
  for (const ItemState& item : rows.items) {
    if (item.read) continue;
    const auto& [identity, time_ms, arrival] = item.place;
    expected[keys.Unread(rows.head.read_mark, time_ms, arrival)] =
        EncodeUnread({item.seen_flag, item.mark_number}, arrival);
  }
  std::vector<std::string> stale;
  RETURN_IF_ERROR(
      unread.Scan(keys.group(), keys.GroupEnd(), [&](std::string_view key, std::string_view value) {
        const auto it = expected.find(key);
        if (it != expected.end() && it->second != value) return true;
        if (it == expected.end()) {
          stale.emplace_back(key);
        } else {
          expected.erase(it);
        }
        return true;
      }));
  for (const std::string& key : stale) unread.Delete(key);
  for (const auto& [key, value] : expected) unread.Put(key, value);
  return base::Status::Ok();
}

}  // namespace

base::Status RebuildUnread(std::string_view group, state::KeyValueStore& inbox,
                           state::KeyValueStore& unread) {
  const InboxKeys keys = InboxKeys::OfGroup(group);
  Rows rows;
  RETURN_IF_ERROR(ReadRows(keys, inbox, rows));
  const InboxHead saved = rows.head;
  RaiseVersion(rows);
  RETURN_IF_ERROR(MatchItems(keys, inbox, rows));
  MatchTombstones(keys, inbox, rows);
  InboxHead head = CountAnew(rows);
  if (head != saved) {
    ++head.version;
    inbox.Put(keys.Head(), EncodeHead(head));
  }
  return BuildIndex(keys, rows, unread);
}

}  // namespace stages
