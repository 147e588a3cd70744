#include "stages/inbox_repair.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "tests/stages/inbox_test_util.h"

namespace stages {
namespace {

using testing::ElementsAre;

/// Likes, repeats, undos and replaced rows of a few recipients.
void Fill(InboxFixture& inbox, uint32_t seed, int records) {
  std::mt19937 random(seed);
  for (int i = 0; i < records; ++i) {
    inbox.Run(static_cast<uint8_t>(random() % 10), static_cast<int64_t>(random() % 30),
              random() % 3 == 0, "t" + std::to_string(i), std::to_string(random() % 2));
  }
}

/// Reads the newest row, so that the index has the others.
void ReadNewest(InboxFixture& inbox, const std::string& recipient) {
  InboxAction action;
  action.kind = InboxAction::Kind::kRead;
  action.recipient = recipient;
  const std::string id = inbox.Items(recipient)[0]["id"];
  ASSERT_TRUE(ParseNotificationId(id, action.identity, action.time_ms));
  inbox.Apply(action);
}

TEST(RebuildUnread, BuildsTheIndexAndChangesNothingElse) {
  InboxFixture inbox;
  Fill(inbox, 1, 200);
  ReadNewest(inbox, "1");
  inbox.Do(99, 100);
  const auto rows = inbox.inbox.rows;
  const auto index = inbox.unread.rows;
  ASSERT_FALSE(index.empty());
  inbox.inbox.writes = 0;
  inbox.unread.rows.clear();
  inbox.Repair();
  EXPECT_EQ(inbox.unread.rows, index);
  inbox.unread.rows[InboxKeys("1").Unread(0, 5, 5)] = "stale";
  inbox.Repair();
  EXPECT_EQ(inbox.unread.rows, index);
  EXPECT_EQ(inbox.inbox.rows, rows);
  EXPECT_EQ(inbox.inbox.writes, 0u);
}

TEST(RebuildUnread, LeavesReadRowsOutOfTheIndex) {
  InboxFixture inbox;
  inbox.Do(1, 20);
  inbox.Do(2, 10);
  inbox.Do(3, 30);
  InboxHead head = inbox.Head();
  head.read_mark = 1;
  head.unread = 2;
  inbox.inbox.Put(InboxKeys("1").Head(), EncodeHead(head));
  inbox.Repair();
  inbox.CheckRows();
  EXPECT_EQ(inbox.unread.rows.size(), 1u) << "the third is of the top";
}

TEST(RebuildUnread, WhatATornCommitReadIsNotOfTheTop) {
  InboxFixture inbox;
  for (uint8_t i = 1; i <= 4; ++i) inbox.Do(i, 10 * i);
  const std::string head = inbox.inbox.rows[InboxKeys("1").Head()];
  inbox.Act(InboxAction::Kind::kRead, 3, 30);
  // The item came, but the head that says where the top ends did not.
  inbox.inbox.rows[InboxKeys("1").Head()] = head;
  inbox.unread.rows.clear();
  inbox.Repair();
  inbox.CheckRows();
  EXPECT_EQ(inbox.Counts().unread, 3u);
  EXPECT_EQ(inbox.unread.rows.size(), 2u);
  EXPECT_EQ(inbox.Items("1", {InboxFilter::Status::kUnread, {}}).size(), 3u);
}

TEST(RebuildUnread, AnInboxFromBeforeThereWasATopIsIndexedWhole) {
  InboxFixture inbox;
  for (uint8_t i = 1; i <= 4; ++i) inbox.Do(i, 10 * i);
  ASSERT_TRUE(inbox.unread.rows.empty());
  inbox.MakeOld();
  EXPECT_EQ(inbox.unread.rows.size(), 4u);
  inbox.CheckRows();
  EXPECT_EQ(inbox.Items("1", {InboxFilter::Status::kUnread, {}}).size(), 4u);
  inbox.unread.writes = 0;
  inbox.Do(5, 50);
  EXPECT_EQ(inbox.unread.writes, 0u) << "above what is there";
  inbox.Do(6, 35);
  EXPECT_EQ(inbox.unread.writes, 1u);
  inbox.CheckRows();
  EXPECT_EQ(inbox.Items("1", {InboxFilter::Status::kUnread, {}}).size(), 6u);
}

TEST(RebuildUnread, ARecipientOfNoRowsHasNoIndex) {
  InboxFixture inbox;
  inbox.unread.rows[InboxKeys("9").Unread(0, 1, 1)] = "stale";
  ASSERT_TRUE(RebuildUnread(InboxKeys("9").group(), inbox.inbox, inbox.unread).ok());
  EXPECT_TRUE(inbox.unread.rows.empty());
  EXPECT_TRUE(inbox.inbox.rows.empty());
}

TEST(RebuildUnread, AReplacedRowSurvivesATornCommit) {
  InboxFixture inbox;
  inbox.Do(1, 10, "first");
  inbox.Do(1, 30, "second");
  const std::string identity_key = InboxKeys("1").IdentityRow(MakeIdentity(1));
  const std::string identity = inbox.inbox.rows[identity_key];
  inbox.Undo(1, 20);
  // The new row came and the old one went, but the identity's row did not come.
  inbox.inbox.rows[identity_key] = identity;
  const auto torn = inbox.inbox.rows;
  inbox.Repair();
  inbox.CheckRows();
  EXPECT_THAT(inbox.Rows(), ElementsAre("1@30"));
  const std::string id = inbox.Items()[0]["id"];
  inbox.Undo(1, 20);  // processed again
  EXPECT_THAT(inbox.Rows(), ElementsAre("1@30"));
  EXPECT_EQ(inbox.Items()[0]["text"], "second");
  inbox.CheckRows();
  // Another instance repairs the same changelog to the same row.
  InboxFixture other;
  other.inbox.rows = torn;
  other.Repair();
  EXPECT_EQ(other.Items()[0]["id"], id);
  EXPECT_EQ(other.Counts().version, inbox.Counts().version);
}

TEST(RebuildUnread, WhatATornCommitTookAwayIsNotBroughtBackByADuplicate) {
  InboxFixture inbox;
  inbox.Do(1, 10);
  inbox.Do(2, 20);
  const InboxKeys keys("1");
  const auto before = inbox.inbox.rows;
  inbox.Undo(1, 10);
  const auto after = inbox.inbox.rows;
  // Of an undo or a delete each prefix of the rows may have come: head, item, identity, tombstone.
  std::vector<std::string> changed;
  for (const auto& [key, value] : before) {
    const auto it = after.find(key);
    if (it == after.end() || it->second != value) changed.push_back(key);
  }
  for (const auto& [key, value] : after) {
    if (!before.contains(key)) changed.push_back(key);
  }
  std::sort(changed.begin(), changed.end());
  ASSERT_EQ(changed.size(), 4u);
  for (size_t come = 2; come <= changed.size(); ++come) {
    SCOPED_TRACE(come);
    InboxFixture torn;
    torn.inbox.rows = before;
    for (size_t i = 0; i < come; ++i) {
      const auto it = after.find(changed[i]);
      if (it == after.end()) {
        torn.inbox.rows.erase(changed[i]);
      } else {
        torn.inbox.rows[changed[i]] = it->second;
      }
    }
    torn.Repair();
    torn.CheckRows();
    torn.Do(1, 10);
    EXPECT_THAT(torn.Rows(), ElementsAre("2@20"));
    torn.CheckRows();
    torn.Do(1, 30);
    EXPECT_THAT(torn.Rows(), ElementsAre("1@30", "2@20"));
    torn.CheckRows();
  }
}

/// A commit writes its changed rows to the changelog in order of key; when it is torn, the first of
/// them come back, and its records are processed again.
TEST(RebuildUnread, ATornCommitProcessedAgainEndsAsIfItHadNotBeenTorn) {
  for (uint32_t seed = 1; seed <= 80; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    struct Step {
      uint8_t identity;
      int64_t time;
      bool undo;
    };
    std::vector<Step> steps(60);
    for (Step& step : steps) {
      step = {static_cast<uint8_t>(random() % 8), static_cast<int64_t>(random() % 40),
              random() % 3 == 0};
    }
    const auto run = [&](InboxFixture& inbox, size_t from, size_t to) {
      for (size_t i = from; i < to; ++i) {
        inbox.Run(steps[i].identity, steps[i].time, steps[i].undo, "t", "1");
      }
    };
    InboxFixture whole;
    run(whole, 0, 60);

    InboxFixture inbox;
    run(inbox, 0, 40);
    const auto before = inbox.inbox.rows;
    run(inbox, 40, 60);
    const auto after = inbox.inbox.rows;
    std::vector<std::string> changed;
    for (const auto& [key, value] : after) {
      const auto it = before.find(key);
      if (it == before.end() || it->second != value) changed.push_back(key);
    }
    for (const auto& [key, value] : before) {
      if (!after.contains(key)) changed.push_back(key);
    }
    std::sort(changed.begin(), changed.end());
    changed.resize(random() % (changed.size() + 1));
    inbox.inbox.rows = before;
    for (const std::string& key : changed) {
      if (const auto it = after.find(key); it != after.end()) {
        inbox.inbox.rows[key] = it->second;
      } else {
        inbox.inbox.rows.erase(key);
      }
    }
    inbox.unread.rows.clear();
    inbox.Repair();
    inbox.CheckRows();
    run(inbox, 40, 60);
    inbox.CheckRows();
    // The same identities stand; which of several equal likes made the row may differ.
    const auto identities = [](const InboxFixture& fixture) {
      std::set<std::string> found;
      for (const std::string& row : fixture.Rows()) found.insert(row.substr(0, row.find('@')));
      return found;
    };
    EXPECT_EQ(identities(inbox), identities(whole));
    EXPECT_GE(inbox.Counts().version, 1u);
    if (testing::Test::HasFailure()) return;
  }
}

TEST(RebuildUnread, ReportsRowsThatCannotBeRead) {
  InboxFixture inbox;
  inbox.inbox.rows[InboxKeys("1").Head()] = "x";
  EXPECT_EQ(RebuildUnread(InboxKeys("1").group(), inbox.inbox, inbox.unread).code(),
            base::StatusCode::kCorruption);
}

}  // namespace
}  // namespace stages
