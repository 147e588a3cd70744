#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <set>

#include "base/mutex.h"
#include "state/task_state.h"
#include "tests/state/task_state_fixture.h"

namespace {

/// The files that this process has synced, RocksDB's calls included.
class SyncedFiles {
 public:
  void Add(int file) {
    std::error_code gone;
    const auto path =
        std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(file), gone);
    const base::MutexLock lock(mutex_);
    paths_.insert(path);
  }
  bool Contains(const std::filesystem::path& path) const {
    const base::MutexLock lock(mutex_);
    return paths_.contains(path);
  }

  static SyncedFiles& Instance() {
    static SyncedFiles files;
    return files;
  }

 private:
  mutable base::Mutex mutex_;
  std::set<std::filesystem::path> paths_ GUARDED_BY(mutex_);
};

}  // namespace

/// In front of the C library's.
extern "C" int fdatasync(int file) {
  SyncedFiles::Instance().Add(file);
  return static_cast<int>(syscall(SYS_fdatasync, file));
}

namespace state {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

/// Runs `body` in a child process that ends itself by SIGKILL right after, closing nothing.
void RunAndKill(const std::function<bool()>& body) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (!body()) _exit(1);
    kill(getpid(), SIGKILL);
    _exit(2);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
      << "the child failed before its end, status " << status;
}

/// RocksDB's log that was begun last; the number in its name grows.
std::filesystem::path NewestLog(const std::filesystem::path& directory) {
  std::filesystem::path newest;
  for (const auto& file : std::filesystem::directory_iterator(directory)) {
    if (file.path().extension() == ".log") newest = std::max(newest, file.path());
  }
  return newest;
}

using ReopenTest = TaskStateTest;

TEST_F(ReopenTest, ShowsCommittedRowsAndPositionsAgain) {
  auto state = OpenState();
  state->Store("rows").Put("a", "1");
  state->Store("index").Put("i", "2");
  Commit(*state, {{Tp("events", 0), {7}}, {Tp("events", 1), {9}}});
  state->Store("rows").Put("b", "never committed");
  state.reset();

  state = OpenState();
  EXPECT_THAT(ScanAll(state->Store("rows")), ElementsAre(Pair("a", "1")));
  EXPECT_THAT(ScanAll(state->Store("index")), ElementsAre(Pair("i", "2")));
  EXPECT_EQ(state->AllPositions(), (Positions{{Tp("events", 0), {7}}, {Tp("events", 1), {9}}}));
}

/// The rows of that log go back into memory. When RocksDB puts those of one store, or the positions,
/// into a table file, it does not sync a log that it did not begin itself.
TEST_F(ReopenTest, MakesTheLogThatItFindsOutliveTheMachine) {
  RunAndKill([&] {
    auto state = OpenState();
    if (state == nullptr) return false;
    state->Store("rows").Put("a", "1");
    return state->Commit({{Tp("events", 0), {7}}}).ok();
  });
  const std::filesystem::path log = std::filesystem::canonical(NewestLog(Options().directory));
  auto state = OpenState();
  EXPECT_TRUE(std::filesystem::exists(log)) << "its rows are in no table file";
  EXPECT_TRUE(SyncedFiles::Instance().Contains(log));
}

TEST_F(ReopenTest, KeepsPositionsThatACommitDoesNotName) {
  auto state = OpenState();
  Commit(*state, {{Tp("events", 0), {7}}, {Tp("users", 0), {1}}});
  Commit(*state, {{Tp("events", 0), {8}}});
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(state->Position(Tp("events", 0)), base::Offset{8});
    EXPECT_EQ(state->Position(Tp("users", 0)), base::Offset{1});
    EXPECT_EQ(state->Position(Tp("users", 1)), std::nullopt);
    state.reset();
    state = OpenState();
  }
}

TEST_F(ReopenTest, KeepsNotes) {
  auto state = OpenState();
  EXPECT_EQ(state->Note("cluster"), std::nullopt);
  ASSERT_TRUE(state->PutNote("cluster", "abc").ok());
  ASSERT_TRUE(state->PutNote("", "").ok());
  ASSERT_TRUE(state->PutNote("cluster", "def").ok());
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(state->Note("cluster"), "def");
    EXPECT_EQ(state->Note(""), "");
    state.reset();
    state = OpenState();
  }
}

TEST_F(ReopenTest, KeepsAStoreThatIsNoLongerDeclaredAndAddsANewOne) {
  TaskState::Options options = Options();
  auto state = OpenState();
  state->Store("rows").Put("a", "1");
  state->Store("other").Put("a", "2");
  Commit(*state);
  state.reset();

  options.stores = {{"new", true}, {"rows", true}};
  auto reopened = TaskState::Open(options);
  ASSERT_TRUE(reopened.ok()) << reopened.status().ToString();
  EXPECT_EQ(Get((*reopened)->Store("rows"), "a"), "1");
  EXPECT_EQ(Get((*reopened)->Store("new"), "a"), std::nullopt);
  std::move(reopened).value().reset();

  options.stores = {{"other", true}};
  reopened = TaskState::Open(options);
  ASSERT_TRUE(reopened.ok()) << reopened.status().ToString();
  EXPECT_EQ(Get((*reopened)->Store("other"), "a"), "2");
}

TEST_F(ReopenTest, TakesADirectoryWithoutItsBeginningForCorrupt) {
  auto state = OpenState();
  state->Store("rows").Put("a", "1");
  Commit(*state, {{Tp("events", 0), {7}}});
  state.reset();
  ASSERT_TRUE(std::filesystem::remove(Options().directory / "CURRENT"));
  // The second time RocksDB finds the database that it made beside the old log the first time, and
  // reads the positions out of that log, but no rows.
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(TaskState::Open(Options()).status().code(), base::StatusCode::kCorruption);
  }
}

TEST_F(ReopenTest, AManifestThatIsCutAnywhereLosesNoRowsUnnoticed) {
  RunAndKill([&] {
    auto state = OpenState();
    if (state == nullptr) return false;
    state->Store("rows").Put("a", "1");
    return state->Commit({{Tp("events", 0), {7}}}).ok();
  });
  const std::filesystem::path whole = root_ / "whole";
  std::filesystem::copy(Options().directory, whole, std::filesystem::copy_options::recursive);
  std::filesystem::path manifest;
  for (const auto& file : std::filesystem::directory_iterator(whole)) {
    if (file.path().filename().string().starts_with("MANIFEST-")) manifest = file.path();
  }
  int noticed = 0;
  const uintmax_t bytes = std::filesystem::file_size(manifest);
  for (uintmax_t cut = 0; cut < bytes; ++cut) {
    std::filesystem::remove_all(Options().directory);
    std::filesystem::copy(whole, Options().directory, std::filesystem::copy_options::recursive);
    std::filesystem::resize_file(Options().directory / manifest.filename(), cut);
    const auto state = TaskState::Open(Options());
    if (!state.ok()) {
      EXPECT_EQ(state.status().code(), base::StatusCode::kCorruption);
      ++noticed;
    } else if ((*state)->Position(Tp("events", 0)).has_value()) {
      EXPECT_EQ(Get((*state)->Store("rows"), "a"), "1") << "cut to " << cut << " of " << bytes;
    }
  }
  EXPECT_GT(noticed, 0);
}

TEST_F(ReopenTest, FindsWhatWasCommittedBeforeAKill) {
  RunAndKill([&] {
    auto state = OpenState();
    if (state == nullptr) return false;
    for (int64_t i = 1; i <= 50; ++i) {
      state->Store("rows").Put("last", std::to_string(i));
      state->Store("index").Put("last", std::to_string(i));
      state->Store("rows").Put("row " + std::to_string(i), std::string(2000, 'x'));
      if (!state->Commit({{Tp("events", 0), {i}}}).ok()) return false;
    }
    state->Store("rows").Put("last", "pending");
    return true;
  });
  const auto state = OpenState();
  EXPECT_EQ(state->Position(Tp("events", 0)), base::Offset{50});
  EXPECT_EQ(Get(state->Store("rows"), "last"), "50");
  EXPECT_EQ(Get(state->Store("index"), "last"), "50");
  EXPECT_EQ(ScanAll(state->Store("rows")).size(), 51u);
}

TEST_F(ReopenTest, LetsRowsAndPositionsFallTogetherWhenTheLogLosesItsTail) {
  RunAndKill([&] {
    auto state = OpenState();
    if (state == nullptr) return false;
    for (int64_t i = 1; i <= 50; ++i) {
      state->Store("rows").Put("last", std::to_string(i));
      state->Store("index").Put("last", std::to_string(i));
      if (!state->Commit({{Tp("events", 0), {i}}}).ok()) return false;
    }
    return true;
  });
  // Cut the log at one byte after the other from its end, as a machine crash may.
  const std::filesystem::path kept = root_ / "kept";
  std::filesystem::rename(root_ / "1_0", kept);
  std::set<int64_t> seen;
  for (uintmax_t cut = 0; cut < 400; cut += 7) {
    std::filesystem::copy(kept, root_ / "1_0", std::filesystem::copy_options::recursive);
    const std::filesystem::path log = NewestLog(root_ / "1_0");
    ASSERT_GT(std::filesystem::file_size(log), cut);
    std::filesystem::resize_file(log, std::filesystem::file_size(log) - cut);
    {
      const auto state = OpenState();
      ASSERT_NE(state, nullptr);
      const auto position = state->Position(Tp("events", 0));
      ASSERT_TRUE(position.has_value());
      EXPECT_EQ(Get(state->Store("rows"), "last"), std::to_string(position->value));
      EXPECT_EQ(Get(state->Store("index"), "last"), std::to_string(position->value));
      seen.insert(position->value);
    }
    std::filesystem::remove_all(root_ / "1_0");
  }
  EXPECT_GT(seen.size(), 3u) << "the cuts lost nothing, so this test shows nothing";
}

using RestoreTest = TaskStateTest;

TEST_F(RestoreTest, AppliesRowsAndTombstonesInOrderWithTheirPosition) {
  auto state = OpenState();
  const std::vector<RestoredRow> first = {
      {"a", "1"}, {"b", "1"}, {"c", "1"}, {"b", std::nullopt}, {"a", "2"}};
  ASSERT_TRUE(state->ApplyRestored("rows", first, Tp("changelog", 0), {5}).ok());
  EXPECT_EQ(state->Position(Tp("changelog", 0)), base::Offset{5});
  const std::vector<RestoredRow> second = {{"c", std::nullopt}, {"b", "3"}};
  ASSERT_TRUE(state->ApplyRestored("rows", second, Tp("changelog", 0), {9}).ok());
  EXPECT_FALSE(state->has_pending());
  for (int round = 0; round < 2; ++round) {
    EXPECT_THAT(ScanAll(state->Store("rows")), ElementsAre(Pair("a", "2"), Pair("b", "3")));
    EXPECT_EQ(state->Position(Tp("changelog", 0)), base::Offset{9});
    state.reset();
    state = OpenState();
  }
}

TEST_F(RestoreTest, ReplacesRowsThatWereReadBefore) {
  const auto state = OpenState();
  state->Store("rows").Put("a", "1");
  state->Store("rows").Put("b", "1");
  Commit(*state);
  EXPECT_EQ(Get(state->Store("rows"), "a"), "1");
  EXPECT_EQ(Get(state->Store("rows"), "b"), "1");
  const std::vector<RestoredRow> rows = {{"a", "2"}, {"b", std::nullopt}};
  ASSERT_TRUE(state->ApplyRestored("rows", rows, Tp("changelog", 0), {5}).ok());
  EXPECT_EQ(Get(state->Store("rows"), "a"), "2");
  EXPECT_EQ(Get(state->Store("rows"), "b"), std::nullopt);
}

TEST_F(RestoreTest, MovesThePositionOverAStretchWithoutRows) {
  const auto state = OpenState();
  ASSERT_TRUE(state->ApplyRestored("rows", {}, Tp("changelog", 0), {12}).ok());
  EXPECT_EQ(state->Position(Tp("changelog", 0)), base::Offset{12});
}

using OpenErrorTest = TaskStateTest;

TEST_F(OpenErrorTest, IsUnavailableWhileThisProcessHasItOpen) {
  const auto state = OpenState();
  const auto second = TaskState::Open(Options());
  EXPECT_EQ(second.status().code(), base::StatusCode::kUnavailable);
  EXPECT_THAT(second.status().message(), HasSubstr(Options().directory.string()));
}

TEST_F(OpenErrorTest, IsUnavailableWhileAnotherProcessHasItOpen) {
  const auto state = OpenState();
  RunAndKill([&] {
    // The child's copy of RocksDB believes that it holds the lock itself; a fresh path to the same
    // directory leaves only the lock of the operating system.
    std::filesystem::create_directory_symlink(root_ / "1_0", root_ / "link");
    TaskState::Options options = Options();
    options.directory = root_ / "link";
    return TaskState::Open(options).status().code() == base::StatusCode::kUnavailable;
  });
}

TEST_F(OpenErrorTest, IsFatalWhereNoDirectoryCanBe) {
  std::ofstream(root_ / "1_0") << "a file";
  const auto opened = TaskState::Open(Options());
  EXPECT_EQ(opened.status().code(), base::StatusCode::kFatal);
  EXPECT_THAT(opened.status().message(), HasSubstr(Options().directory.string()));
}

/// Writes noise over the middle of each file whose name begins or ends so; gives their number.
int Damage(const std::filesystem::path& directory, std::string_view begin, std::string_view end) {
  int damaged = 0;
  for (const auto& file : std::filesystem::directory_iterator(directory)) {
    const std::string name = file.path().filename().string();
    if (!name.starts_with(begin) || !name.ends_with(end)) continue;
    std::fstream stream(file.path(), std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(0);
    stream << std::string(file.file_size(), '\x5a');
    ++damaged;
  }
  return damaged;
}

TEST_F(OpenErrorTest, IsCorruptionWhenTheManifestIsDamaged) {
  auto state = OpenState();
  state->Store("rows").Put("a", "1");
  Commit(*state);
  state.reset();
  ASSERT_GT(Damage(Options().directory, "MANIFEST-", ""), 0);
  EXPECT_EQ(TaskState::Open(Options()).status().code(), base::StatusCode::kCorruption);
}

TEST_F(OpenErrorTest, IsCorruptionWhenTheManifestIsGone) {
  OpenState().reset();
  for (const auto& file : std::filesystem::directory_iterator(Options().directory)) {
    if (file.path().filename().string().starts_with("MANIFEST-")) {
      std::filesystem::remove(file.path());
    }
  }
  EXPECT_EQ(TaskState::Open(Options()).status().code(), base::StatusCode::kCorruption);
}

TEST_F(OpenErrorTest, SaysCorruptionAtOpenOrReadWhenRowsAreDamaged) {
  auto state = OpenState();
  state->Store("rows").Put("a", std::string(100'000, 'x'));
  Commit(*state);
  // More than the write buffers hold, so that the first rows go into a table file.
  for (int i = 0; i < 300; ++i) {
    state->Store("rows").Put("b" + std::to_string(i), std::string(100'000, 'y'));
    Commit(*state);
  }
  state.reset();
  ASSERT_GT(Damage(Options().directory, "", ".sst"), 0);
  auto opened = TaskState::Open(Options());
  const base::Status status =
      opened.ok() ? (*opened)->Store("rows").Get("a").status() : opened.status();
  EXPECT_EQ(status.code(), base::StatusCode::kCorruption) << status.ToString();
}

using DestroyTest = TaskStateTest;

TEST_F(DestroyTest, LeavesNothing) {
  auto state = OpenState();
  state->Store("rows").Put("a", "1");
  Commit(*state, {{Tp("events", 0), {7}}});
  state.reset();
  ASSERT_TRUE(TaskState::Destroy(Options().directory).ok());
  EXPECT_FALSE(std::filesystem::exists(Options().directory));
  state = OpenState();
  EXPECT_EQ(Get(state->Store("rows"), "a"), std::nullopt);
  EXPECT_TRUE(state->AllPositions().empty());
}

TEST_F(DestroyTest, RefusesWhatIsOpen) {
  const auto state = OpenState();
  state->Store("rows").Put("a", "1");
  Commit(*state);
  EXPECT_EQ(TaskState::Destroy(Options().directory).code(), base::StatusCode::kUnavailable);
  EXPECT_EQ(Get(state->Store("rows"), "a"), "1");
}

TEST_F(DestroyTest, AcceptsWhatIsNotThere) {
  EXPECT_TRUE(TaskState::Destroy(root_ / "nothing").ok());
}

}  // namespace
}  // namespace state
