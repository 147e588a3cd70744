#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/metrics.h"
#include "base/status.h"
#include "stages/inbox_rows.h"
#include "state/key_value_store.h"

namespace stages {

/// Rows that limits of number and age removed.
struct TrimCounters {
  base::Counter items;
  base::Counter tombstones;
};

/// Changes one recipient's inbox and keeps its rows in agreement: counts with items, the unread
/// index with what is unread, identities with the items and tombstones that they name.
///
/// The index does not cover the top of the inbox, which is what is newer than the head's place
/// `indexed`: there, everything is unread. So what arrives in order of time, as nearly everything
/// does, and goes unread or with all else, never costs an index row. What is marked read by itself
/// moves the place up to where it is, and the unread items below get their rows then: each item
/// once at most, until a mark moves. (An index of all unread items had one row more to write for
/// each new item, a third of all; flags in the items alone would make a page of unread items walk
/// over all that are read.)
///
/// Open() a recipient, change it, Save(). Errors are Corruption: a row that cannot be read, or rows
/// that contradict each other.
///
/// Threads: the stream thread that owns the task.
class InboxEditor {
 public:
  InboxEditor(state::KeyValueStore& inbox, state::KeyValueStore& unread,
              const TrimCounters& trimmed = {})
      : inbox_(inbox), unread_(unread), trimmed_(trimmed) {}

  /// Starts on another recipient; what was not saved of the last one's head is forgotten.
  base::Status Open(InboxKeys keys);

  const InboxKeys& keys() const { return keys_; }
  const InboxHead& head() const { return head_; }

  base::Result<std::optional<InboxIdentity>> FindIdentity(const Identity& identity) const;
  void PutIdentity(const Identity& identity, const InboxIdentity& row);

  /// Adds an unread, unseen item as the latest arrival and returns its arrival, which is the
  /// version that Save() will give. The identity's row is the caller's to put. REQUIRES: the first
  /// since Open() or Save().
  uint64_t AddItem(const Identity& identity, int64_t time_ms, std::string_view json);

  /// Removes an item; its identity's row is left to the caller.
  /// REQUIRES: an identity names it.
  base::Status RemoveItem(int64_t time_ms, uint64_t arrival);

  /// Marks one item; nothing happens when it is so already. Reading sees, too. Reading one of the
  /// top writes an index row for each item of the top that is older.
  /// REQUIRES: an identity names it.
  base::Status SetRead(int64_t time_ms, uint64_t arrival, bool read);
  base::Status SetSeen(int64_t time_ms, uint64_t arrival);

  /// Everything that had arrived, or was last marked unread, up to this version is read (seen), and
  /// nothing else. At the head's version or above it costs one row however large the inbox is;
  /// below it looks at each unread item, and when reading writes a row for each that stays unread
  /// and is not newer than all that it reads.
  base::Status ReadUpTo(uint64_t version);
  base::Status SeeUpTo(uint64_t version);

  /// Removes index rows of what a mark has read, at most `rows_max`. Returns how many.
  base::Result<size_t> SweepUnread(size_t rows_max);

  /// What Trim() keeps.
  struct Keep {
    uint64_t items_max = 0;
    /// Older items go, however few there are.
    int64_t cutoff_ms = 0;
    /// Later items stay, however many there are.
    int64_t newest_ms = std::numeric_limits<int64_t>::max();
  };

  /// Removes the oldest items with their identities, at most `rows_max` of them. Returns how many.
  base::Result<size_t> Trim(const Keep& keep, size_t rows_max);

  /// Makes the identity a tombstone. REQUIRES: it is not one, and no item is left of it.
  void AddTombstone(const Identity& identity, int64_t decided_ms, int64_t stamp_ms);

  /// Forgets the oldest tombstones beyond kTombstonesMax, and those that are too old when it is
  /// `stream_ms` by the clock of the records; a bounded number.
  base::Status LimitTombstones(int64_t stream_ms);

  /// Takes a tombstone out of the order of tombstones; its identity's row is left to the caller.
  void RemoveTombstone(const Identity& identity, int64_t stamp_ms);

  /// Forgets the oldest tombstones while there are more than `tombstones_max` or they were made
  /// before `cutoff_ms`, at most `rows_max` of them. Returns how many.
  base::Result<size_t> EvictTombstones(uint64_t tombstones_max, int64_t cutoff_ms, size_t rows_max);

  /// Writes the head if it changed; the version grows by one if a reader could see a change.
  void Save();

 private:
  struct Item {
    std::string key;
    int64_t time_ms = 0;
    uint64_t arrival = 0;
    uint64_t mark_number = 0;
    Identity identity;
    bool read = false;
    bool seen = false;

    InboxPlace place() const { return {time_ms, arrival}; }
  };
  /// An item that is unread, as the index knows it.
  struct UnreadItem {
    InboxPlace place;
    InboxUnread row;
  };
  base::Status ReadItem(std::string_view key, std::string_view value, Item& item) const;
  /// The item and, behind it, its row.
  base::Result<std::string> FindItem(int64_t time_ms, uint64_t arrival, Item& item) const;
  void PutItem(const Item& item, std::string_view json);
  void EraseItem(const Item& item);
  /// Newest first: those of the top, then those of the index.
  base::Result<std::vector<UnreadItem>> AllUnread() const;
  /// Appends the items of the top from this key on.
  base::Status ReadTop(std::string_view begin, std::vector<UnreadItem>& found) const;
  base::Result<std::optional<InboxPlace>> NewestPlace(std::string_view end) const;
  /// Makes the index cover `item` and what is older, but for a row of the item itself.
  /// REQUIRES: the item is of the top.
  base::Status IndexUpTo(const Item& item);
  void PutUnread(const InboxPlace& place, const InboxUnread& row);
  std::string UnreadKey(const Item& item) const {
    return keys_.Unread(head_.read_mark, item.time_ms, item.arrival);
  }
  /// Visits items, oldest first, until `visitor` returns false.
  template <typename Visitor>
  base::Status VisitOldest(const Visitor& visitor) const;
  base::Status CorruptRow(std::string_view what) const;

  state::KeyValueStore& inbox_;
  state::KeyValueStore& unread_;
  const TrimCounters trimmed_;
  InboxKeys keys_;
  InboxHead head_;
  InboxHead saved_;
  bool visible_change_ = false;
};

}  // namespace stages
