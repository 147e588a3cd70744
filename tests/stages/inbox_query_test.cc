#include "stages/inbox_query.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/stages/inbox_test_util.h"

namespace stages {
namespace {

TEST(InboxQuery, AnInboxNobodyWroteToIsEmpty) {
  const InboxFixture inbox;
  const auto page = ReadPage(inbox.inbox, "1", 20, "");
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->items, "[]");
  EXPECT_EQ(page->next, std::nullopt);
  EXPECT_EQ(page->counts.total, 0u);
  EXPECT_EQ(page->counts.version, 0u);
}

TEST(InboxQuery, AnItemIsTheNotificationWithReadAndSeen) {
  InboxFixture inbox;
  inbox.Do(1, 0, "hello");
  const auto page = ReadPage(inbox.inbox, "1", 20, "");
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->items,
            R"([{"v":1,"id":"00000000000000000000000000000001-1795237200000","type":"like",)"
            R"("recipient":"1","actor":{"id":"2","name":null,"handle":null,"avatar_url":null},)"
            R"("object":null,"text":"hello","message":"","time":"2026-11-21T05:00:00.000Z",)"
            R"("source":{"topic":"events","partition":0,"offset":0},"read":false,"seen":false}])");
  EXPECT_EQ(page->item_count, 1u);
}

TEST(InboxQuery, MarksOfTheHeadReadItems) {
  InboxFixture inbox;
  inbox.Do(1, 10);
  inbox.Do(2, 20);
  InboxHead head = inbox.Head();
  head.read_mark = 1;
  head.seen_mark = 2;
  inbox.inbox.Put(InboxKeys("1").Head(), EncodeHead(head));
  const auto items = inbox.Items();
  EXPECT_EQ(items[0]["read"], false);
  EXPECT_EQ(items[0]["seen"], true);
  EXPECT_EQ(items[1]["read"], true);
}

TEST(InboxQuery, PagesShowEachItemOnceAndReadNoMoreThanOneBeyond) {
  InboxFixture inbox;
  for (uint8_t i = 0; i < 50; ++i) inbox.Do(i, i / 5);
  inbox.Do(1, 0, "t", "0");
  inbox.Do(1, 0, "t", "10");
  const auto all = inbox.Items();
  for (const size_t limit : {size_t{1}, size_t{7}, size_t{25}, size_t{50}, size_t{51}}) {
    nlohmann::json shown = nlohmann::json::array();
    std::string cursor;
    while (true) {
      inbox.inbox.rows_visited = 0;
      const auto page = ReadPage(inbox.inbox, "1", limit, cursor);
      ASSERT_TRUE(page.ok());
      EXPECT_LE(inbox.inbox.rows_visited, limit + 1);
      EXPECT_LE(page->item_count, limit);
      EXPECT_EQ(page->counts.total, 50u);
      for (const auto& item : nlohmann::json::parse(page->items)) shown.push_back(item);
      if (!page->next) break;
      cursor = *page->next;
      EXPECT_EQ(cursor.find_first_not_of("0123456789abcdef"), std::string::npos);
    }
    EXPECT_EQ(shown, all) << limit;
  }
}

TEST(InboxQuery, ACursorStandsStillWhileRowsComeAndGo) {
  InboxFixture inbox;
  for (uint8_t i = 0; i < 6; ++i) inbox.Do(i, i);
  const auto first = ReadPage(inbox.inbox, "1", 3, "");
  inbox.Do(9, 100);
  inbox.Undo(3, 50);  // the very row that the cursor names
  const auto second = ReadPage(inbox.inbox, "1", 3, *first->next);
  const auto items = nlohmann::json::parse(second->items);
  ASSERT_EQ(items.size(), 3u);
  EXPECT_EQ(items[0]["id"], NotificationId(MakeIdentity(2), kTestTimeMs + 2));
  EXPECT_EQ(second->next, std::nullopt);
}

TEST(InboxQuery, RefusesACursorThatIsNotOurs) {
  InboxFixture inbox;
  for (uint8_t i = 0; i < 3; ++i) inbox.Do(i, i);
  const std::string cursor = *ReadPage(inbox.inbox, "1", 1, "")->next;
  for (const std::string& bad :
       {std::string("x"), cursor + "0", cursor.substr(1), cursor.substr(0, cursor.size() - 1),
        "b" + cursor.substr(1), cursor.substr(0, cursor.size() - 1) + "G", std::string("+=")}) {
    const auto page = ReadPage(inbox.inbox, "1", 1, bad);
    ASSERT_FALSE(page.ok()) << bad;
    EXPECT_EQ(page.status().code(), base::StatusCode::kInvalidArgument);
  }
}

TEST(InboxQuery, ReportsRowsThatCannotBeRead) {
  InboxFixture inbox;
  inbox.Do(1, 0);
  inbox.inbox.rows[InboxKeys("1").Item(kTestTimeMs, 1)] = "x";
  EXPECT_EQ(ReadPage(inbox.inbox, "1", 1, "").status().code(), base::StatusCode::kCorruption);
  inbox.inbox.rows[InboxKeys("1").Head()] = "";
  EXPECT_EQ(ReadCounts(inbox.inbox, "1").status().code(), base::StatusCode::kCorruption);
}

}  // namespace
}  // namespace stages
