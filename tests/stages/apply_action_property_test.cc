#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "tests/stages/inbox_test_util.h"

namespace stages {
namespace {

using Kind = InboxAction::Kind;

/// An inbox in the plainest way: each row has its own flags, nothing is marked or indexed.
class Model {
 public:
  struct Row {
    int64_t time = 0;
    std::string text;
    bool read = false;
    bool seen = false;
    /// The version in which it came.
    uint64_t arrival = 0;
    /// The version in which it came or was last made unread.
    uint64_t since = 0;
  };

  void Do(uint8_t identity, int64_t time, const std::string& text) {
    Story& story = stories_[identity];
    if (story.known && time <= story.decided) return;
    if (story.row) {
      story.later = text;
    } else {
      Appear(story, time, text);
    }
    story.known = true;
    story.decided = time;
  }

  void Undo(uint8_t identity, int64_t time) {
    Story& story = stories_[identity];
    if (!story.row) {
      story.decided = story.known ? std::max(story.decided, time) : time;
      story.known = true;
      return;
    }
    if (time < story.row->time) return;
    story.row.reset();
    changed_ = true;
    if (time >= story.decided) {
      story.decided = time;
    } else {
      Appear(story, story.decided, std::string(story.later));
    }
  }

  void Act(Kind kind, uint8_t identity, int64_t time) {
    const auto found = stories_.find(identity);
    if (found == stories_.end() || !found->second.row || found->second.row->time != time) return;
    Row& row = *found->second.row;
    switch (kind) {
      case Kind::kRead:
        Set(row.read, true);
        Set(row.seen, true);
        break;
      case Kind::kUnread:
        if (row.read) row.since = version_ + 1;
        Set(row.read, false);
        break;
      case Kind::kSeen:
        Set(row.seen, true);
        break;
      default:
        found->second.row.reset();
        changed_ = true;
    }
  }

  void All(Kind kind, std::optional<uint64_t> up_to) {
    for (auto& [identity, story] : stories_) {
      if (!story.row || (up_to && story.row->since > *up_to)) continue;
      if (kind == Kind::kReadAll) Set(story.row->read, true);
      Set(story.row->seen, true);
    }
  }

  /// Ends a step.
  void EndStep() {
    if (changed_) ++version_;
    changed_ = false;
  }

  uint64_t version() const { return version_; }
  bool Has(uint8_t identity) const {
    const auto found = stories_.find(identity);
    return found != stories_.end() && found->second.row.has_value();
  }
  int64_t TimeOf(uint8_t identity) const { return stories_.at(identity).row->time; }

  /// "id text read seen", newest first, of the rows that `shows` wants.
  template <typename Filter>
  std::vector<std::string> Rows(const Filter& shows) const {
    std::vector<std::pair<std::pair<int64_t, uint64_t>, std::string>> rows;
    for (const auto& [identity, story] : stories_) {
      if (!story.row || !shows(*story.row)) continue;
      const Row& row = *story.row;
      rows.push_back({{row.time, row.arrival},
                      NotificationId(MakeIdentity(identity), kTestTimeMs + row.time) + " " +
                          row.text + (row.read ? " read" : "") + (row.seen ? " seen" : "")});
    }
    std::sort(rows.rbegin(), rows.rend());
    std::vector<std::string> texts;
    for (auto& [place, text] : rows) texts.push_back(std::move(text));
    return texts;
  }

 private:
  struct Story {
    bool known = false;
    int64_t decided = 0;
    std::optional<Row> row;
    std::string later;
  };

  void Appear(Story& story, int64_t time, const std::string& text) {
    story.row = Row{time, text, false, false, version_ + 1, version_ + 1};
    changed_ = true;
  }

  void Set(bool& flag, bool value) {
    changed_ = changed_ || flag != value;
    flag = value;
  }

  std::map<uint8_t, Story> stories_;
  uint64_t version_ = 0;
  bool changed_ = false;
};

std::vector<std::string> TextsOf(const nlohmann::json& items) {
  std::vector<std::string> texts;
  for (const auto& item : items) {
    texts.push_back(item["id"].get<std::string>() + " " + item["text"].get<std::string>() +
                    (item["read"] == true ? " read" : "") + (item["seen"] == true ? " seen" : ""));
  }
  return texts;
}

/// Something that happens to an inbox, to the real one and to the model.
class Story {
 public:
  Story(InboxFixture& inbox, Model& model, std::mt19937& random)
      : inbox_(inbox), model_(model), random_(random), identities_(1 + Draw(12)) {}

  void Step() {
    const auto identity = static_cast<uint8_t>(Draw(identities_));
    const auto time = static_cast<int64_t>(Draw(25));
    const uint64_t what = Draw(100);
    if (what < 30) {
      const std::string text = "at " + std::to_string(time);
      inbox_.Do(identity, time, text);
      model_.Do(identity, time, text);
    } else if (what < 40) {
      inbox_.Undo(identity, time);
      model_.Undo(identity, time);
    } else if (what < 80) {
      const Kind kinds[] = {Kind::kRead, Kind::kRead, Kind::kUnread, Kind::kSeen, Kind::kDelete};
      const Kind kind = kinds[Draw(std::size(kinds))];
      // Sometimes one that is not there.
      const int64_t of = model_.Has(identity) && Draw(10) > 0 ? model_.TimeOf(identity) : time;
      const uint64_t times = Draw(5) == 0 ? 2 : 1;
      for (uint64_t i = 0; i < times; ++i) inbox_.Act(kind, identity, of);
      model_.Act(kind, identity, of);
    } else {
      const Kind kind = Draw(2) == 0 ? Kind::kReadAll : Kind::kSeenAll;
      std::optional<uint64_t> up_to;
      if (Draw(4) > 0) up_to = Draw(model_.version() + 3);
      const uint64_t times = Draw(5) == 0 ? 2 : 1;
      for (uint64_t i = 0; i < times; ++i) inbox_.Apply({kind, "1", {}, 0, up_to});
      model_.All(kind, up_to);
    }
    model_.EndStep();
  }

  uint64_t Draw(uint64_t below) { return random_() % below; }

 private:
  InboxFixture& inbox_;
  Model& model_;
  std::mt19937& random_;
  const uint64_t identities_;
};

void ExpectAgreement(const InboxFixture& inbox, const Model& model, size_t limit) {
  const auto all = model.Rows([](const Model::Row&) { return true; });
  const auto unread = model.Rows([](const Model::Row& row) { return !row.read; });
  const auto read = model.Rows([](const Model::Row& row) { return row.read; });
  const auto unseen = model.Rows([](const Model::Row& row) { return !row.seen; });
  ASSERT_EQ(TextsOf(inbox.Items("1", {}, limit)), all);
  ASSERT_EQ(TextsOf(inbox.Items("1", {InboxFilter::Status::kUnread, {}}, limit)), unread);
  ASSERT_EQ(TextsOf(inbox.Items("1", {InboxFilter::Status::kRead, {}}, limit)), read);
  const InboxCounts counts = inbox.Counts();
  ASSERT_EQ(counts.total, all.size());
  ASSERT_EQ(counts.unread, unread.size());
  ASSERT_EQ(counts.unseen, unseen.size());
  ASSERT_EQ(counts.version, model.version());
}

/// The page of unread rows is that of all rows without those that are read, from the cursor of any
/// row, with any number of rows a page.
void ExpectUnreadIsAPlainFilter(const InboxFixture& inbox, size_t limit) {
  const InboxFilter unread{InboxFilter::Status::kUnread, {}};
  const auto all = inbox.Items("1", {}, limit);
  std::string cursor;
  for (size_t from = 0;; ++from) {
    nlohmann::json expected = nlohmann::json::array();
    for (size_t i = from; i < all.size(); ++i) {
      if (all[i]["read"] == false && expected.size() < limit) expected.push_back(all[i]);
    }
    const auto page = inbox.Page(limit, cursor, unread);
    ASSERT_TRUE(page.ok()) << page.status().ToString();
    ASSERT_EQ(nlohmann::json::parse(page->items), expected) << from;
    const auto next = inbox.Page(1, cursor)->next;
    if (!next) return;
    cursor = *next;
  }
}

TEST(ApplyActionProperty, AgreesWithThePlainModelAfterEveryStep) {
  for (uint32_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    InboxFixture inbox;
    Model model;
    Story story(inbox, model, random);
    for (int step = 0; step < 120; ++step) {
      SCOPED_TRACE("step " + std::to_string(step));
      story.Step();
      if (story.Draw(10) == 0) inbox.Punctuate();
      if (story.Draw(40) == 0 && inbox.Counts().version > 0) inbox.MakeOld();
      if (story.Draw(15) == 0) {
        // The changelog brings the rows back, but not the index.
        const auto rows = inbox.inbox.rows;
        inbox.unread.rows.clear();
        inbox.Repair();
        ASSERT_EQ(inbox.inbox.rows, rows);
      }
      inbox.CheckRows();
      ExpectAgreement(inbox, model, 1 + story.Draw(6));
      if (story.Draw(3) == 0) ExpectUnreadIsAPlainFilter(inbox, 1 + story.Draw(6));
      if (testing::Test::HasFailure()) return;
    }
  }
}

TEST(ApplyActionProperty, ABoundedInboxStaysConsistent) {
  for (uint32_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    InboxFixture inbox({.items_max = 1 + random() % 6, .age_max_ms = random() % 2 == 0 ? 20 : 0});
    Model ignored;  // limits are none of its business
    Story story(inbox, ignored, random);
    uint64_t version = 0;
    std::string shown = "[]";
    std::map<std::string, std::string> pages_by_stamp;
    for (int step = 0; step < 100; ++step) {
      story.Step();
      inbox.context.now_ms += static_cast<int64_t>(random() % 2);
      if (random() % 10 == 0) inbox.Punctuate();
      inbox.CheckRows();
      if (random() % 3 == 0) ExpectUnreadIsAPlainFilter(inbox, 1 + random() % 6);
      const std::string shows = inbox.Items().dump();
      const uint64_t now = inbox.Counts().version;
      if (shows == shown) {
        ASSERT_EQ(now, version);
      } else {
        ASSERT_GT(now, version);
      }
      version = now;
      shown = shows;
      const auto page = inbox.Page(3);
      ASSERT_EQ(page->stamp, *ReadStamp(inbox.inbox, "1"));
      const std::string whole = page->items + page->next.value_or("");
      ASSERT_EQ(pages_by_stamp.emplace(page->stamp, whole).first->second, whole);
      if (testing::Test::HasFailure()) return;
    }
  }
}

/// A commit writes its changed rows in order of key; when it is torn, the first of them come back,
/// and its records are processed again.
TEST(ApplyActionProperty, ATornCommitLeavesRowsThatAgreeAndNumbersThatAreNew) {
  for (uint32_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    InboxFixture inbox;
    Model model;
    Story story(inbox, model, random);
    for (int step = 0; step < 40; ++step) story.Step();
    const auto before = inbox.inbox.rows;
    const uint64_t version = inbox.Counts().version;
    for (int step = 0; step < 20; ++step) story.Step();
    const auto after = inbox.inbox.rows;
    std::set<std::string> changed;
    for (const auto& [key, value] : after) {
      const auto it = before.find(key);
      if (it == before.end() || it->second != value) changed.insert(key);
    }
    for (const auto& [key, value] : before) {
      if (!after.contains(key)) changed.insert(key);
    }
    inbox.inbox.rows = before;
    size_t come = random() % (changed.size() + 1);
    // The head is the first of all keys: without it, too, for compaction may keep an older one.
    const bool without_head = random() % 2 == 0;
    for (const std::string& key : changed) {
      if (come-- == 0) break;
      if (without_head && key == InboxKeys("1").Head()) continue;
      if (const auto it = after.find(key); it != after.end()) {
        inbox.inbox.rows[key] = it->second;
      } else {
        inbox.inbox.rows.erase(key);
      }
    }
    inbox.unread.rows.clear();
    inbox.Repair();
    inbox.CheckRows();
    ASSERT_GE(inbox.Counts().version, version);
    Model ignored;
    Story replay(inbox, ignored, random);
    for (int step = 0; step < 20; ++step) {
      replay.Step();
      inbox.CheckRows();
      if (random() % 3 == 0) ExpectUnreadIsAPlainFilter(inbox, 1 + random() % 6);
    }
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace stages
