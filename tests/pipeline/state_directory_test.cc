#include "pipeline/state_directory.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

namespace pipeline {
namespace {

class StateDirectoryTest : public testing::Test {
 protected:
  StateDirectoryTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "herald-dir-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~StateDirectoryTest() override { std::filesystem::remove_all(path_); }

  std::filesystem::path path_;
};

TEST_F(StateDirectoryTest, RemembersValuesAcrossOpens) {
  {
    auto directory = StateDirectory::Open(path_);
    ASSERT_TRUE(directory.ok()) << directory.status().ToString();
    ASSERT_TRUE(directory->Set("cluster-id", "abc").ok());
  }
  auto directory = StateDirectory::Open(path_);
  ASSERT_TRUE(directory.ok());
  EXPECT_EQ(directory->Get("cluster-id"), "abc");
  EXPECT_EQ(directory->Get("never-set"), "");
}

TEST_F(StateDirectoryTest, IsRefusedWhileAnotherHoldsIt) {
  auto first = StateDirectory::Open(path_);
  ASSERT_TRUE(first.ok());
  auto second = StateDirectory::Open(path_);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), base::StatusCode::kFatal);
  EXPECT_NE(second.status().message().find("in use"), std::string::npos);
  EXPECT_NE(second.status().message().find(path_.string()), std::string::npos);
}

TEST_F(StateDirectoryTest, IsRefusedWhenItIsAFile) {
  const auto file = path_ / "file";
  std::ofstream(file) << "x";
  auto directory = StateDirectory::Open(file / "below");
  ASSERT_FALSE(directory.ok());
  EXPECT_NE(directory.status().message().find("below"), std::string::npos);
}

TEST_F(StateDirectoryTest, MovesTasksAsideButKeepsTheInstanceId) {
  auto directory = StateDirectory::Open(path_);
  ASSERT_TRUE(directory.ok());
  ASSERT_TRUE(directory->Set("instance-id", "i-1").ok());
  ASSERT_TRUE(directory->Set("cluster-id", "old").ok());
  const auto task = directory->TaskDirectory({1, base::Partition{3}});
  std::filesystem::create_directories(task);
  ASSERT_TRUE(directory->MoveAside().ok());
  EXPECT_FALSE(std::filesystem::exists(task));
  EXPECT_TRUE(std::filesystem::exists(path_ / "aside-1" / "tasks" / "1_3"));
  EXPECT_EQ(directory->Get("instance-id"), "i-1");
  EXPECT_EQ(directory->Get("cluster-id"), "");
}

TEST_F(StateDirectoryTest, IsRefusedToAnotherProcessUntilTheFirstIsGone) {
  auto first = std::optional(StateDirectory::Open(path_));
  ASSERT_TRUE(first->ok());
  // Exit code 0: the child was refused, as it should be.
  const auto open_in_a_child = [this] {
    const pid_t child = fork();
    if (child == 0) _exit(StateDirectory::Open(path_).ok() ? 1 : 0);
    int status = -1;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  };
  EXPECT_EQ(open_in_a_child(), 0);
  first.reset();
  EXPECT_EQ(open_in_a_child(), 1);
}

TEST_F(StateDirectoryTest, ForgetsTasksAndTheirChangelogsButNothingElse) {
  EXPECT_FALSE(StateDirectory::IsThere(path_));
  {
    auto directory = StateDirectory::Open(path_);
    ASSERT_TRUE(directory.ok());
    EXPECT_TRUE(StateDirectory::IsThere(path_));
    ASSERT_TRUE(directory->Set("instance-id", "i-1").ok());
    ASSERT_TRUE(directory->Set("cluster-id", "c").ok());
    ASSERT_TRUE(directory->Set("slots-used", "3").ok());
    ASSERT_TRUE(directory->Set("topic-id:app-inbox-changelog", "x").ok());
    ASSERT_TRUE(directory->Set("topic-id:app-counts-changelog", "y").ok());
    std::filesystem::create_directories(directory->TaskDirectory({1, base::Partition{3}}));
    std::filesystem::create_directories(directory->TaskDirectory({1, base::Partition{0}}));
    std::filesystem::create_directories(directory->GlobalDirectory("users"));
    EXPECT_EQ(directory->Tasks(), (std::vector<std::string>{"1_0", "1_3"}));
    EXPECT_EQ(directory->Changelogs(),
              (std::vector<std::string>{"app-counts-changelog", "app-inbox-changelog"}));
    ASSERT_TRUE(directory->ForgetTasks().ok());
  }
  auto directory = StateDirectory::Open(path_);
  ASSERT_TRUE(directory.ok());
  EXPECT_TRUE(directory->Tasks().empty());
  EXPECT_TRUE(directory->Changelogs().empty());
  EXPECT_TRUE(std::filesystem::exists(directory->GlobalDirectory("users")));
  EXPECT_EQ(directory->Get("instance-id"), "i-1");
  EXPECT_EQ(directory->Get("cluster-id"), "c");
  EXPECT_EQ(directory->Get("slots-used"), "3");
}

}  // namespace
}  // namespace pipeline
