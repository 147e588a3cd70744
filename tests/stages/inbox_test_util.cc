#include "tests/stages/inbox_test_util.h"

#include <map>
#include <utility>

namespace stages {
namespace {

struct Found {
  InboxHead head;
  uint64_t total = 0, unread = 0, unseen = 0, tombstones = 0;
  /// identity -> place, of items and of identities that stand.
  std::map<Identity, std::pair<int64_t, uint64_t>> items, standing;
  /// identity -> stamp.
  std::map<Identity, int64_t> ordered, tombstone_identities;
  std::set<std::string> unread_keys;
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
      if (!item.IsRead(found.head)) {
        ++found.unread;
        found.unread_keys.emplace(key);
      }
      EXPECT_LE(parsed.arrival, found.head.last_arrival);
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
  }
  FAIL() << "unknown kind of row";
}

}  // namespace

void InboxFixture::CheckRows() const {
  std::map<std::string, Found> recipients;
  for (const auto& [key, value] : inbox.rows) {
    Take(key, value, recipients[std::string(RecipientGroupOf(key))]);
  }
  std::set<std::string> unread_keys;
  for (const auto& [group, found] : recipients) {
    EXPECT_EQ(found.head.total, found.total);
    EXPECT_EQ(found.head.unread, found.unread);
    EXPECT_EQ(found.head.unseen, found.unseen);
    EXPECT_EQ(found.head.tombstones, found.tombstones);
    EXPECT_EQ(found.items, found.standing);
    EXPECT_EQ(found.ordered, found.tombstone_identities);
    unread_keys.insert(found.unread_keys.begin(), found.unread_keys.end());
  }
  std::set<std::string> indexed;
  for (const auto& [key, value] : unread.rows) indexed.insert(key);
  EXPECT_EQ(indexed, unread_keys);
}

}  // namespace stages
