#include "state/task_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <random>
#include <thread>
#include <tuple>

#include "tests/state/task_state_fixture.h"

namespace state {
namespace {

using testing::ElementsAre;
using testing::Pair;

using Visited = std::vector<std::tuple<std::string, std::string, std::optional<std::string>>>;

Visited VisitAll(const TaskState& state) {
  Visited visited;
  const base::Status status = state.VisitPending(
      [&](std::string_view store, std::string_view key, std::optional<std::string_view> value) {
        visited.emplace_back(store, key, value);
        return base::Status::Ok();
      });
  EXPECT_TRUE(status.ok()) << status.ToString();
  return visited;
}

using PendingTest = TaskStateTest;

TEST_F(PendingTest, ReadsItsOwnWritesBeforeTheCommit) {
  const auto state = OpenState();
  KeyValueStore& rows = state->Store("rows");
  EXPECT_EQ(Get(rows, "a"), std::nullopt);
  rows.Put("a", "1");
  EXPECT_EQ(Get(rows, "a"), "1");
  rows.Put("a", "2");
  EXPECT_EQ(Get(rows, "a"), "2");
  Commit(*state);
  EXPECT_EQ(Get(rows, "a"), "2");
  rows.Delete("a");
  EXPECT_EQ(Get(rows, "a"), std::nullopt) << "a pending delete hides the committed row";
  Commit(*state);
  EXPECT_EQ(Get(rows, "a"), std::nullopt);
}

TEST_F(PendingTest, KeepsStoresApart) {
  const auto state = OpenState();
  state->Store("rows").Put("a", "row");
  state->Store("index").Put("a", "index");
  Commit(*state);
  EXPECT_EQ(Get(state->Store("rows"), "a"), "row");
  EXPECT_EQ(Get(state->Store("index"), "a"), "index");
  EXPECT_EQ(Get(state->Store("other"), "a"), std::nullopt);
}

TEST_F(PendingTest, KeepsAnEmptyValueApartFromNone) {
  const auto state = OpenState();
  state->Store("rows").Put("a", "");
  EXPECT_EQ(Get(state->Store("rows"), "a"), "");
  Commit(*state);
  EXPECT_EQ(Get(state->Store("rows"), "a"), "");
}

TEST_F(PendingTest, RollsARefusedRecordBackToWhatWasPendingBefore) {
  const auto state = OpenState();
  KeyValueStore& rows = state->Store("rows");
  rows.Put("committed", "c");
  Commit(*state);

  state->BeginRecord();
  rows.Put("put", "old");
  rows.Put("deleted", "x");
  rows.Delete("deleted");
  const Visited before = VisitAll(*state);
  const size_t bytes_before = state->pending_bytes();

  state->BeginRecord();
  rows.Put("put", "new");
  rows.Put("put", "newer");
  rows.Put("deleted", "y");
  rows.Put("fresh", "z");
  rows.Delete("fresh");
  rows.Put("fresh", "zz");
  rows.Delete("committed");
  state->Store("index").Put("other store", "too");
  state->RollbackRecord();

  EXPECT_EQ(VisitAll(*state), before);
  EXPECT_EQ(state->pending_bytes(), bytes_before);
  EXPECT_EQ(Get(rows, "put"), "old");
  EXPECT_EQ(Get(rows, "deleted"), std::nullopt);
  EXPECT_EQ(Get(rows, "fresh"), std::nullopt);
  EXPECT_EQ(Get(rows, "committed"), "c");
  EXPECT_EQ(Get(state->Store("index"), "other store"), std::nullopt);
}

TEST_F(PendingTest, RollsBackToNothingPending) {
  const auto state = OpenState();
  state->BeginRecord();
  state->Store("rows").Put("a", "1");
  state->Store("index").Delete("b");
  EXPECT_TRUE(state->has_pending());
  state->RollbackRecord();
  EXPECT_FALSE(state->has_pending());
  EXPECT_EQ(state->pending_bytes(), 0u);
}

TEST_F(PendingTest, TakesBackARecordOnlyOnce) {
  const auto state = OpenState();
  KeyValueStore& rows = state->Store("rows");
  rows.Put("a", "1");
  state->BeginRecord();
  rows.Put("a", "2");
  state->RollbackRecord();
  state->RollbackRecord();
  EXPECT_EQ(Get(rows, "a"), "1");
}

TEST_F(PendingTest, CountsTheBytesThatWait) {
  const auto state = OpenState();
  KeyValueStore& rows = state->Store("rows");
  EXPECT_FALSE(state->has_pending());
  rows.Put("key", "value");
  EXPECT_EQ(state->pending_bytes(), 8u);
  rows.Put("key", "v");
  EXPECT_EQ(state->pending_bytes(), 4u);
  rows.Delete("key");
  EXPECT_EQ(state->pending_bytes(), 3u);
  state->Store("index").Put("i", "12");
  EXPECT_EQ(state->pending_bytes(), 6u);
  Commit(*state);
  EXPECT_EQ(state->pending_bytes(), 0u);
  EXPECT_FALSE(state->has_pending());
}

TEST_F(PendingTest, VisitsChangelogStoresByDeclarationAndAscendingKey) {
  const auto state = OpenState();
  state->Store("other").Put("a", "1");
  state->Store("rows").Put("b", "2");
  state->Store("rows").Put("a", "3");
  state->Store("rows").Put("\xff", "4");
  state->Store("rows").Delete("aa");
  state->Store("index").Put("a", "not in the changelog");
  EXPECT_EQ(VisitAll(*state), (Visited{{"rows", "a", "3"},
                                       {"rows", "aa", std::nullopt},
                                       {"rows", "b", "2"},
                                       {"rows", "\xff", "4"},
                                       {"other", "a", "1"}}));
}

TEST_F(PendingTest, EndsAVisitAtTheFirstError) {
  const auto state = OpenState();
  state->Store("rows").Put("a", "1");
  state->Store("rows").Put("b", "2");
  int visits = 0;
  const base::Status status = state->VisitPending([&](auto, auto, auto) {
    ++visits;
    return base::Status::Unavailable("queue full");
  });
  EXPECT_EQ(status.code(), base::StatusCode::kUnavailable);
  EXPECT_EQ(visits, 1);
}

TEST_F(PendingTest, ForgetsDroppedWrites) {
  const auto state = OpenState();
  KeyValueStore& rows = state->Store("rows");
  rows.Put("a", "1");
  Commit(*state);
  rows.Put("a", "2");
  rows.Put("b", "2");
  state->DropPending();
  EXPECT_FALSE(state->has_pending());
  EXPECT_EQ(Get(rows, "a"), "1");
  EXPECT_EQ(Get(rows, "b"), std::nullopt);
}

TEST_F(PendingTest, ReadsTheNewestValueOfARowThatIsReadAgainAndAgain) {
  const auto state = OpenState();
  KeyValueStore& rows = state->Store("rows");
  for (int i = 0; i < 20; ++i) {
    const std::string value(static_cast<size_t>(i % 7) * 1000, 'x');
    state->BeginRecord();
    rows.Put("a", value);
    EXPECT_EQ(Get(rows, "a"), value);
    Commit(*state);
    EXPECT_EQ(Get(rows, "a"), value) << "from RocksDB";
    EXPECT_EQ(Get(rows, "a"), value) << "perhaps from memory";
    rows.Put("a", "taken back");
    state->DropPending();
    EXPECT_EQ(Get(rows, "a"), value);
  }
  rows.Delete("a");
  Commit(*state);
  EXPECT_EQ(Get(rows, "a"), std::nullopt);
}

using ScanTest = TaskStateTest;

TEST_F(ScanTest, MergesPendingAndCommittedRowsInBothDirections) {
  const auto state = OpenState();
  KeyValueStore& rows = state->Store("rows");
  rows.Put("b", "committed");
  rows.Put("d", "committed");
  rows.Put("f", "committed");
  rows.Put("h", "committed");
  Commit(*state);
  rows.Put("a", "pending");
  rows.Put("d", "replaced");
  rows.Delete("f");
  rows.Put("g", "pending");
  rows.Delete("nothing there");
  const Rows all = {{"a", "pending"},
                    {"b", "committed"},
                    {"d", "replaced"},
                    {"g", "pending"},
                    {"h", "committed"}};
  EXPECT_EQ(ScanAll(rows), all);
  EXPECT_EQ(ScanAllReverse(rows), Rows(all.rbegin(), all.rend()));
}

TEST_F(ScanTest, IncludesTheBeginAndExcludesTheEnd) {
  const auto state = OpenState();
  KeyValueStore& rows = state->Store("rows");
  rows.Put("a", "committed");
  rows.Put("c", "committed");
  Commit(*state);
  rows.Put("b", "pending");
  rows.Put("d", "pending");
  EXPECT_THAT(ScanAll(rows, "a", "c"), ElementsAre(Pair("a", "committed"), Pair("b", "pending")));
  EXPECT_THAT(ScanAll(rows, "b", "d"), ElementsAre(Pair("b", "pending"), Pair("c", "committed")));
  EXPECT_THAT(ScanAllReverse(rows, "a", "c"),
              ElementsAre(Pair("b", "pending"), Pair("a", "committed")));
  EXPECT_THAT(ScanAllReverse(rows, "b", "d"),
              ElementsAre(Pair("c", "committed"), Pair("b", "pending")));
}

TEST_F(ScanTest, VisitsNothingInAnEmptyRange) {
  const auto state = OpenState();
  KeyValueStore& rows = state->Store("rows");
  rows.Put("a", "1");
  Commit(*state);
  rows.Put("b", "2");
  const auto view = state->MakeReader()->Snapshot();
  for (const ReadableStore* store :
       std::initializer_list<const ReadableStore*>{&rows, &view->Store("rows")}) {
    EXPECT_THAT(ScanAll(*store, "b", "b"), ElementsAre());
    EXPECT_THAT(ScanAll(*store, "b", "a"), ElementsAre());
    EXPECT_THAT(ScanAllReverse(*store, "b", "b"), ElementsAre());
    EXPECT_THAT(ScanAllReverse(*store, "b", "a"), ElementsAre());
  }
}

TEST_F(ScanTest, EndsWhenTheVisitorHasEnough) {
  const auto state = OpenState();
  KeyValueStore& rows = state->Store("rows");
  rows.Put("a", "1");
  rows.Put("b", "2");
  Commit(*state);
  rows.Put("c", "3");
  for (const int limit : {1, 2, 3}) {
    int visits = 0;
    const RowVisitor visitor = [&](auto, auto) { return ++visits < limit; };
    EXPECT_TRUE(rows.Scan("", "", visitor).ok());
    EXPECT_EQ(visits, limit);
    visits = 0;
    EXPECT_TRUE(rows.ScanReverse("", "", visitor).ok());
    EXPECT_EQ(visits, limit);
  }
}

TEST_F(ScanTest, AgreesWithAPlainMapUnderRandomWrites) {
  const auto state = OpenState();
  KeyValueStore& rows = state->Store("rows");
  std::map<std::string, std::string> model;
  std::map<std::string, std::string> model_at_begin;
  std::mt19937_64 random(7);
  const auto random_key = [&] {
    static constexpr char kBytes[] = {'\0', '\x01', 'a', 'b', '\xfe', '\xff'};
    std::string key(random() % 4, '\0');
    for (char& c : key) c = kBytes[random() % sizeof(kBytes)];
    return key;
  };
  for (int step = 0; step < 4000; ++step) {
    if (random() % 5 == 0) {
      state->BeginRecord();
      model_at_begin = model;
    }
    if (random() % 3 == 0) {
      const std::string key = random_key();
      rows.Delete(key);
      model.erase(key);
    } else {
      const std::string key = random_key();
      const std::string value = std::to_string(step);
      rows.Put(key, value);
      model[key] = value;
    }
    if (random() % 20 == 0) {
      state->RollbackRecord();
      model = model_at_begin;
    }
    if (random() % 100 == 0) {
      Commit(*state);
      model_at_begin = model;
    }
    const std::string begin = random_key();
    const std::string end = random_key();
    const auto low = model.lower_bound(begin);
    const auto high = end.empty() ? model.end() : model.lower_bound(end);
    const Rows expected = !end.empty() && begin >= end ? Rows{} : Rows(low, high);
    ASSERT_EQ(ScanAll(rows, begin, end), expected) << "step " << step;
    ASSERT_EQ(ScanAllReverse(rows, begin, end), Rows(expected.rbegin(), expected.rend()))
        << "step " << step;
    const auto found = model.find(begin);
    ASSERT_EQ(Get(rows, begin), found == model.end() ? std::nullopt : std::optional(found->second));
  }
}

using ReaderTest = TaskStateTest;

TEST_F(ReaderTest, SeesCommittedRowsOnly) {
  const auto state = OpenState();
  const auto reader = state->MakeReader();
  state->Store("rows").Put("a", "1");
  EXPECT_EQ(Get(reader->Snapshot()->Store("rows"), "a"), std::nullopt);
  Commit(*state);
  EXPECT_EQ(Get(reader->Snapshot()->Store("rows"), "a"), "1");
  state->Store("rows").Delete("a");
  EXPECT_EQ(Get(reader->Snapshot()->Store("rows"), "a"), "1");
}

TEST_F(ReaderTest, ShowsOneMomentInEveryStore) {
  const auto state = OpenState();
  const auto reader = state->MakeReader();
  state->Store("rows").Put("a", "1");
  state->Store("index").Put("a", "1");
  Commit(*state);
  const auto view = reader->Snapshot();
  EXPECT_EQ(Get(view->Store("rows"), "a"), "1");
  state->Store("rows").Put("a", "2");
  state->Store("rows").Put("b", "2");
  state->Store("index").Put("a", "2");
  Commit(*state);
  EXPECT_EQ(Get(view->Store("rows"), "a"), "1");
  EXPECT_EQ(Get(view->Store("index"), "a"), "1");
  EXPECT_THAT(ScanAll(view->Store("rows")), ElementsAre(Pair("a", "1")));
  EXPECT_THAT(ScanAllReverse(view->Store("rows")), ElementsAre(Pair("a", "1")));
  EXPECT_THAT(ScanAllReverse(reader->Snapshot()->Store("rows")),
              ElementsAre(Pair("b", "2"), Pair("a", "2")));
}

TEST_F(ReaderTest, StaysValidAfterTheTaskStateIsGone) {
  auto state = OpenState();
  state->Store("rows").Put("a", "1");
  Commit(*state);
  auto reader = state->MakeReader();
  state.reset();
  auto view = reader->Snapshot();
  EXPECT_EQ(Get(view->Store("rows"), "a"), "1");
  reader.reset();
  EXPECT_EQ(Get(view->Store("rows"), "a"), "1") << "a view alone keeps the database open too";
  EXPECT_EQ(TaskState::Open(Options()).status().code(), base::StatusCode::kUnavailable);
  view.reset();
  EXPECT_EQ(Get(OpenState()->Store("rows"), "a"), "1");
}

TEST_F(ReaderTest, SeesWholeCommitsFromAnotherThread) {
  const auto state = OpenState();
  const auto reader = state->MakeReader();
  std::atomic<bool> done = false;
  std::atomic<int> views = 0;
  std::string torn;
  std::jthread other([&] {
    while (!done) {
      const auto view = reader->Snapshot();
      const auto row = view->Store("rows").Get("a");
      const auto index = view->Store("index").Get("a");
      if (!row.ok() || !index.ok() || *row != *index) torn = "after " + std::to_string(views);
      ++views;
    }
  });
  // Until the reader has looked often enough among the commits.
  for (int i = 0; views < 200; ++i) {
    state->Store("rows").Put("a", std::to_string(i));
    state->Store("index").Put("a", std::to_string(i));
    Commit(*state);
  }
  done = true;
  other.join();
  EXPECT_EQ(torn, "");
}

using FiguresTest = TaskStateTest;

TEST_F(FiguresTest, GrowWithTheRows) {
  const auto state = OpenState();
  EXPECT_EQ(memory_.Figures().databases, 1u);
  EXPECT_EQ(memory_.Figures().estimated_keys, 0u);
  for (int i = 0; i < 100; ++i) {
    state->Store("rows").Put(std::to_string(i), std::string(1000, 'x'));
  }
  state->Store("index").Put("a", "1");
  Commit(*state);
  const DatabaseFigures figures = memory_.Figures();
  EXPECT_EQ(figures.estimated_keys, 101u);
  EXPECT_EQ(figures.stores.at("rows").rows, 100u);
  EXPECT_EQ(figures.stores.at("index").rows, 1u);
  EXPECT_GT(figures.stores.at("rows").bytes, 100'000u);
  EXPECT_GT(figures.memtable_bytes, 100'000u);
  EXPECT_GT(figures.block_cache_bytes, 0u);
  EXPECT_EQ(figures.block_cache_capacity_bytes, 8u << 20);
  EXPECT_EQ(figures.stopped_databases, 0u);
  EXPECT_EQ(figures.delayed_databases, 0u);
  EXPECT_EQ(figures.background_errors, 0u);
}

TEST_F(FiguresTest, CountADatabaseThatAReaderKeepsOpen) {
  auto state = OpenState();
  state->Store("rows").Put("a", "1");
  Commit(*state);
  const auto reader = state->MakeReader();
  state.reset();
  EXPECT_EQ(memory_.Figures().databases, 1u);
}

TEST_F(FiguresTest, AreOfNoDatabaseWhenAllAreClosed) {
  {
    const auto state = OpenState();
    state->Store("rows").Put("a", "1");
    Commit(*state);
  }
  const DatabaseFigures figures = memory_.Figures();
  EXPECT_EQ(figures.databases, 0u);
  EXPECT_EQ(figures.estimated_keys, 0u);
  EXPECT_TRUE(figures.stores.empty());
}

TEST_F(FiguresTest, CountFlushesAndReadsOfTableFiles) {
  const auto state = OpenState();
  // Of more than the memtables may take, some goes to a table file: the positions first, which are
  // small, and then the rows, which no compression makes small.
  constexpr int kBatchesMax = 200;
  constexpr size_t kRowBytes = size_t{1} << 20;
  std::mt19937 random(1);
  std::string row(kRowBytes, ' ');
  for (int i = 0; i < kBatchesMax && memory_.Figures().live_sst_bytes < kRowBytes; ++i) {
    std::generate(row.begin(), row.end(), [&random] { return static_cast<char>(random()); });
    state->Store("rows").Put(std::to_string(i), row);
    Commit(*state);
  }
  const DatabaseFigures before = memory_.Figures();
  ASSERT_GE(before.live_sst_bytes, kRowBytes);
  EXPECT_GT(before.level0_files_max, 0u);
  EXPECT_GT(before.flush_bytes, 0u);
  ASSERT_TRUE(state->MakeReader()->Snapshot()->Store("rows").Get("0").ok());
  const DatabaseFigures after = memory_.Figures();
  EXPECT_GT(after.block_cache_hits + after.block_cache_misses,
            before.block_cache_hits + before.block_cache_misses);
}

TEST_F(FiguresTest, MayBeAskedForWhileDatabasesComeAndGo) {
  std::atomic<bool> done{false};
  std::thread other([&] {
    while (!done) {
      EXPECT_LE(memory_.Figures().databases, 1u);
    }
  });
  for (int i = 0; i < 5; ++i) {
    const auto state = OpenState();
    state->Store("rows").Put("a", std::to_string(i));
    Commit(*state);
  }
  done = true;
  other.join();
}

using TaskStateDeathTest = TaskStateTest;

TEST_F(TaskStateDeathTest, AbortsOnAMistakeOfTheCaller) {
  const auto state = OpenState();
  KeyValueStore& rows = state->Store("rows");
  EXPECT_DEATH(state->Store("undeclared"), "no such store");
  EXPECT_DEATH(rows.Put(std::string(kKeyBytesMax + 1, 'k'), ""), "key is too long");
  EXPECT_DEATH(rows.Delete(std::string(kKeyBytesMax + 1, 'k')), "key is too long");
  EXPECT_DEATH(rows.Put("k", std::string(kValueBytesMax + 1, 'v')), "value is too long");
  rows.Put("a", "1");
  EXPECT_DEATH(static_cast<void>(rows.Scan("", "",
                                           [&](auto, auto) {
                                             rows.Put("b", "2");
                                             return true;
                                           })),
               "visitor wrote");
  EXPECT_DEATH(
      static_cast<void>(state->ApplyRestored("rows", {}, Tp("changelog", 0), base::Offset{1})),
      "pending");
  state->DropPending();
  EXPECT_DEATH(
      static_cast<void>(state->ApplyRestored("index", {}, Tp("changelog", 0), base::Offset{1})),
      "without a changelog");
}

}  // namespace
}  // namespace state
