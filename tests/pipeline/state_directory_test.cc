#include "pipeline/state_directory.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

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

}  // namespace
}  // namespace pipeline
