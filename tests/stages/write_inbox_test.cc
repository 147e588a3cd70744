#include "stages/write_inbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "stages/notification_topology.h"
#include "tests/stages/inbox_test_util.h"

namespace stages {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr int64_t kDayMs = 24 * 3'600'000;

/// After each test: all rows agree.
class WriteInboxTest : public testing::Test {
 protected:
  void TearDown() override { inbox_.CheckRows(); }

  void ExpectCounts(uint64_t total, uint64_t version) {
    const InboxCounts counts = inbox_.Counts();
    EXPECT_EQ(counts.total, total);
    EXPECT_EQ(counts.unread, total);
    EXPECT_EQ(counts.unseen, total);
    EXPECT_EQ(counts.version, version);
  }

  InboxFixture inbox_;
};

TEST_F(WriteInboxTest, KeepsRowsNewestFirst) {
  inbox_.Do(1, 10);
  inbox_.Do(2, 30);
  inbox_.Do(3, 20);
  inbox_.Do(4, 20);
  EXPECT_THAT(inbox_.Rows(), ElementsAre("2@30", "4@20", "3@20", "1@10"));
  ExpectCounts(4, 4);
}

TEST_F(WriteInboxTest, KeepsRecipientsApart) {
  inbox_.Do(1, 10, "t", "a");
  inbox_.Do(1, 11, "t", "a\x01");
  inbox_.Undo(1, 12, "b");
  EXPECT_THAT(inbox_.Rows("a"), ElementsAre("1@10"));
  EXPECT_THAT(inbox_.Rows("a\x01"), ElementsAre("1@11"));
  EXPECT_THAT(inbox_.Rows("b"), IsEmpty());
  EXPECT_EQ(inbox_.Counts("c").total, 0u);
}

TEST_F(WriteInboxTest, ARepeatChangesNothingThatIsVisible) {
  inbox_.Do(1, 10, "first");
  for (const int64_t time : {10, 5, 20}) {
    inbox_.Do(1, time, "again");
    EXPECT_THAT(inbox_.Rows(), ElementsAre("1@10"));
    EXPECT_EQ(inbox_.Items()[0]["text"], "first");
    ExpectCounts(1, 1);
  }
}

TEST_F(WriteInboxTest, AnUndoTakesTheRowBack) {
  inbox_.Do(1, 10);
  inbox_.Do(2, 11);
  inbox_.Undo(1, 20);
  EXPECT_THAT(inbox_.Rows(), ElementsAre("2@11"));
  ExpectCounts(1, 3);
}

TEST_F(WriteInboxTest, AtEqualTimesTheUndoWinsInEitherOrder) {
  inbox_.Do(1, 10);
  inbox_.Undo(1, 10);
  inbox_.Undo(2, 10);
  inbox_.Do(2, 10);
  EXPECT_THAT(inbox_.Rows(), IsEmpty());
  ExpectCounts(0, 2);
}

TEST_F(WriteInboxTest, AnUndoThatComesFirstIsRemembered) {
  inbox_.Undo(1, 20);
  inbox_.Do(1, 10);
  EXPECT_THAT(inbox_.Rows(), IsEmpty());
  ExpectCounts(0, 0);
  inbox_.Do(1, 21);
  EXPECT_THAT(inbox_.Rows(), ElementsAre("1@21"));
  ExpectCounts(1, 1);
}

TEST_F(WriteInboxTest, AnUndoOfNothingChangesNeitherCountsNorVersion) {
  inbox_.Undo(1, 20);
  inbox_.Undo(1, 30);
  inbox_.Undo(1, 25);
  ExpectCounts(0, 0);
  EXPECT_EQ(inbox_.Head().tombstones, 1u);
  inbox_.Do(1, 30);
  EXPECT_THAT(inbox_.Rows(), IsEmpty());
}

TEST_F(WriteInboxTest, AnUndoFromBeforeTheRowDoesNothing) {
  inbox_.Do(1, 10);
  inbox_.Undo(1, 9);
  EXPECT_THAT(inbox_.Rows(), ElementsAre("1@10"));
  ExpectCounts(1, 1);
}

TEST_F(WriteInboxTest, LikedAgainIsANewRow) {
  inbox_.Do(1, 10, "first");
  inbox_.Undo(1, 20);
  inbox_.Do(1, 30, "second");
  EXPECT_THAT(inbox_.Rows(), ElementsAre("1@30"));
  EXPECT_EQ(inbox_.Items()[0]["text"], "second");
  ExpectCounts(1, 3);
}

TEST_F(WriteInboxTest, ALateUndoBetweenTwoLikesMakesTheSecondTheRow) {
  inbox_.Do(1, 10, "first");
  inbox_.Do(1, 30, "second");
  inbox_.Undo(1, 20);
  EXPECT_THAT(inbox_.Rows(), ElementsAre("1@30"));
  EXPECT_EQ(inbox_.Items()[0]["text"], "second");
  EXPECT_EQ(inbox_.Items()[0]["source"]["offset"], 1);
  ExpectCounts(1, 2);
  InboxIdentity row;
  ASSERT_TRUE(
      DecodeIdentity(*inbox_.inbox.Get(InboxKeys("1").IdentityRow(MakeIdentity(1))).value(), row));
  EXPECT_EQ(row.item_arrival, 2u) << "the version in which it appeared";
}

TEST_F(WriteInboxTest, LikeUnlikeLikeGivesTheSameRowInEveryOrder) {
  std::vector<int> order = {0, 1, 2, 3, 4};
  do {
    InboxFixture inbox;
    for (const int step : order) {
      if (step % 2 == 0) {
        inbox.Do(1, step * 10, "like " + std::to_string(step));
      } else {
        inbox.Undo(1, step * 10);
      }
    }
    EXPECT_THAT(inbox.Rows(), ElementsAre("1@40"));
    EXPECT_EQ(inbox.Items()[0]["text"], "like 4");
    EXPECT_EQ(inbox.Counts().total, 1u);
    inbox.CheckRows();
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_F(WriteInboxTest, TakesOneReadOfTheIdentityAndNoScanForAnOrdinaryRecord) {
  inbox_.Do(1, 10);
  inbox_.Undo(2, 10);
  EXPECT_EQ(inbox_.inbox.rows_visited, 0u);
}

TEST_F(WriteInboxTest, WhatArrivesInOrderIsAnItemAnIdentityAndTheHead) {
  const auto writes_of = [&](uint8_t number, int64_t time) {
    inbox_.inbox.writes = inbox_.unread.writes = 0;
    const auto rows = inbox_.inbox.rows.size();
    const bool first = inbox_.Counts().version == 0;
    inbox_.Do(number, time);
    EXPECT_EQ(inbox_.inbox.rows.size(), rows + (first ? 3 : 2));
    return std::pair(inbox_.inbox.writes, inbox_.unread.writes);
  };
  const std::pair<size_t, size_t> plain{3, 0}, late{3, 1};
  EXPECT_EQ(writes_of(1, 10), plain);
  EXPECT_EQ(writes_of(2, 20), plain);
  EXPECT_EQ(writes_of(3, 15), plain) << "nothing is indexed yet, so it is not late";
  inbox_.Act(InboxAction::Kind::kRead, 3, 15);
  EXPECT_EQ(writes_of(4, 15), plain) << "by its arrival it is newer";
  EXPECT_EQ(writes_of(5, 14), late);
  EXPECT_EQ(writes_of(6, 16), plain);
  inbox_.ReadAll();
  EXPECT_EQ(writes_of(7, 19), late);
  EXPECT_EQ(writes_of(8, 30), plain);
}

TEST_F(WriteInboxTest, ForgetsTheOldestOfTooManyTombstones) {
  for (int i = 0; i < 255; ++i) inbox_.Undo(static_cast<uint8_t>(i), 100);
  EXPECT_EQ(inbox_.Head().tombstones, 255u);
  // Eight days later the old ones go, a bounded number a record.
  inbox_.record_timestamp_ms += 8 * kDayMs;
  inbox_.Undo(255, 100);
  inbox_.CheckRows();
  EXPECT_EQ(inbox_.Head().tombstones, 128u);
  inbox_.Undo(255, 101);
  EXPECT_EQ(inbox_.Head().tombstones, 1u);
  // What was forgotten is new again.
  inbox_.Do(7, 50);
  inbox_.Do(255, 50);
  EXPECT_THAT(inbox_.Rows(), ElementsAre("7@50"));
}

TEST_F(WriteInboxTest, ARepeatedUndoKeepsATombstoneYoung) {
  inbox_.Undo(1, 10);
  inbox_.record_timestamp_ms += 6 * kDayMs;
  inbox_.Undo(1, 11);
  inbox_.record_timestamp_ms += 6 * kDayMs;
  inbox_.Undo(2, 11);
  EXPECT_EQ(inbox_.Head().tombstones, 2u);
  inbox_.Do(1, 5);
  EXPECT_THAT(inbox_.Rows(), IsEmpty());
}

TEST(WriteInbox, HoldsABoundedNumberOfTombstones) {
  InboxFixture inbox;
  for (int i = 0; i < 1'500; ++i) {
    // Recipients differ in nothing but the identity, so give each undo its own.
    Notification notification;
    notification.identity.bytes[0] = static_cast<uint8_t>(i >> 8);
    notification.identity.bytes[1] = static_cast<uint8_t>(i);
    notification.kind = FindEventKind("like");
    notification.retracted = true;
    notification.recipient = "1";
    notification.actor.id = "2";
    notification.time_ms = kTestTimeMs;
    WriteInbox stage(inbox.inbox, inbox.unread, {});
    CollectingContext<pipeline::Nothing> context;
    std::string json;
    ASSERT_TRUE(
        stage
            .Process(
                {"1", AsReceived(notification, json), {"notifications", {0}, {i}, kTestTimeMs + i}},
                context)
            .ok());
    ASSERT_LE(inbox.Head().tombstones, kTombstonesMax);
  }
  EXPECT_GE(inbox.Head().tombstones, kTombstonesMax * 9 / 10);
  inbox.CheckRows();
}

TEST(WriteInbox, AFullInboxLosesItsOldestRow) {
  InboxFixture inbox({.items_max = 3});
  for (uint8_t i = 1; i <= 5; ++i) inbox.Do(i, i * 10);
  EXPECT_THAT(inbox.Rows(), ElementsAre("5@50", "4@40", "3@30"));
  EXPECT_EQ(inbox.Counts().unread, 3u);
  EXPECT_EQ(inbox.Counts().version, 5u);
  inbox.CheckRows();
}

TEST(WriteInbox, CountsRowsThatLimitsRemove) {
  base::Metrics metrics;
  const TrimCounters trimmed = CountIn(metrics).trimmed;
  InboxFixture inbox({.items_max = 3}, trimmed);
  const auto expect = [&](const std::string& kind, uint64_t rows) {
    EXPECT_THAT(metrics.Serialize(),
                testing::HasSubstr("herald_inbox_rows_trimmed_total{kind=\"" + kind + "\"} " +
                                   std::to_string(rows) + "\n"));
  };
  expect("item", 0);
  for (uint8_t i = 1; i <= 5; ++i) inbox.Do(i, i * 10);
  inbox.Undo(5, 60);
  expect("item", 2);
  expect("tombstone", 0);
  inbox.record_timestamp_ms = kTestTimeMs + kTombstoneAgeMsMax + kDayMs;
  inbox.Do(6, 70);
  inbox.Punctuate();
  expect("tombstone", 1);
  expect("item", 2);
}

TEST(WriteInbox, AFullInboxDoesNotTakeWhatIsOlderThanAllOfIt) {
  InboxFixture inbox({.items_max = 2});
  inbox.Do(1, 10);
  inbox.Do(2, 20);
  const auto before = inbox.inbox.rows;
  inbox.Do(3, 9);
  EXPECT_EQ(inbox.inbox.rows, before);
  EXPECT_EQ(inbox.inbox.rows_visited, 0u);
  inbox.Do(4, 10);
  EXPECT_THAT(inbox.Rows(), ElementsAre("2@20", "4@10"));
  inbox.CheckRows();
}

TEST(WriteInbox, ATombstoneStaysWhenItsRowIsTooOldForAFullInbox) {
  InboxFixture inbox({.items_max = 1});
  inbox.Do(1, 100);
  inbox.Undo(2, 10);
  inbox.Do(2, 20);
  EXPECT_THAT(inbox.Rows(), ElementsAre("1@100"));
  inbox.Undo(1, 110);
  inbox.Do(2, 5);
  EXPECT_THAT(inbox.Rows(), IsEmpty());
  inbox.CheckRows();
}

TEST(WriteInbox, ASmallerLimitIsReachedWithoutReadingMoreThanItTrims) {
  InboxFixture large;
  for (uint8_t i = 0; i < 200; ++i) large.Do(i, i);
  InboxFixture inbox({.items_max = 10});
  inbox.inbox.rows = large.inbox.rows;
  inbox.unread.rows = large.unread.rows;
  inbox.Do(200, 500);
  inbox.CheckRows();
  EXPECT_EQ(inbox.Counts().total, 201u - 64u);
  EXPECT_LE(inbox.inbox.rows_visited, 70u);
  inbox.Punctuate();
  EXPECT_EQ(inbox.Counts().total, 10u);
  EXPECT_EQ(inbox.Rows().front(), "200@500");
  inbox.CheckRows();
}

TEST(WriteInbox, TrimmingStartsAtTheOldestRowNotBehindIt) {
  InboxFixture inbox({.items_max = 5});
  for (uint8_t i = 0; i < 5; ++i) inbox.Do(i, i);
  inbox.inbox.rows_visited = 0;
  for (uint8_t i = 5; i < 105; ++i) inbox.Do(i, i);
  // Each record looks at the oldest row and at the one after it.
  EXPECT_LE(inbox.inbox.rows_visited, 200u);
  inbox.CheckRows();
}

TEST(WriteInbox, RowsThatAreTooOldGoWhenAnotherComes) {
  InboxFixture inbox({.age_max_ms = 100});
  inbox.context.now_ms = kTestTimeMs;
  inbox.Do(1, -100);
  inbox.Do(2, -101);
  inbox.Do(3, -50);
  EXPECT_THAT(inbox.Rows(), ElementsAre("3@-50", "1@-100"));
  inbox.context.now_ms = kTestTimeMs + 20;
  inbox.Do(4, 20);
  EXPECT_THAT(inbox.Rows(), ElementsAre("4@20", "3@-50"));
  EXPECT_EQ(inbox.Counts().version, 3u);
  inbox.CheckRows();
}

TEST(WriteInbox, RowsThatAreTooOldGoWithoutAnotherComing) {
  InboxFixture inbox({.age_max_ms = 100});
  for (uint8_t i = 0; i < 50; ++i) {
    inbox.Do(i, i, "t", "user" + std::to_string(i % 7));
  }
  inbox.context.now_ms = kTestTimeMs + 124;
  inbox.Punctuate();
  uint64_t total = 0;
  for (int i = 0; i < 7; ++i) total += inbox.Counts("user" + std::to_string(i)).total;
  EXPECT_EQ(total, 26u);
  inbox.CheckRows();
  const auto before = inbox.inbox.rows;
  inbox.Punctuate();
  EXPECT_EQ(inbox.inbox.rows, before);
}

TEST(WriteInbox, ASweepDoesABoundedAmountOfWorkAndGoesOnWhereItStopped) {
  InboxFixture inbox({.age_max_ms = 1'000});
  for (int user = 0; user < 1'000; ++user) {
    inbox.Do(1, 0, "t", std::to_string(user));
    inbox.Do(2, 0, "t", std::to_string(user));
    inbox.Act(InboxAction::Kind::kRead, 2, 0, std::to_string(user));
  }
  inbox.context.now_ms = kTestTimeMs + 5'000;
  size_t calls = 0;
  for (; !inbox.unread.rows.empty(); ++calls) {
    ASSERT_LT(calls, 10u);
    const size_t writes = inbox.inbox.writes;
    inbox.Punctuate();
    EXPECT_LE(inbox.inbox.writes - writes, 3'000u);
  }
  EXPECT_GE(calls, 4u);
  inbox.CheckRows();
}

TEST(WriteInbox, ASweepForgetsTombstonesByTheClockOfTheRecords) {
  InboxFixture inbox;
  inbox.Undo(1, 0, "a");
  inbox.context.now_ms += 100 * kDayMs;  // a backlog: the wall clock is far ahead
  inbox.Punctuate();
  EXPECT_EQ(inbox.Head("a").tombstones, 1u);
  inbox.record_timestamp_ms += 8 * kDayMs;
  inbox.Do(1, 0, "t", "b");
  inbox.Punctuate();
  inbox.Punctuate();
  EXPECT_EQ(inbox.Head("a").tombstones, 0u);
  EXPECT_EQ(inbox.Head("a").version, 0u);
  inbox.CheckRows();
}

TEST(WriteInbox, ReportsRowsThatCannotBeRead) {
  InboxFixture inbox;
  inbox.inbox.Put(InboxKeys("1").Head(), "rubbish");
  WriteInbox stage(inbox.inbox, inbox.unread, {});
  Notification notification;
  notification.kind = FindEventKind("follow");
  notification.recipient = "1";
  notification.time_ms = kTestTimeMs;
  std::string json;
  const base::Status status =
      stage.Process({"1", AsReceived(notification, json), {"notifications", {0}, {0}, kTestTimeMs}},
                    inbox.context);
  EXPECT_EQ(status.code(), base::StatusCode::kCorruption);
}

}  // namespace
}  // namespace stages
