#include "stages/inbox_rows.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/stages/inbox_test_util.h"

namespace stages {
namespace {

TEST(InboxRows, ARecipientsRowsLieTogetherInOrderOfKind) {
  const InboxKeys keys("a");
  const std::vector<std::string> ordered = {InboxKeys("").Head(),
                                            InboxKeys("").Tombstone(9, MakeIdentity(9)),
                                            keys.Head(),
                                            keys.Item(5, 9),
                                            keys.Item(5, 8),
                                            keys.Item(-1, 10),
                                            keys.IdentityRow(MakeIdentity(1)),
                                            keys.IdentityRow(MakeIdentity(2)),
                                            keys.Tombstone(-3, MakeIdentity(9)),
                                            keys.Tombstone(4, MakeIdentity(1)),
                                            keys.Unread(3, 5, 9),
                                            keys.Unread(3, 5, 8),
                                            keys.Unread(3, -1, 10),
                                            keys.UnreadBegin(4),
                                            keys.Unread(256, 7, 9),
                                            keys.GroupEnd(),
                                            InboxKeys(std::string_view("a\0", 2)).Head(),
                                            InboxKeys("a\x01").Head(),
                                            InboxKeys("ab").Head(),
                                            InboxKeys("b").Head()};
  for (size_t i = 0; i + 1 < ordered.size(); ++i) EXPECT_LT(ordered[i], ordered[i + 1]) << i;
}

TEST(InboxRows, EveryKeyNamesItsRecipientsGroup) {
  for (const std::string_view recipient :
       {std::string_view("1"), std::string_view(""), std::string_view("a\0b", 3),
        std::string_view("\0", 1), std::string_view("\0\x01", 2),
        std::string_view("\0\xff\0", 3)}) {
    const InboxKeys keys(recipient);
    for (const std::string& key :
         {keys.Head(), keys.Item(0, 1), keys.Item(-1, 256), keys.IdentityRow({}),
          keys.Tombstone(1, MakeIdentity(1)), keys.Unread(1, 2, 3)}) {
      EXPECT_EQ(RecipientGroupOf(key), keys.group());
      InboxRowKey parsed;
      EXPECT_TRUE(ParseInboxKey(key, parsed));
      EXPECT_FALSE(ParseInboxKey(key + "x", parsed));
    }
    EXPECT_EQ(InboxKeys::OfGroup(keys.group()).Head(), keys.Head());
  }
  EXPECT_EQ(RecipientGroupOf("no end"), "no end");
}

TEST(InboxRows, KeysComeBackAsTheyWereMade) {
  const InboxKeys keys("1");
  InboxRowKey parsed;
  ASSERT_TRUE(ParseInboxKey(keys.Item(-7, 12), parsed));
  EXPECT_EQ(parsed.kind, InboxRowKind::kItem);
  EXPECT_EQ(parsed.time_ms, -7);
  EXPECT_EQ(parsed.arrival, 12u);
  ASSERT_TRUE(ParseInboxKey(keys.IdentityRow(MakeIdentity(3)), parsed));
  EXPECT_EQ(parsed.kind, InboxRowKind::kIdentity);
  EXPECT_EQ(parsed.identity, MakeIdentity(3));
  ASSERT_TRUE(ParseInboxKey(keys.Tombstone(8, MakeIdentity(4)), parsed));
  EXPECT_EQ(parsed.kind, InboxRowKind::kTombstone);
  EXPECT_EQ(parsed.time_ms, 8);
  EXPECT_EQ(parsed.identity, MakeIdentity(4));
  ASSERT_TRUE(ParseInboxKey(keys.Unread(9, -7, 12), parsed));
  EXPECT_EQ(parsed.kind, InboxRowKind::kUnread);
  EXPECT_EQ(parsed.read_mark, 9u);
  EXPECT_EQ(parsed.time_ms, -7);
  EXPECT_EQ(parsed.arrival, 12u);
  EXPECT_FALSE(ParseInboxKey(keys.group() + "\x05", parsed));
  EXPECT_FALSE(ParseInboxKey(keys.group() + "\x06", parsed));
  EXPECT_FALSE(ParseInboxKey(keys.group(), parsed));
}

TEST(InboxRows, AHeadComesBackAsItWasWritten) {
  InboxHead head{std::numeric_limits<uint64_t>::max(),
                 1,
                 127,
                 128,
                 300,
                 5,
                 6,
                 std::numeric_limits<int64_t>::min(),
                 8,
                 std::numeric_limits<int64_t>::max(),
                 kOldestPlace};
  for (const InboxPlace& indexed :
       {kOldestPlace, kNewestPlace, InboxPlace{-5, 1}, InboxPlace{kTestTimeMs, 300}}) {
    head.indexed = indexed;
    InboxHead read;
    const std::string value = EncodeHead(head);
    ASSERT_TRUE(DecodeHead(value, read));
    EXPECT_EQ(read, head);
    for (size_t size = 0; size < value.size(); ++size) {
      EXPECT_FALSE(DecodeHead(value.substr(0, size), read)) << size;
    }
    EXPECT_FALSE(DecodeHead(value + "x", read));
    EXPECT_FALSE(DecodeHead("\x03" + value.substr(1), read));
  }
}

TEST(InboxRows, AHeadFromBeforeThereWasATopHasEverythingIndexed) {
  InboxHead head;
  head.version = 300;
  head.total = 7;
  head.oldest_ms = kTestTimeMs;
  const std::string value = EncodeOldHead(head);
  InboxHead read;
  ASSERT_TRUE(DecodeHead(value, read));
  EXPECT_EQ(read.indexed, kNewestPlace);
  EXPECT_TRUE(read.IsIndexed({std::numeric_limits<int64_t>::max(), 1}));
  head.indexed = kNewestPlace;
  EXPECT_EQ(read, head);
  EXPECT_FALSE(DecodeHead(value + '\0', read));
  EXPECT_FALSE(DecodeHead(value.substr(0, value.size() - 1), read));
}

TEST(InboxRows, APlaceIsAboveAnotherAsItsKeyIsBeforeTheOthers) {
  const InboxKeys keys("1");
  const std::vector<InboxPlace> places = {
      kOldestPlace, {std::numeric_limits<int64_t>::min(), 1}, {-1, 7}, {0, 1}, {0, 2}, {5, 1},
      kNewestPlace};
  for (const InboxPlace& left : places) {
    for (const InboxPlace& right : places) {
      EXPECT_EQ(left<right, keys.Item(left)> keys.Item(right));
    }
    EXPECT_LT(keys.Item(left), keys.End(InboxRowKind::kItem));
  }
}

TEST(InboxRows, AnItemComesBackAsItWasWritten) {
  InboxItem item;
  item.seen = true;
  item.mark_number = 1'000'000;
  item.identity = MakeIdentity(7);
  item.json = "{\"v\":1}";
  const std::string value = EncodeItem(item);
  InboxItem read;
  ASSERT_TRUE(DecodeItem(value, read));
  EXPECT_FALSE(read.read);
  EXPECT_TRUE(read.seen);
  EXPECT_EQ(read.mark_number, 1'000'000u);
  EXPECT_EQ(read.identity, item.identity);
  EXPECT_EQ(read.json, item.json);
  for (size_t size = 0; size < value.size(); ++size) {
    EXPECT_FALSE(DecodeItem(std::string_view(value).substr(0, size), read)) << size;
  }
}

TEST(InboxRows, AMarkReadsWhatCameBeforeIt) {
  InboxHead head;
  head.read_mark = 5;
  head.seen_mark = 7;
  InboxItem item;
  item.mark_number = 5;
  EXPECT_TRUE(item.IsRead(head));
  item.mark_number = 6;
  EXPECT_FALSE(item.IsRead(head));
  EXPECT_TRUE(item.IsSeen(head));
  item.mark_number = 8;
  EXPECT_FALSE(item.IsSeen(head));
  item.read = true;
  EXPECT_TRUE(item.IsRead(head));
}

TEST(InboxRows, AnIndexRowIsOneByteUnlessItDiffersFromTheUsual) {
  EXPECT_EQ(EncodeUnread({false, 7}, 7), "\x01");
  for (const InboxUnread& row : {InboxUnread{false, 7}, InboxUnread{true, 7}, InboxUnread{false, 8},
                                 InboxUnread{true, 1'000'000}}) {
    const std::string value = EncodeUnread(row, 7);
    InboxUnread read;
    ASSERT_TRUE(DecodeUnread(value, 7, read));
    EXPECT_EQ(read.seen, row.seen);
    EXPECT_EQ(read.mark_number, row.mark_number);
    EXPECT_FALSE(DecodeUnread(EncodeUnread({true, 9}, 7) + "x", 7, read));
    EXPECT_FALSE(DecodeUnread("\x02" + value.substr(1), 7, read));
    EXPECT_FALSE(DecodeUnread("", 7, read));
    EXPECT_FALSE(DecodeUnread("\x01\x02", 7, read));
  }
}

TEST(InboxRows, AnIdentityComesBackAsItWasWritten) {
  InboxIdentity standing;
  standing.stands = true;
  standing.decided_ms = 9;
  standing.item_ms = -4;
  standing.item_arrival = 12;
  standing.later_json = "{}";
  InboxIdentity read;
  ASSERT_TRUE(DecodeIdentity(EncodeIdentity(standing), read));
  EXPECT_TRUE(read.stands);
  EXPECT_EQ(read.decided_ms, 9);
  EXPECT_EQ(read.item_ms, -4);
  EXPECT_EQ(read.item_arrival, 12u);
  EXPECT_EQ(read.later_json, "{}");
  InboxIdentity tombstone;
  tombstone.decided_ms = -9;
  tombstone.stamp_ms = kTestTimeMs;
  ASSERT_TRUE(DecodeIdentity(EncodeIdentity(tombstone), read));
  EXPECT_FALSE(read.stands);
  EXPECT_EQ(read.decided_ms, -9);
  EXPECT_EQ(read.stamp_ms, kTestTimeMs);
  EXPECT_FALSE(DecodeIdentity("", read));
  EXPECT_FALSE(DecodeIdentity("\x01", read));
  EXPECT_FALSE(DecodeIdentity(EncodeIdentity(tombstone) + "x", read));
}

}  // namespace
}  // namespace stages
