#include "stages/inbox_repair.h"

#include <algorithm>
#include <cstdint>
#include <limits>
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

InboxPlace PlaceOf(const ItemState& item) { return {item.place.time_ms, item.place.arrival}; }

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

int64_t LatestStamp(const Rows& rows) {
  int64_t latest = std::numeric_limits<int64_t>::min();
  for (const TombstonePlace& place : rows.ordered) latest = std::max(latest, place.stamp_ms);
  return latest;
}

/// An identity whose item is missing. Of a change that was torn the items come before the identity:
/// where another item of it is there, with the later content, the item was being replaced, and the
/// identity is made to name that one. Else the item was being taken away, by an undo or by its
/// reader: a tombstone then, or a duplicate of its event would bring it back. Both give the same
/// rows each time they are done to the same changelog, for they are not written to it.
base::Status Resolve(const InboxKeys& keys, const Identity& identity, state::KeyValueStore& inbox,
                     std::vector<ItemState>& orphans, Rows& rows) {
  const std::string key = keys.IdentityRow(identity);
  const auto row = inbox.Get(key);
  if (!row.ok()) return row.status();
  InboxIdentity known;
  if (!row->has_value() || !DecodeIdentity(**row, known)) {
    return base::Status::Corruption("store inbox: unreadable identity row");
  }
  const auto replacement = std::find_if(orphans.begin(), orphans.end(), [&](const ItemState& item) {
    return !known.later_json.empty() && item.place.identity == identity &&
           item.place.time_ms == known.decided_ms;
  });
  if (replacement != orphans.end()) {
    known.item_ms = replacement->place.time_ms;
    known.item_arrival = replacement->place.arrival;
    rows.items.push_back(*replacement);
    orphans.erase(replacement);
  } else {
    known.stands = false;
    known.stamp_ms = std::max(known.decided_ms, LatestStamp(rows));
    inbox.Put(keys.Tombstone(known.stamp_ms, identity), EncodeMarkerRow());
    rows.ordered.insert({identity, known.stamp_ms});
  }
  known.later_json.clear();
  inbox.Put(key, EncodeIdentity(known));
  return base::Status::Ok();
}

/// Sees to it that items and identities name each other.
base::Status MatchItems(const InboxKeys& keys, state::KeyValueStore& inbox, Rows& rows) {
  std::vector<ItemState> orphans;
  std::erase_if(rows.items, [&](const ItemState& item) {
    if (rows.standing.erase(item.place) == 1) return false;
    orphans.push_back(item);
    return true;
  });
  // The latest arrival first, should a change have been torn more than once.
  std::sort(orphans.begin(), orphans.end(), [](const ItemState& left, const ItemState& right) {
    return left.place.arrival > right.place.arrival;
  });
  for (const ItemPlace& left : rows.standing) {
    RETURN_IF_ERROR(Resolve(keys, left.identity, inbox, orphans, rows));
  }
  for (const ItemState& item : orphans) {
    inbox.Delete(keys.Item(item.place.time_ms, item.place.arrival));
  }
  return base::Status::Ok();
}

/// Gives tombstones their place in the order, and drops places that have no tombstone.
void MatchTombstones(const InboxKeys& keys, state::KeyValueStore& inbox, Rows& rows) {
  std::erase_if(rows.ordered, [&](const TombstonePlace& place) {
    if (rows.tombstones.erase(place) == 1) return false;
    inbox.Delete(keys.Tombstone(place.stamp_ms, place.identity));
    return true;
  });
  for (const TombstonePlace& left : rows.tombstones) {
    inbox.Put(keys.Tombstone(left.stamp_ms, left.identity), EncodeMarkerRow());
    rows.ordered.insert(left);
  }
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
  // What is read is not of the top; of a commit that was torn the item may say so alone.
  for (const ItemState& item : rows.items) {
    if (item.read) head.indexed = std::max(head.indexed, PlaceOf(item));
  }
  bool tombstone_known = rows.head.tombstones > 0;
  for (const TombstonePlace& place : rows.ordered) {
    if (!tombstone_known || place.stamp_ms < head.oldest_tombstone_ms) {
      head.oldest_tombstone_ms = place.stamp_ms;
    }
    tombstone_known = true;
  }
  return head;
}

base::Status BuildIndex(const InboxKeys& keys, const InboxHead& head, const Rows& rows,
                        state::KeyValueStore& unread) {
  std::map<std::string, std::string, std::less<>> expected;
  for (const ItemState& item : rows.items) {
    if (item.read || !head.IsIndexed(PlaceOf(item))) continue;
    const auto& [identity, time_ms, arrival] = item.place;
    expected[keys.Unread(head.read_mark, time_ms, arrival)] =
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
  MatchTombstones(keys, inbox, rows);
  RETURN_IF_ERROR(MatchItems(keys, inbox, rows));
  InboxHead head = CountAnew(rows);
  if (head != saved) {
    ++head.version;
    inbox.Put(keys.Head(), EncodeHead(head));
  }
  return BuildIndex(keys, head, rows, unread);
}

}  // namespace stages
