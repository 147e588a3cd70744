#include "pipeline/task.h"

#include <gtest/gtest.h>

namespace pipeline {
namespace {

TEST(Task, TakesTheLegalWayThroughItsLife) {
  Task task({1, base::Partition{2}}, {});
  EXPECT_EQ(task.phase(), TaskPhase::kCreated);
  for (const TaskPhase phase : {TaskPhase::kRestoring, TaskPhase::kRunning, TaskPhase::kSuspended,
                                TaskPhase::kRestoring, TaskPhase::kClosed}) {
    task.MoveTo(phase);
    EXPECT_EQ(task.phase(), phase);
  }
}

TEST(TaskDeathTest, AbortsOnAnIllegalMove) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  Task task({1, base::Partition{2}}, {});
  EXPECT_DEATH(task.MoveTo(TaskPhase::kRunning), "task 1_2 from created to running");
}

}  // namespace
}  // namespace pipeline
