#include "stages/inbox_query.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/stages/inbox_test_util.h"

namespace stages {
namespace {

TEST(InboxQuery, AnInboxNobodyWroteToIsEmpty) {
  const InboxFixture inbox;
  const auto page = inbox.Page(20);
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->items, "[]");
  EXPECT_EQ(page->next, std::nullopt);
  EXPECT_EQ(page->counts.total, 0u);
  EXPECT_EQ(page->counts.version, 0u);
}

TEST(InboxQuery, AnItemIsTheNotificationWithReadAndSeen) {
  InboxFixture inbox;
  inbox.Do(1, 0, "hello");
  const auto page = inbox.Page(20);
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
  inbox.ReadAll(1);
  inbox.SeeAll(2);
  const auto items = inbox.Items();
  EXPECT_EQ(items[0]["read"], false);
  EXPECT_EQ(items[0]["seen"], true);
  EXPECT_EQ(items[1]["read"], true);
  EXPECT_EQ(items[1]["seen"], true) << "what is read is seen";
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
      const auto page = inbox.Page(limit, cursor);
      ASSERT_TRUE(page.ok());
      // A first page meets the head on its way.
      EXPECT_LE(inbox.inbox.rows_visited, limit + (cursor.empty() ? 2 : 1));
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
  const auto first = inbox.Page(3);
  inbox.Do(9, 100);
  inbox.Undo(3, 50);  // the very row that the cursor names
  const auto second = inbox.Page(3, *first->next);
  const auto items = nlohmann::json::parse(second->items);
  ASSERT_EQ(items.size(), 3u);
  EXPECT_EQ(items[0]["id"], NotificationId(MakeIdentity(2), kTestTimeMs + 2));
  EXPECT_EQ(second->next, std::nullopt);
}

TEST(InboxQuery, RefusesACursorThatIsNotOurs) {
  InboxFixture inbox;
  for (uint8_t i = 0; i < 3; ++i) inbox.Do(i, i);
  const std::string cursor = *inbox.Page(1)->next;
  for (const std::string& bad :
       {std::string("x"), cursor + "0", cursor.substr(1), cursor.substr(0, cursor.size() - 1),
        "b" + cursor.substr(1), cursor.substr(0, cursor.size() - 1) + "G", std::string("+=")}) {
    const auto page = inbox.Page(1, bad);
    ASSERT_FALSE(page.ok()) << bad;
    EXPECT_EQ(page.status().code(), base::StatusCode::kInvalidArgument);
  }
}

/// Ten rows, 0 to 9 from the oldest; the even ones are read.
void FillHalfRead(InboxFixture& inbox) {
  for (uint8_t i = 0; i < 10; ++i) inbox.Do(i, i);
  for (uint8_t i = 0; i < 10; i += 2) inbox.Act(InboxAction::Kind::kRead, i, i);
}

TEST(InboxQuery, FiltersByStatus) {
  InboxFixture inbox;
  FillHalfRead(inbox);
  for (const size_t limit : {size_t{1}, size_t{2}, size_t{5}, size_t{20}}) {
    const auto unread = inbox.Items("1", {InboxFilter::Status::kUnread, {}}, limit);
    const auto read = inbox.Items("1", {InboxFilter::Status::kRead, {}}, limit);
    ASSERT_EQ(unread.size(), 5u);
    ASSERT_EQ(read.size(), 5u);
    for (size_t i = 0; i < 5; ++i) {
      EXPECT_EQ(unread[i]["id"], NotificationId(MakeIdentity(static_cast<uint8_t>(9 - 2 * i)),
                                                kTestTimeMs + 9 - 2 * static_cast<int64_t>(i)));
      EXPECT_EQ(unread[i]["read"], false);
      EXPECT_EQ(read[i]["read"], true);
    }
  }
}

TEST(InboxQuery, APageOfUnreadRowsLooksAtNoOthers) {
  InboxFixture inbox;
  for (int i = 0; i < 200; ++i) inbox.Do(static_cast<uint8_t>(i), i);
  inbox.ReadAll();
  inbox.Act(InboxAction::Kind::kUnread, 3, 3);
  inbox.Act(InboxAction::Kind::kUnread, 150, 150);
  inbox.inbox.rows_visited = 0;
  inbox.unread.rows_visited = 0;
  const auto page = inbox.Page(20, "", {InboxFilter::Status::kUnread, {}});
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->item_count, 2u);
  EXPECT_EQ(page->next, std::nullopt);
  EXPECT_EQ(inbox.inbox.rows_visited, 0u);
  EXPECT_EQ(inbox.unread.rows_visited, 2u) << "what read-all left in the index is not met";
}

TEST(InboxQuery, APageOfUnreadRowsGoesOnFromTheTopToTheIndex) {
  InboxFixture inbox;
  for (uint8_t i = 0; i < 10; ++i) inbox.Do(i, i);
  for (const uint8_t read : {uint8_t{2}, uint8_t{3}, uint8_t{5}}) {
    inbox.Act(InboxAction::Kind::kRead, read, read);
  }
  inbox.Do(10, 4);  // late: below what was read
  const InboxFilter filter{InboxFilter::Status::kUnread, {}};
  const auto all = inbox.Items();
  for (const size_t limit : {size_t{1}, size_t{2}, size_t{3}, size_t{4}, size_t{5}, size_t{8}}) {
    inbox.inbox.rows_visited = inbox.unread.rows_visited = 0;
    const auto page = inbox.Page(limit, "", filter);
    ASSERT_TRUE(page.ok());
    EXPECT_EQ(page->item_count, limit);
    EXPECT_EQ(page->next.has_value(), limit < 8);
    EXPECT_LE(inbox.inbox.rows_visited + inbox.unread.rows_visited, limit + 1);
    EXPECT_EQ(inbox.Items("1", filter, limit).size(), 8u);
  }
  // Behind the cursor of each row there is, read or not.
  std::string cursor;
  for (size_t i = 0; i < all.size(); ++i) {
    cursor = inbox.Page(1, cursor)->next.value_or("");
    nlohmann::json expected = nlohmann::json::array();
    for (size_t behind = i + 1; behind < all.size(); ++behind) {
      if (all[behind]["read"] == false) expected.push_back(all[behind]);
    }
    if (!cursor.empty()) {
      EXPECT_EQ(nlohmann::json::parse(inbox.Page(20, cursor, filter)->items), expected);
    }
  }
}

TEST(InboxQuery, FiltersByKindAndByWhatTheKindIsOnly) {
  InboxFixture inbox;
  inbox.Do(1, 10, R"("type":"follow")");
  inbox.Do(2, 20, "t");
  const EventKind* const like = FindEventKind("like");
  const EventKind* const follow = FindEventKind("follow");
  for (const auto status : {InboxFilter::Status::kAll, InboxFilter::Status::kUnread}) {
    EXPECT_EQ(inbox.Items("1", {status, {like}}).size(), 2u);
    EXPECT_EQ(inbox.Items("1", {status, {follow, like}}).size(), 2u);
    EXPECT_EQ(inbox.Items("1", {status, {follow}}).size(), 0u) << "its text is not its kind";
  }
  EXPECT_EQ(inbox.Items("1", {InboxFilter::Status::kRead, {like}}).size(), 0u);
}

TEST(InboxQuery, ACursorIsGoodWithAnyFilter) {
  InboxFixture inbox;
  FillHalfRead(inbox);
  const InboxFilter filters[] = {{},
                                 {InboxFilter::Status::kUnread, {}},
                                 {InboxFilter::Status::kRead, {}},
                                 {InboxFilter::Status::kAll, {FindEventKind("like")}}};
  for (const InboxFilter& first : filters) {
    const auto page = inbox.Page(2, "", first);
    ASSERT_TRUE(page->next);
    const auto last = nlohmann::json::parse(page->items).back();
    for (const InboxFilter& second : filters) {
      const auto rest = inbox.Page(20, *page->next, second);
      nlohmann::json expected = nlohmann::json::array();
      for (const auto& item : inbox.Items("1", second)) {
        if (item["time"] < last["time"]) expected.push_back(item);
      }
      EXPECT_EQ(nlohmann::json::parse(rest->items), expected);
    }
  }
}

TEST(InboxQuery, APageEndsAfterAsManyRowsAsItMayLookAt) {
  InboxFixture inbox;
  Notification notification;
  notification.kind = FindEventKind("like");
  notification.recipient = "1";
  for (size_t i = 0; i < kPageRowsLookedAtMax + 10; ++i) {
    notification.identity.bytes[0] = static_cast<uint8_t>(i % 256);
    notification.identity.bytes[1] = static_cast<uint8_t>(i / 256);
    notification.time_ms = kTestTimeMs + static_cast<int64_t>(i);
    inbox.Write(notification);
  }
  for (const InboxFilter& nothing :
       {InboxFilter{InboxFilter::Status::kRead, {}},
        InboxFilter{InboxFilter::Status::kUnread, {FindEventKind("follow")}}}) {
    const auto page = inbox.Page(20, "", nothing);
    ASSERT_TRUE(page.ok());
    EXPECT_EQ(page->items, "[]");
    ASSERT_TRUE(page->next) << "there is more to look at";
    const auto rest = inbox.Page(20, *page->next, nothing);
    ASSERT_TRUE(rest.ok());
    EXPECT_EQ(rest->items, "[]");
    EXPECT_EQ(rest->next, std::nullopt);
    // It goes on right behind the last row that was looked at.
    EXPECT_EQ(inbox.Items("1", {}).size(), kPageRowsLookedAtMax + 10);
    const auto behind = inbox.Page(20, *page->next);
    EXPECT_EQ(behind->item_count, 10u);
  }
}

TEST(InboxQuery, KnowsWhetherANotificationIsThere) {
  InboxFixture inbox;
  inbox.Do(1, 10);
  inbox.Undo(2, 20);
  const auto has = [&](const std::string& id, std::string_view recipient = "1") {
    return *HasNotification(inbox.inbox, recipient, id);
  };
  const std::string id = NotificationId(MakeIdentity(1), kTestTimeMs + 10);
  EXPECT_TRUE(has(id));
  EXPECT_FALSE(has(id, "2"));
  EXPECT_FALSE(has(NotificationId(MakeIdentity(1), kTestTimeMs + 11)));
  EXPECT_FALSE(has(NotificationId(MakeIdentity(2), kTestTimeMs + 20))) << "a tombstone";
  EXPECT_FALSE(has(NotificationId(MakeIdentity(3), kTestTimeMs)));
  EXPECT_FALSE(has(""));
  EXPECT_FALSE(has(id + "x"));
  inbox.Act(InboxAction::Kind::kDelete, 1, 10);
  EXPECT_FALSE(has(id));
  inbox.inbox.rows[InboxKeys("1").IdentityRow(MakeIdentity(1))] = "x";
  EXPECT_EQ(HasNotification(inbox.inbox, "1", id).status().code(), base::StatusCode::kCorruption);
}

TEST(InboxQuery, VisitsOldestFirstUntilItIsToldToStop) {
  InboxFixture inbox;
  for (const int time : {3, 1, 2}) inbox.Do(static_cast<uint8_t>(time), time, std::to_string(time));
  inbox.Do(9, 0, "another's", "0");
  inbox.Do(9, 0, "another's", "2");
  std::vector<std::string> texts;
  const auto visit = [&](size_t stop_after) {
    texts.clear();
    return VisitOldestFirst(inbox.inbox, "1", [&](std::string_view json) {
      const auto item = nlohmann::json::parse(json);
      EXPECT_FALSE(item.contains("read"));
      texts.push_back(item["text"]);
      return texts.size() < stop_after;
    });
  };
  ASSERT_TRUE(visit(100).ok());
  EXPECT_EQ(texts, (std::vector<std::string>{"1", "2", "3"}));
  ASSERT_TRUE(visit(2).ok());
  EXPECT_EQ(texts, (std::vector<std::string>{"1", "2"}));
  inbox.inbox.rows[InboxKeys("1").Item(kTestTimeMs + 2, 3)] = "x";
  EXPECT_EQ(visit(100).code(), base::StatusCode::kCorruption);
}

TEST(InboxQuery, AnIndexRowWithoutItsItemIsCorruption) {
  InboxFixture inbox;
  inbox.Do(1, 10);
  inbox.Do(2, 20);
  inbox.Act(InboxAction::Kind::kRead, 2, 20);
  inbox.inbox.rows.erase(InboxKeys("1").Item(kTestTimeMs + 10, 1));
  EXPECT_EQ(inbox.Page(5, "", {InboxFilter::Status::kUnread, {}}).status().code(),
            base::StatusCode::kCorruption);
}

TEST(InboxQuery, ReportsRowsThatCannotBeRead) {
  InboxFixture inbox;
  inbox.Do(1, 0);
  inbox.inbox.rows[InboxKeys("1").Item(kTestTimeMs, 1)] = "x";
  EXPECT_EQ(inbox.Page(1).status().code(), base::StatusCode::kCorruption);
  inbox.inbox.rows[InboxKeys("1").Head()] = "";
  EXPECT_EQ(ReadCounts(inbox.inbox, "1").status().code(), base::StatusCode::kCorruption);
}

}  // namespace
}  // namespace stages
