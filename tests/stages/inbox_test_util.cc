#include "tests/stages/inbox_test_util.h"

#include <map>
#include <utility>

#include "stages/inbox_repair.h"

namespace stages {
namespace {

struct Found {
  InboxHead head;
  uint64_t total = 0, unread = 0, unseen = 0, tombstones = 0;
  /// identity -> place, of items and of identities that stand.
  std::map<Identity, std::pair<int64_t, uint64_t>> items, standing;
  /// identity -> stamp.
  std::map<Identity, int64_t> ordered, tombstone_identities;
  std::set<uint64_t> arrivals;
  /// The index as it should be, and as it is under the head's mark.
  std::map<std::string, std::string> unread_rows, index;
};

void Take(std::string_view key, std::string_view value, Found& found) {
  InboxRowKey parsed;
  ASSERT_TRUE(ParseInboxKey(key, parsed));
  switch (parsed.kind) {
    case InboxRowKind::kHead:
      ASSERT_TRUE(DecodeHead(value, found.head));
      return;
    case InboxRowKind::kItem: {
      InboxItem item;
      ASSERT_TRUE(DecodeItem(value, item));
      const auto json = nlohmann::json::parse(item.json);
      EXPECT_EQ(json["id"], NotificationId(item.identity, parsed.time_ms));
      EXPECT_TRUE(
          found.items.emplace(item.identity, std::pair(parsed.time_ms, parsed.arrival)).second)
          << "two rows of one identity";
      ++found.total;
      if (!item.IsSeen(found.head)) ++found.unseen;
      const bool indexed = found.head.IsIndexed({parsed.time_ms, parsed.arrival});
      EXPECT_TRUE(indexed || !item.IsRead(found.head)) << "the top has unread items only";
      if (!item.IsRead(found.head)) ++found.unread;
      if (indexed && !item.IsRead(found.head)) {
        const InboxKeys keys = InboxKeys::OfGroup(RecipientGroupOf(key));
        found.unread_rows[keys.Unread(found.head.read_mark, parsed.time_ms, parsed.arrival)] =
            EncodeUnread({item.seen, item.mark_number}, parsed.arrival);
      }
      EXPECT_TRUE(found.arrivals.insert(parsed.arrival).second) << "a number given out twice";
      EXPECT_LE(parsed.arrival, found.head.version);
      EXPECT_LE(parsed.arrival, item.mark_number);
      EXPECT_LE(item.mark_number, found.head.version);
      EXPECT_LE(std::pair(found.head.oldest_ms, found.head.oldest_arrival),
                std::pair(parsed.time_ms, parsed.arrival));
      return;
    }
    case InboxRowKind::kIdentity: {
      InboxIdentity identity;
      ASSERT_TRUE(DecodeIdentity(value, identity));
      if (identity.stands) {
        found.standing[parsed.identity] = {identity.item_ms, identity.item_arrival};
        EXPECT_GE(identity.decided_ms, identity.item_ms);
        EXPECT_EQ(identity.later_json.empty(), identity.decided_ms == identity.item_ms);
      } else {
        found.tombstone_identities[parsed.identity] = identity.stamp_ms;
      }
      return;
    }
    case InboxRowKind::kTombstone:
      ++found.tombstones;
      found.ordered[parsed.identity] = parsed.time_ms;
      EXPECT_LE(found.head.oldest_tombstone_ms, parsed.time_ms);
      return;
    case InboxRowKind::kUnread:
      break;
  }
  FAIL() << "unknown kind of row";
}

}  // namespace

void InboxFixture::CheckRows() const {
  std::map<std::string, Found> recipients;
  for (const auto& [key, value] : inbox.rows) {
    Take(key, value, recipients[std::string(RecipientGroupOf(key))]);
  }
  for (const auto& [key, value] : unread.rows) {
    InboxRowKey parsed;
    ASSERT_TRUE(ParseInboxKey(key, parsed));
    ASSERT_EQ(parsed.kind, InboxRowKind::kUnread);
    Found& found = recipients[std::string(RecipientGroupOf(key))];
    EXPECT_LE(parsed.read_mark, found.head.read_mark);
    if (parsed.read_mark == found.head.read_mark) found.index[key] = value;
  }
  for (const auto& [group, found] : recipients) {
    EXPECT_EQ(found.head.total, found.total);
    EXPECT_EQ(found.head.unread, found.unread);
    EXPECT_EQ(found.head.unseen, found.unseen);
    EXPECT_EQ(found.head.tombstones, found.tombstones);
    EXPECT_EQ(found.items, found.standing);
    EXPECT_EQ(found.ordered, found.tombstone_identities);
    EXPECT_EQ(found.index, found.unread_rows);
    EXPECT_LE(found.head.read_mark, found.head.version);
    EXPECT_LE(found.head.seen_mark, found.head.version);
  }
}

void InboxFixture::MakeOld(std::string_view recipient) {
  const InboxKeys keys(recipient);
  inbox.rows[keys.Head()] = EncodeOldHead(Head(recipient));
  const base::Status status = RebuildUnread(keys.group(), inbox, unread);
  ASSERT_TRUE(status.ok()) << status.ToString();
}

void InboxFixture::Repair() {
  std::set<std::string> groups;
  for (const auto& [key, value] : inbox.rows) groups.emplace(RecipientGroupOf(key));
  for (const std::string& group : groups) {
    const base::Status status = RebuildUnread(group, inbox, unread);
    ASSERT_TRUE(status.ok()) << status.ToString();
  }
}

}  // namespace stages
