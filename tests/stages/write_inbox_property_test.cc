#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/stages/inbox_test_util.h"

namespace stages {
namespace {

struct Step {
  uint8_t identity = 0;
  int64_t time = 0;
  bool undo = false;
};

/// What the inbox must show, by the rules as the design puts them and nothing else: whether an
/// identity stands is decided by its latest event, and at equal times the undo wins.
class Model {
 public:
  void Apply(const Step& step) {
    const std::pair<int64_t, bool> decides{step.time, step.undo};
    const auto [it, is_new] = latest_.emplace(step.identity, decides);
    if (!is_new) it->second = std::max(it->second, decides);
    if (!step.undo) {
      dos_[step.identity].push_back(step.time);
    } else {
      undone_[step.identity].push_back(step.time);
    }
  }

  bool Stands(uint8_t identity) const {
    const auto it = latest_.find(identity);
    return it != latest_.end() && !it->second.second;
  }

  size_t Standing() const {
    return static_cast<size_t>(std::count_if(
        latest_.begin(), latest_.end(), [](const auto& entry) { return !entry.second.second; }));
  }

  /// Whether a row of that time may stand: there was such an event, and no undo took it back.
  bool MayStand(uint8_t identity, int64_t time) const {
    const auto dos = dos_.find(identity);
    if (dos == dos_.end() || std::count(dos->second.begin(), dos->second.end(), time) == 0) {
      return false;
    }
    const auto undone = undone_.find(identity);
    return undone == undone_.end() || std::none_of(undone->second.begin(), undone->second.end(),
                                                   [&](int64_t undo) { return undo >= time; });
  }

 private:
  std::map<uint8_t, std::pair<int64_t, bool>> latest_;
  std::map<uint8_t, std::vector<int64_t>> dos_, undone_;
};

std::vector<Step> MakeSteps(std::mt19937& random) {
  std::vector<Step> steps(20 + random() % 100);
  const size_t identities = 1 + random() % 12;
  const size_t times = 2 + random() % 30;
  for (Step& step : steps) {
    step.identity = static_cast<uint8_t>(random() % identities);
    step.time = static_cast<int64_t>(random() % times);
    step.undo = random() % 100 < 40;
  }
  return steps;
}

void Apply(InboxFixture& inbox, const Step& step) {
  inbox.Run(step.identity, step.time, step.undo, "at " + std::to_string(step.time), "1");
}

TEST(WriteInboxProperty, AgreesWithThePlainModelAfterEveryStep) {
  for (uint32_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    InboxFixture inbox;
    Model model;
    uint64_t version = 0;
    std::string shown = "[]";
    for (const Step& step : MakeSteps(random)) {
      Apply(inbox, step);
      model.Apply(step);
      inbox.CheckRows();
      const auto items = inbox.Items();
      const InboxCounts counts = inbox.Counts();
      ASSERT_EQ(items.size(), model.Standing());
      ASSERT_EQ(counts.total, model.Standing());
      ASSERT_EQ(counts.unread, model.Standing());
      ASSERT_EQ(counts.unseen, model.Standing());
      for (const auto& item : items) {
        Identity identity;
        int64_t time_ms = 0;
        ASSERT_TRUE(ParseNotificationId(item["id"].get<std::string>(), identity, time_ms));
        ASSERT_TRUE(model.Stands(identity.bytes[15]));
        ASSERT_TRUE(model.MayStand(identity.bytes[15], time_ms - kTestTimeMs));
        ASSERT_EQ(item["text"], "at " + std::to_string(time_ms - kTestTimeMs));
      }
      // The version moves with what is shown, by one, and with nothing else.
      const std::string shows = items.dump();
      ASSERT_EQ(counts.version, version + (shows == shown ? 0 : 1));
      version = counts.version;
      shown = shows;
      if (testing::Test::HasFailure()) return;
    }
  }
}

TEST(WriteInboxProperty, TheSameEventsInAnyOrderLeaveTheSameIdentitiesStanding) {
  for (uint32_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    std::vector<Step> steps = MakeSteps(random);
    Model model;
    for (const Step& step : steps) model.Apply(step);
    for (int order = 0; order < 8; ++order) {
      std::shuffle(steps.begin(), steps.end(), random);
      InboxFixture inbox;
      for (const Step& step : steps) Apply(inbox, step);
      inbox.CheckRows();
      ASSERT_EQ(inbox.Counts().total, model.Standing());
      for (const auto& item : inbox.Items()) {
        Identity identity;
        int64_t time_ms = 0;
        ASSERT_TRUE(ParseNotificationId(item["id"].get<std::string>(), identity, time_ms));
        ASSERT_TRUE(model.MayStand(identity.bytes[15], time_ms - kTestTimeMs));
      }
    }
  }
}

TEST(WriteInboxProperty, StoriesOfDoAndUndoInTurnLeaveTheSameRowsInAnyOrder) {
  for (uint32_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    std::vector<Step> steps;
    for (uint8_t identity = 0; identity < 8; ++identity) {
      int64_t time = static_cast<int64_t>(random() % 5);
      const size_t length = 1 + random() % 7;
      for (size_t i = 0; i < length; ++i) {
        steps.push_back({identity, time, i % 2 == 1});
        // Each may be delivered twice.
        if (random() % 10 == 0) steps.push_back(steps.back());
        time += (i % 2 == 0 && random() % 4 == 0) ? 0 : 1 + static_cast<int64_t>(random() % 9);
      }
    }
    const auto shows = [](const InboxFixture& inbox) {
      std::vector<std::string> rows;
      for (const auto& item : inbox.Items()) {
        rows.push_back(item["id"].get<std::string>() + item["text"].get<std::string>());
      }
      std::sort(rows.begin(), rows.end());
      return rows;
    };
    InboxFixture in_order;
    for (const Step& step : steps) Apply(in_order, step);
    for (int order = 0; order < 8; ++order) {
      std::shuffle(steps.begin(), steps.end(), random);
      InboxFixture inbox;
      for (const Step& step : steps) Apply(inbox, step);
      ASSERT_EQ(shows(inbox), shows(in_order));
    }
  }
}

TEST(WriteInboxProperty, ABoundedInboxKeepsTheNewestAndStaysConsistent) {
  for (uint32_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    const size_t items_max = 1 + random() % 6;
    InboxFixture inbox({.items_max = items_max, .age_max_ms = random() % 2 == 0 ? 20 : 0});
    for (const Step& step : MakeSteps(random)) {
      Apply(inbox, step);
      inbox.context.now_ms += static_cast<int64_t>(random() % 2);
      if (random() % 10 == 0) inbox.Punctuate();
      inbox.CheckRows();
      ASSERT_LE(inbox.Counts().total, items_max);
      if (testing::Test::HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace stages
