#include "pipeline/crash_mark.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/support/scratch_directory.h"

namespace pipeline {
namespace {

using ::testing::HasSubstr;

const base::TopicPartition kEvents{"events", base::Partition{3}};
const base::TopicPartition kNotifications{"notifications", base::Partition{1}};

class CrashMarkTest : public ::testing::Test {
 protected:
  CrashMark Open() { return CrashMark::Open(path_).value(); }

  support::ScratchDirectory scratch_;
  const std::filesystem::path path_ = scratch_.path() / "in-hand-0";
};

TEST_F(CrashMarkTest, BeginsWithNothingInHand) { EXPECT_EQ(Open().InHand(), std::nullopt); }

TEST_F(CrashMarkTest, KeepsWhatWasInHandWhenTheProcessDied) {
  const pid_t child = fork();
  if (child == 0) {
    CrashMark mark = Open();
    mark.Set(kEvents, base::Offset{41});
    mark.Set(kEvents, base::Offset{42});
    // As a crash: no destructor runs.
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(Open().InHand(), (RecordPlace{kEvents, base::Offset{42}}));
}

TEST_F(CrashMarkTest, ForgetsWhatWasFinished) {
  {
    CrashMark mark = Open();
    mark.Set(kEvents, base::Offset{42});
    mark.Clear();
  }
  EXPECT_EQ(Open().InHand(), std::nullopt);
}

TEST_F(CrashMarkTest, NamesTheInputThatTheRecordIsOf) {
  CrashMark mark = Open();
  mark.Set(kEvents, base::Offset{42});
  mark.Set(kNotifications, base::Offset{7});
  EXPECT_EQ(mark.InHand(), (RecordPlace{kNotifications, base::Offset{7}}));
  mark.Set(kEvents, base::Offset{43});
  EXPECT_EQ(mark.InHand(), (RecordPlace{kEvents, base::Offset{43}}));
}

TEST_F(CrashMarkTest, TellsOneEndFromTheNext) {
  uint64_t first = 0;
  {
    CrashMark mark = Open();
    mark.Set(kEvents, base::Offset{42});
    first = mark.Run();
  }
  CrashMark mark = Open();
  EXPECT_EQ(mark.Run(), first) << "it is still the same end";
  mark.Clear();
  mark.Set(kEvents, base::Offset{42});
  EXPECT_NE(mark.Run(), first);
}

TEST_F(CrashMarkTest, TakesAnythingElseForNothing) {
  std::ofstream(path_) << "not a mark at all";
  EXPECT_EQ(Open().InHand(), std::nullopt);
}

TEST_F(CrashMarkTest, SaysWhichFileCannotBeMade) {
  const auto mark = CrashMark::Open(scratch_.path() / "nowhere" / "in-hand-0");
  EXPECT_EQ(mark.status().code(), base::StatusCode::kFatal);
  EXPECT_THAT(mark.status().message(), HasSubstr("nowhere/in-hand-0"));
}

}  // namespace
}  // namespace pipeline
