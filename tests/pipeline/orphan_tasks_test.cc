#include "pipeline/orphan_tasks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <string>

#include "base/check.h"
#include "state/task_state.h"
#include "tests/support/scratch_directory.h"

namespace pipeline {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr milliseconds kDelay{600'000};
constexpr milliseconds kTurn{1'000};
const base::TaskId kTask{1, base::Partition{3}};
const base::TaskId kOther{1, base::Partition{4}};

class OrphanTasksTest : public testing::Test {
 protected:
  OrphanTasks Make(milliseconds delay = kDelay) {
    return OrphanTasks(scratch_.path(), delay, clock_);
  }

  std::filesystem::path Path(const base::TaskId& task) const {
    return scratch_.path() / task.ToString();
  }

  std::unique_ptr<state::TaskState> Open(const base::TaskId& task) {
    state::TaskState::Options options;
    options.directory = Path(task);
    options.stores = {{.name = "counts"}};
    options.memory = &memory_;
    auto opened = state::TaskState::Open(options);
    CHECK(opened.ok(), opened.status().message());
    return std::move(*opened);
  }

  /// Rows on disk that nobody has open.
  void Leave(const base::TaskId& task) { Open(task).reset(); }

  /// Sweeps each second for so long; what was deleted.
  std::vector<base::TaskId> SweepFor(OrphanTasks& orphans, milliseconds time,
                                     const std::set<base::TaskId>& in_use = {}) {
    std::vector<base::TaskId> deleted;
    for (milliseconds passed{0}; passed < time; passed += kTurn) {
      for (const base::TaskId& task : orphans.Sweep(in_use)) deleted.push_back(task);
      clock_.Advance(kTurn);
    }
    return deleted;
  }

  support::ScratchDirectory scratch_;
  base::ManualClock clock_{1'000'000};
  state::SharedMemory memory_{size_t{1} << 20, size_t{1} << 20};
};

TEST_F(OrphanTasksTest, DeletesATaskThatNobodyUsedForTheDelay) {
  Leave(kTask);
  OrphanTasks orphans = Make();
  EXPECT_THAT(SweepFor(orphans, kDelay), IsEmpty());
  EXPECT_TRUE(std::filesystem::exists(Path(kTask)));
  EXPECT_THAT(SweepFor(orphans, OrphanTasks::kLookEvery), ElementsAre(kTask));
  EXPECT_FALSE(std::filesystem::exists(Path(kTask)));
  EXPECT_THAT(SweepFor(orphans, 3 * kDelay), IsEmpty());
}

TEST_F(OrphanTasksTest, NeverDeletesATaskInUse) {
  Leave(kTask);
  OrphanTasks orphans = Make();
  EXPECT_THAT(SweepFor(orphans, 3 * kDelay, {kTask}), IsEmpty());
  EXPECT_TRUE(std::filesystem::exists(Path(kTask)));
}

TEST_F(OrphanTasksTest, CountsTheDelayFromTheLastUse) {
  Leave(kTask);
  OrphanTasks orphans = Make();
  EXPECT_THAT(SweepFor(orphans, kDelay - kTurn), IsEmpty());
  // For a moment, between two looks at the directory.
  EXPECT_THAT(SweepFor(orphans, kTurn, {kTask}), IsEmpty());
  EXPECT_THAT(SweepFor(orphans, kDelay), IsEmpty());
  EXPECT_TRUE(std::filesystem::exists(Path(kTask)));
  EXPECT_THAT(SweepFor(orphans, 2 * OrphanTasks::kLookEvery), ElementsAre(kTask));
}

TEST_F(OrphanTasksTest, LeavesATaskThatIsOpenAndTriesAgainLater) {
  auto open = Open(kTask);
  OrphanTasks orphans = Make();
  EXPECT_THAT(SweepFor(orphans, 2 * kDelay), IsEmpty());
  open->Store("counts").Put("a", "1");
  ASSERT_TRUE(open->Commit({}).ok()) << "the rows must be as usable as before";
  open.reset();
  EXPECT_THAT(SweepFor(orphans, 2 * OrphanTasks::kLookEvery), ElementsAre(kTask));
}

TEST_F(OrphanTasksTest, LeavesATaskThatAQueryStillReads) {
  auto open = Open(kTask);
  auto reader = open->MakeReader();
  open.reset();
  OrphanTasks orphans = Make();
  EXPECT_THAT(SweepFor(orphans, 2 * kDelay), IsEmpty());
  EXPECT_TRUE(std::filesystem::exists(Path(kTask)));
  reader.reset();
  EXPECT_THAT(SweepFor(orphans, 2 * OrphanTasks::kLookEvery), ElementsAre(kTask));
}

TEST_F(OrphanTasksTest, ATaskThatComesBackAfterwardsStartsEmpty) {
  {
    auto open = Open(kTask);
    open->Store("counts").Put("a", "1");
    ASSERT_TRUE(open->Commit({}).ok());
  }
  OrphanTasks orphans = Make();
  EXPECT_THAT(SweepFor(orphans, 2 * kDelay), ElementsAre(kTask));
  auto again = Open(kTask);
  EXPECT_EQ(again->Store("counts").Get("a").value(), std::nullopt);
  EXPECT_THAT(SweepFor(orphans, 2 * kDelay, {kTask}), IsEmpty());
}

TEST_F(OrphanTasksTest, LeavesWhatIsNoTask) {
  for (const char* name :
       {"1_3.old", "notes", "01_3", "_3", "1_", "-1_3", "1_3_4", "1_99999999999"}) {
    std::filesystem::create_directories(scratch_.path() / name);
    std::ofstream(scratch_.path() / name / "file") << "mine";
  }
  Leave(kOther);
  OrphanTasks orphans = Make();
  EXPECT_THAT(SweepFor(orphans, 2 * kDelay), ElementsAre(kOther));
  int left = 0;
  for (const auto& entry : std::filesystem::directory_iterator(scratch_.path())) {
    EXPECT_TRUE(std::filesystem::exists(entry.path() / "file"));
    ++left;
  }
  EXPECT_EQ(left, 8);
}

TEST_F(OrphanTasksTest, ADelayOfZeroKeepsEverything) {
  Leave(kTask);
  OrphanTasks orphans = Make(milliseconds(0));
  EXPECT_THAT(SweepFor(orphans, kDelay), IsEmpty());
  EXPECT_TRUE(std::filesystem::exists(Path(kTask)));
}

TEST_F(OrphanTasksTest, ADelayBelowASecondIsKept) {
  Leave(kTask);
  OrphanTasks orphans = Make(milliseconds(500));
  EXPECT_THAT(orphans.Sweep({}), IsEmpty());
  clock_.Advance(milliseconds(499));
  EXPECT_THAT(orphans.Sweep({}), IsEmpty());
  clock_.Advance(milliseconds(1));
  EXPECT_THAT(orphans.Sweep({}), ElementsAre(kTask));
}

TEST_F(OrphanTasksTest, TimeWithoutAShareDoesNotCount) {
  Leave(kTask);
  OrphanTasks orphans = Make();
  EXPECT_THAT(SweepFor(orphans, kDelay - kTurn), IsEmpty());
  clock_.Advance(10 * kDelay);  // no broker
  orphans.StartOver();
  EXPECT_THAT(SweepFor(orphans, kDelay), IsEmpty());
  EXPECT_TRUE(std::filesystem::exists(Path(kTask)));
}

TEST_F(OrphanTasksTest, ADirectoryThatIsGoneIsNoTrouble) {
  Leave(kTask);
  OrphanTasks orphans = Make();
  EXPECT_THAT(SweepFor(orphans, kDelay / 2), IsEmpty());
  std::filesystem::remove_all(Path(kTask));
  EXPECT_THAT(SweepFor(orphans, 2 * kDelay), IsEmpty());
}

TEST(ParseTaskId, ReadsWhatToStringWrites) {
  EXPECT_EQ(ParseTaskId("1_3"), kTask);
  EXPECT_EQ(ParseTaskId("0_0"), (base::TaskId{0, base::Partition{0}}));
  EXPECT_EQ(ParseTaskId("12_345"), (base::TaskId{12, base::Partition{345}}));
  for (const char* text :
       {"", "_", "1", "1_", "_1", "1_3 ", " 1_3", "+1_3", "1_-3", "1-3", "a_b"}) {
    EXPECT_EQ(ParseTaskId(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace pipeline
