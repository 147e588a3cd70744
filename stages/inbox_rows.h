#pragma once

#include <compare>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "stages/identity.h"

/// The rows of store "inbox" (and of its index "inbox-unread"): keys and values. docs/formats.md
/// describes the bytes; nothing else in the program knows them.
namespace stages {

/// Names of the stores.
inline constexpr std::string_view kInboxStore = "inbox";
inline constexpr std::string_view kInboxUnreadStore = "inbox-unread";

/// What a row is; the byte behind the recipient in its key. A recipient's rows lie together, in
/// this order.
enum class InboxRowKind : char {
  kHead = 1,
  kItem = 2,
  kIdentity = 3,
  kTombstone = 4,
  /// Of the index of unread items; in a store of its own.
  kUnread = 5,
};

/// Where an item stands in its inbox: by its time, at equal times by its arrival, which is at least
/// 1.
struct InboxPlace {
  int64_t time_ms = 0;
  uint64_t arrival = 0;
  auto operator<=>(const InboxPlace&) const = default;
};

/// Older than the place of any item, and newer.
inline constexpr InboxPlace kOldestPlace = {std::numeric_limits<int64_t>::min(), 0};
inline constexpr InboxPlace kNewestPlace = {std::numeric_limits<int64_t>::max(),
                                            std::numeric_limits<uint64_t>::max()};

/// Keys of one recipient's rows.
class InboxKeys {
 public:
  InboxKeys() = default;
  explicit InboxKeys(std::string_view recipient);
  /// From the group (recipient prefix) of a key.
  static InboxKeys OfGroup(std::string_view group);

  /// The prefix of all keys of this recipient.
  const std::string& group() const { return group_; }
  /// Above all keys of this recipient.
  std::string GroupEnd() const;

  std::string Head() const;
  std::string Item(int64_t time_ms, uint64_t arrival) const;
  std::string Item(const InboxPlace& place) const { return Item(place.time_ms, place.arrival); }
  std::string IdentityRow(const Identity& identity) const;
  std::string Tombstone(int64_t stamp_ms, const Identity& identity) const;
  /// Where the index has an unread item while the head's read mark is this.
  std::string Unread(uint64_t read_mark, int64_t time_ms, uint64_t arrival) const;
  /// The beginning of the index's part that belongs to this read mark.
  std::string UnreadBegin(uint64_t read_mark) const;
  /// The range of all rows of a kind.
  std::string Begin(InboxRowKind kind) const;
  std::string End(InboxRowKind kind) const;

 private:
  /// The beginning of a key, with room for so many bytes more.
  std::string Start(InboxRowKind kind, size_t more_bytes) const;

  std::string group_;
};

/// The key of a row, taken apart.
struct InboxRowKey {
  InboxRowKind kind = InboxRowKind::kHead;
  /// kItem, kUnread: the item's time; kTombstone: the timestamp of the record that made it.
  int64_t time_ms = 0;
  /// kItem, kUnread.
  uint64_t arrival = 0;
  /// kUnread: the read mark under which the row counts.
  uint64_t read_mark = 0;
  /// kIdentity, kTombstone.
  Identity identity;
};

/// The prefix of `key` that names the recipient; all of `key` when it is malformed.
std::string_view RecipientGroupOf(std::string_view key);

/// Takes apart a key of either store. False when it is malformed.
bool ParseInboxKey(std::string_view key, InboxRowKey& parsed);

/// The one row for each recipient that says how it stands.
struct InboxHead {
  /// Grows with every visible change. An item's arrival is the version in which it appeared, so
  /// that "what version 7 showed" is what has an arrival up to 7.
  uint64_t version = 0;
  uint64_t total = 0;
  uint64_t unread = 0;
  uint64_t unseen = 0;
  /// Items whose mark number is not above are read, or seen.
  uint64_t read_mark = 0;
  uint64_t seen_mark = 0;
  uint64_t tombstones = 0;
  /// No item is older than this place. Meaningful while total > 0.
  int64_t oldest_ms = 0;
  uint64_t oldest_arrival = 0;
  /// No tombstone is older. Meaningful while tombstones > 0.
  int64_t oldest_tombstone_ms = 0;
  /// The newest place that the index of unread items covers. What is newer than that is the *top*
  /// of the inbox: all of it is unread, and none of it is in the index, so that an item which
  /// arrives in order costs no index row. kNewestPlace in a row from before there was a top.
  InboxPlace indexed = kOldestPlace;

  bool IsIndexed(const InboxPlace& place) const { return place <= indexed; }

  bool operator==(const InboxHead&) const = default;
};

std::string EncodeHead(const InboxHead& head);
bool DecodeHead(std::string_view value, InboxHead& head);

/// A visible row, but for its time and arrival, which are in the key.
struct InboxItem {
  bool read = false;
  bool seen = false;
  /// What the head's marks are compared with: the arrival at first, then the version in which the
  /// item was last marked unread.
  uint64_t mark_number = 0;
  Identity identity;
  /// The Notification as it is served, but for "read" and "seen". A view into the row.
  std::string_view json;

  bool IsRead(const InboxHead& head) const { return read || mark_number <= head.read_mark; }
  /// What is read is seen.
  bool IsSeen(const InboxHead& head) const {
    return seen || mark_number <= head.seen_mark || IsRead(head);
  }
};

std::string EncodeItem(const InboxItem& item);
/// `item.json` is a view into `value`.
bool DecodeItem(std::string_view value, InboxItem& item);

/// What is known of one identity: whether it stands, by the latest event about it; and its row.
struct InboxIdentity {
  /// False: a tombstone.
  bool stands = false;
  /// The time of the latest event about it.
  int64_t decided_ms = 0;
  /// stands: where its item is.
  int64_t item_ms = 0;
  uint64_t item_arrival = 0;
  /// stands, decided_ms > item_ms: the content of that latest event, which becomes the item if an
  /// undo between the two turns up.
  std::string later_json;
  /// Tombstone: the timestamp of the record that made it.
  int64_t stamp_ms = 0;
};

std::string EncodeIdentity(const InboxIdentity& identity);
bool DecodeIdentity(std::string_view value, InboxIdentity& identity);

/// What the index knows of an unread item beside its place.
struct InboxUnread {
  bool seen = false;
  uint64_t mark_number = 0;
};

/// `arrival` is the item's: most items have it as their mark number, and the row is short then.
std::string EncodeUnread(const InboxUnread& unread, uint64_t arrival);
bool DecodeUnread(std::string_view value, uint64_t arrival, InboxUnread& unread);

/// The value of rows that say all in their key.
std::string EncodeMarkerRow();

}  // namespace stages
