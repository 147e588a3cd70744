#include "stages/apply_action.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/stages/inbox_test_util.h"

namespace stages {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Kind = InboxAction::Kind;

constexpr int64_t kDayMs = int64_t{24} * 3'600'000;

class ApplyActionTest : public ::testing::Test {
 protected:
  ~ApplyActionTest() override { inbox_.CheckRows(); }

  void ExpectCounts(uint64_t total, uint64_t unread, uint64_t unseen, uint64_t version) {
    const InboxCounts counts = inbox_.Counts();
    EXPECT_EQ(counts.total, total);
    EXPECT_EQ(counts.unread, unread);
    EXPECT_EQ(counts.unseen, unseen);
    EXPECT_EQ(counts.version, version);
    inbox_.CheckRows();
  }

  /// "number" of each row, newest first, with "r" when it is read and "s" when it is seen.
  std::vector<std::string> States() const {
    std::vector<std::string> states;
    for (const auto& item : inbox_.Items()) {
      Identity identity;
      int64_t time_ms = 0;
      EXPECT_TRUE(ParseNotificationId(item["id"].get<std::string>(), identity, time_ms));
      std::string state = std::to_string(identity.bytes[15]);
      if (item["read"] == true) state += 'r';
      if (item["seen"] == true) state += 's';
      states.push_back(std::move(state));
    }
    return states;
  }

  /// Fails if `action` writes anything.
  template <typename Action>
  void ExpectNothing(const Action& action) {
    const auto rows = inbox_.inbox.rows;
    const auto index = inbox_.unread.rows;
    inbox_.inbox.writes = 0;
    action();
    EXPECT_EQ(inbox_.inbox.rows, rows);
    EXPECT_EQ(inbox_.unread.rows, index);
    EXPECT_EQ(inbox_.inbox.writes, 0u) << "a changelog record for nothing";
  }

  InboxFixture inbox_;
};

TEST_F(ApplyActionTest, ReadReadsAndSees) {
  inbox_.Do(1, 10);
  inbox_.Do(2, 20);
  inbox_.Act(Kind::kRead, 1, 10);
  EXPECT_THAT(States(), ElementsAre("2", "1rs"));
  ExpectCounts(2, 1, 1, 3);
}

TEST_F(ApplyActionTest, SeenSeesOnly) {
  inbox_.Do(1, 10);
  inbox_.Act(Kind::kSeen, 1, 10);
  EXPECT_THAT(States(), ElementsAre("1s"));
  ExpectCounts(1, 1, 0, 2);
  inbox_.Act(Kind::kRead, 1, 10);
  EXPECT_THAT(States(), ElementsAre("1rs"));
  ExpectCounts(1, 0, 0, 3);
}

TEST_F(ApplyActionTest, WhatBecomesUnreadAgainStaysSeen) {
  inbox_.Do(1, 10);
  inbox_.Act(Kind::kRead, 1, 10);
  inbox_.Act(Kind::kUnread, 1, 10);
  EXPECT_THAT(States(), ElementsAre("1s"));
  ExpectCounts(1, 1, 0, 3);
  // Also what only the mark had read.
  inbox_.Do(2, 20);
  inbox_.ReadAll();
  inbox_.Act(Kind::kUnread, 2, 20);
  EXPECT_THAT(States(), ElementsAre("2s", "1rs"));
  ExpectCounts(2, 1, 0, 6);
}

TEST_F(ApplyActionTest, TheItemItselfStaysAsItWas) {
  inbox_.Do(1, 10, "hello");
  const auto before = inbox_.Items()[0];
  for (const Kind kind : {Kind::kSeen, Kind::kRead, Kind::kUnread}) {
    inbox_.Act(kind, 1, 10);
    auto after = inbox_.Items()[0];
    after["read"] = before["read"];
    after["seen"] = before["seen"];
    EXPECT_EQ(after, before);
  }
}

TEST_F(ApplyActionTest, ARepeatChangesNothing) {
  for (uint8_t i = 1; i <= 4; ++i) inbox_.Do(i, i);
  for (const Kind kind : {Kind::kSeen, Kind::kRead, Kind::kUnread, Kind::kDelete}) {
    inbox_.Act(kind, 1, 1);
    ExpectNothing([&] { inbox_.Act(kind, 1, 1); });
  }
  for (const std::optional<uint64_t> up_to :
       {std::optional<uint64_t>(2), std::optional<uint64_t>(3), std::optional<uint64_t>()}) {
    inbox_.SeeAll(up_to);
    ExpectNothing([&] { inbox_.SeeAll(up_to); });
    inbox_.ReadAll(up_to);
    ExpectNothing([&] { inbox_.ReadAll(up_to); });
    ExpectNothing([&] { inbox_.SeeAll(up_to); });
  }
}

TEST_F(ApplyActionTest, NothingHappensToWhatIsNotThere) {
  inbox_.Do(1, 10);
  inbox_.Undo(2, 10);
  for (const Kind kind : {Kind::kRead, Kind::kUnread, Kind::kSeen, Kind::kDelete}) {
    ExpectNothing([&] { inbox_.Act(kind, 9, 10); });
    ExpectNothing([&] { inbox_.Act(kind, 2, 10); });
    ExpectNothing([&] { inbox_.Act(kind, 1, 11); });
    ExpectNothing([&] { inbox_.Act(kind, 1, 10, "2"); });
  }
  ExpectNothing([&] { inbox_.ReadAll({}, "2"); });
  ExpectNothing([&] { inbox_.SeeAll({}, "2"); });
}

TEST_F(ApplyActionTest, ALateActionOnWhatWasDoneAnewDoesNothing) {
  inbox_.Do(1, 10);
  inbox_.Undo(1, 20);
  inbox_.Do(1, 30);
  for (const Kind kind : {Kind::kRead, Kind::kSeen, Kind::kDelete}) {
    ExpectNothing([&] { inbox_.Act(kind, 1, 10); });
  }
  EXPECT_THAT(States(), ElementsAre("1"));
}

TEST_F(ApplyActionTest, ReadAllReadsWhatIsThereAndNothingThatComesLater) {
  inbox_.Do(1, 10);
  inbox_.Do(2, 20);
  inbox_.ReadAll();
  inbox_.Do(3, 5);  // older by its time, later by its arrival
  EXPECT_THAT(States(), ElementsAre("2rs", "1rs", "3"));
  ExpectCounts(3, 1, 1, 4);
}

TEST_F(ApplyActionTest, ReadAllCostsOneRowHoweverLargeTheInboxIs) {
  for (int i = 0; i < 250; ++i) inbox_.Do(static_cast<uint8_t>(i), i);
  inbox_.inbox.writes = inbox_.unread.writes = 0;
  inbox_.inbox.rows_visited = inbox_.unread.rows_visited = 0;
  inbox_.ReadAll();
  EXPECT_EQ(inbox_.inbox.writes, 1u);
  EXPECT_EQ(inbox_.unread.writes, 0u);
  EXPECT_LE(inbox_.inbox.rows_visited + inbox_.unread.rows_visited, 1u);
  ExpectCounts(250, 0, 0, 251);
}

TEST_F(ApplyActionTest, ReadAllUpToAVersionReadsWhatThatVersionShowed) {
  for (uint8_t i = 1; i <= 4; ++i) inbox_.Do(i, 10 * i);
  inbox_.ReadAll(2);
  EXPECT_THAT(States(), ElementsAre("4", "3", "2rs", "1rs"));
  ExpectCounts(4, 2, 2, 5);
  ExpectNothing([&] { inbox_.ReadAll(1); });
  ExpectNothing([&] { inbox_.ReadAll(0); });
  inbox_.ReadAll(1'000'000);  // above the version: all
  ExpectCounts(4, 0, 0, 6);
  inbox_.Do(5, 50);
  EXPECT_EQ(inbox_.Items()[0]["read"], false) << "the mark is not above what was there";
  ExpectCounts(5, 1, 1, 7);
}

TEST_F(ApplyActionTest, ReadAllCountsTheVersionsOfUndosToo) {
  inbox_.Do(1, 10);
  inbox_.Undo(1, 20);
  inbox_.Do(2, 10);
  inbox_.Do(3, 10);
  inbox_.ReadAll(3);
  EXPECT_THAT(States(), ElementsAre("3", "2rs"));
  ExpectCounts(2, 1, 1, 5);
}

TEST_F(ApplyActionTest, WhatBecameUnreadLaterIsNotReadByAnOlderVersion) {
  inbox_.Do(1, 10);
  inbox_.Do(2, 20);
  inbox_.ReadAll();
  inbox_.Act(Kind::kUnread, 1, 10);  // version 4
  ExpectNothing([&] { inbox_.ReadAll(2); });
  inbox_.Do(3, 30);
  inbox_.ReadAll(3);
  EXPECT_THAT(States(), ElementsAre("3", "2rs", "1s"));
  inbox_.ReadAll(4);
  EXPECT_THAT(States(), ElementsAre("3", "2rs", "1rs"));
  ExpectCounts(3, 1, 1, 6);
}

TEST_F(ApplyActionTest, SeenAllSeesAndLeavesUnread) {
  for (uint8_t i = 1; i <= 3; ++i) inbox_.Do(i, 10 * i);
  inbox_.SeeAll(2);
  EXPECT_THAT(States(), ElementsAre("3", "2s", "1s"));
  ExpectCounts(3, 3, 1, 4);
  inbox_.SeeAll();
  EXPECT_THAT(States(), ElementsAre("3s", "2s", "1s"));
  ExpectCounts(3, 3, 0, 5);
  inbox_.Do(4, 5);
  ExpectCounts(4, 4, 1, 6);
}

TEST_F(ApplyActionTest, PartsThatWereSeenAreCountedOnceWhenReadAllPassesThem) {
  for (uint8_t i = 1; i <= 6; ++i) inbox_.Do(i, 10 * i);
  inbox_.SeeAll(2);
  inbox_.Act(Kind::kSeen, 5, 50);
  ExpectCounts(6, 6, 3, 8);
  inbox_.ReadAll(4);
  EXPECT_THAT(States(), ElementsAre("6", "5s", "4rs", "3rs", "2rs", "1rs"));
  ExpectCounts(6, 2, 1, 9);
}

TEST_F(ApplyActionTest, ASweepRemovesWhatAMarkLeftInTheIndexAndNothingElse) {
  for (int i = 0; i < 100; ++i) inbox_.Do(static_cast<uint8_t>(i), i);
  inbox_.Do(1, 0, "t", "2");
  inbox_.Do(2, 1, "t", "2");
  inbox_.Act(Kind::kRead, 2, 1, "2");
  inbox_.Act(Kind::kRead, 99, 99);
  inbox_.ReadAll(60);
  EXPECT_EQ(inbox_.unread.rows.size(), 99u + 39u + 1u);
  inbox_.inbox.writes = 0;
  inbox_.Punctuate();
  EXPECT_EQ(inbox_.unread.rows.size(), 39u + 1u);
  EXPECT_EQ(inbox_.inbox.writes, 0u);
  ExpectCounts(100, 39, 39, 102);
}

TEST_F(ApplyActionTest, ReadingOneIndexesWhatIsOlderOnceAndNothingThatIsNewer) {
  for (uint8_t i = 1; i <= 10; ++i) inbox_.Do(i, i);
  ASSERT_EQ(inbox_.unread.writes, 0u);
  inbox_.Act(Kind::kRead, 4, 4);
  EXPECT_EQ(inbox_.unread.writes, 3u);
  inbox_.CheckRows();
  inbox_.Act(Kind::kRead, 8, 8);
  EXPECT_EQ(inbox_.unread.writes, 6u) << "5, 6 and 7";
  inbox_.CheckRows();
  inbox_.Act(Kind::kRead, 2, 2);
  EXPECT_EQ(inbox_.unread.writes, 7u) << "its own row goes";
  inbox_.Act(Kind::kUnread, 8, 8);
  EXPECT_EQ(inbox_.unread.writes, 8u);
  inbox_.Act(Kind::kRead, 9, 9);
  EXPECT_EQ(inbox_.unread.writes, 8u) << "all that is older has a row";
  EXPECT_EQ(inbox_.Head().indexed.time_ms, kTestTimeMs + 9);
  ExpectCounts(10, 7, 7 - 1, 15);
}

TEST_F(ApplyActionTest, SeenAndDeletedOnesOfTheTopCostNoIndexRow) {
  for (uint8_t i = 1; i <= 5; ++i) inbox_.Do(i, i);
  inbox_.Act(Kind::kSeen, 3, 3);
  inbox_.Act(Kind::kDelete, 4, 4);
  inbox_.Undo(2, 2);
  EXPECT_EQ(inbox_.unread.writes, 0u);
  EXPECT_THAT(States(), ElementsAre("5", "3s", "1"));
  ExpectCounts(3, 3, 2, 8);
  inbox_.SeeAll(1);
  ExpectCounts(3, 3, 1, 9);
  // Once it has a row, the row says that it was seen.
  inbox_.Act(Kind::kRead, 5, 5);
  inbox_.CheckRows();
  inbox_.ReadAll(1);
  ExpectCounts(3, 1, 0, 11);
}

TEST_F(ApplyActionTest, WhatReadAllLeavesUnreadAboveAllThatItReadsCostsNoIndexRow) {
  for (uint8_t i = 1; i <= 10; ++i) inbox_.Do(i, i);
  inbox_.ReadAll(7);
  EXPECT_EQ(inbox_.unread.writes, 0u);
  EXPECT_EQ(inbox_.Head().indexed.time_ms, kTestTimeMs + 7);
  ExpectCounts(10, 3, 3, 11);
  inbox_.Do(11, 5);  // late
  inbox_.Do(12, 20);
  EXPECT_EQ(inbox_.unread.writes, 1u);
  inbox_.ReadAll(10);  // all but these two
  EXPECT_EQ(inbox_.unread.writes, 2u) << "the late one, under the new mark";
  EXPECT_EQ(inbox_.Head().indexed.time_ms, kTestTimeMs + 10);
  ExpectCounts(12, 2, 2, 14);
  inbox_.ReadAll();
  EXPECT_EQ(inbox_.unread.writes, 2u);
  EXPECT_EQ(inbox_.Head().indexed.time_ms, kTestTimeMs + 20);
  ExpectCounts(12, 0, 0, 15);
  inbox_.Do(13, 20);
  EXPECT_EQ(inbox_.unread.writes, 2u) << "at the same time, by its arrival it is newer";
  ExpectCounts(13, 1, 1, 16);
}

TEST_F(ApplyActionTest, DeleteTakesTheRowOutOfAllCounts) {
  inbox_.Do(1, 10);
  inbox_.Do(2, 20);
  inbox_.Do(3, 30);
  inbox_.Act(Kind::kRead, 2, 20);
  inbox_.Act(Kind::kSeen, 3, 30);
  ExpectCounts(3, 2, 1, 5);
  inbox_.Act(Kind::kDelete, 2, 20);
  ExpectCounts(2, 2, 1, 6);
  inbox_.Act(Kind::kDelete, 3, 30);
  ExpectCounts(1, 1, 1, 7);
  inbox_.Act(Kind::kDelete, 1, 10);
  ExpectCounts(0, 0, 0, 8);
}

TEST_F(ApplyActionTest, ALateDuplicateDoesNotBringBackWhatWasDeleted) {
  inbox_.Do(1, 10);
  inbox_.Act(Kind::kDelete, 1, 10);
  inbox_.Do(1, 10);
  inbox_.Do(1, 9);
  EXPECT_THAT(inbox_.Rows(), IsEmpty());
  ExpectCounts(0, 0, 0, 2);
}

TEST_F(ApplyActionTest, ALaterRepeatOfWhatWasDeletedIsANewRow) {
  inbox_.Do(1, 10);
  inbox_.Act(Kind::kRead, 1, 10);
  inbox_.Act(Kind::kDelete, 1, 10);
  inbox_.Do(1, 11);
  EXPECT_THAT(inbox_.Rows(), ElementsAre("1@11"));
  EXPECT_THAT(States(), ElementsAre("1"));
  EXPECT_EQ(inbox_.Head().tombstones, 0u);
  ExpectCounts(1, 1, 1, 4);
}

TEST_F(ApplyActionTest, WhatWasFoldedIntoADeletedRowIsDeletedWithIt) {
  inbox_.Do(1, 10);
  inbox_.Do(1, 30);  // kept for later
  inbox_.Act(Kind::kDelete, 1, 10);
  inbox_.Do(1, 30);
  inbox_.Undo(1, 20);
  EXPECT_THAT(inbox_.Rows(), IsEmpty());
  inbox_.Do(1, 31);
  EXPECT_THAT(inbox_.Rows(), ElementsAre("1@31"));
}

TEST_F(ApplyActionTest, AnUndoOfWhatWasDeletedChangesNothingVisible) {
  inbox_.Do(1, 10);
  inbox_.Act(Kind::kDelete, 1, 10);
  inbox_.Undo(1, 20);
  ExpectCounts(0, 0, 0, 2);
  EXPECT_EQ(inbox_.Head().tombstones, 1u);
  inbox_.Do(1, 15);
  EXPECT_THAT(inbox_.Rows(), IsEmpty()) << "the undo is the later one";
}

TEST_F(ApplyActionTest, DeletedOnesAreRememberedAsLongAsUndoneOnes) {
  inbox_.Do(1, 10);
  inbox_.Do(2, 20);
  inbox_.Act(Kind::kDelete, 1, 10);
  inbox_.record_timestamp_ms += 6 * kDayMs;
  inbox_.Act(Kind::kDelete, 2, 20);
  EXPECT_EQ(inbox_.Head().tombstones, 2u);
  inbox_.record_timestamp_ms += 2 * kDayMs;
  inbox_.Do(3, 30);
  inbox_.Act(Kind::kDelete, 3, 30);
  EXPECT_EQ(inbox_.Head().tombstones, 2u) << "the first is forgotten";
  inbox_.CheckRows();
}

TEST_F(ApplyActionTest, ThereAreAsManyTombstonesOfDeletedOnesAsOfUndoneOnes) {
  Notification notification;
  notification.kind = FindEventKind("like");
  notification.recipient = "1";
  for (uint64_t i = 0; i < kTombstonesMax + 5; ++i) {
    notification.identity.bytes[0] = static_cast<uint8_t>(i % 256);
    notification.identity.bytes[1] = static_cast<uint8_t>(i / 256);
    notification.time_ms = kTestTimeMs;
    ++inbox_.record_timestamp_ms;
    inbox_.Write(notification);
    inbox_.Apply({Kind::kDelete, "1", notification.identity, kTestTimeMs, {}});
    ASSERT_LE(inbox_.Head().tombstones, kTombstonesMax);
  }
  EXPECT_GE(inbox_.Head().tombstones, kTombstonesMax / 2);
}

TEST_F(ApplyActionTest, RecipientsDoNotTouchEachOther) {
  inbox_.Do(1, 10, "t", "1");
  inbox_.Do(1, 10, "t", "2");
  inbox_.ReadAll({}, "2");
  inbox_.Act(Kind::kDelete, 1, 10, "2");
  ExpectCounts(1, 1, 1, 1);
  EXPECT_EQ(inbox_.Counts("2").total, 0u);
}

TEST_F(ApplyActionTest, ReportsRowsThatCannotBeRead) {
  InboxFixture broken;
  broken.Do(1, 10);
  broken.inbox.rows[InboxKeys("1").Item(kTestTimeMs + 10, 1)] = "x";
  ApplyAction stage(broken.inbox, broken.unread);
  const auto apply = [&](const InboxAction& action) {
    return stage.Process({"1", action, {"inbox-actions", {0}, {0}, kTestTimeMs}}, broken.context)
        .code();
  };
  const InboxAction read{Kind::kRead, "1", MakeIdentity(1), kTestTimeMs + 10, {}};
  EXPECT_EQ(apply(read), base::StatusCode::kCorruption);
  broken.inbox.rows.erase(InboxKeys("1").Item(kTestTimeMs + 10, 1));
  EXPECT_EQ(apply(read), base::StatusCode::kCorruption);
  broken.inbox.rows[InboxKeys("1").Head()] = "x";
  EXPECT_EQ(apply({Kind::kReadAll, "1", {}, 0, {}}), base::StatusCode::kCorruption);
}

}  // namespace
}  // namespace stages
