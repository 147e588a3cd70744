#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "state/task_state.h"

namespace state {

using Rows = std::vector<std::pair<std::string, std::string>>;

inline base::TopicPartition Tp(std::string topic, int32_t partition) {
  return {std::move(topic), {partition}};
}

/// A fresh directory for each test, and short words for what tests do with a store.
class TaskStateTest : public testing::Test {
 protected:
  TaskStateTest() {
    std::string name = (std::filesystem::temp_directory_path() / "task_state_XXXXXX").string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    root_ = name;
  }
  ~TaskStateTest() override { std::filesystem::remove_all(root_); }

  TaskState::Options Options() {
    return {root_ / "1_0", {{"rows", true}, {"index", false}, {"other", true}}, &memory_};
  }

  std::unique_ptr<TaskState> OpenState() {
    auto opened = TaskState::Open(Options());
    EXPECT_TRUE(opened.ok()) << opened.status().ToString();
    return opened.ok() ? std::move(opened).value() : nullptr;
  }

  static std::optional<std::string> Get(const ReadableStore& store, std::string_view key) {
    auto row = store.Get(key);
    EXPECT_TRUE(row.ok()) << row.status().ToString();
    return row.ok() ? *row : std::nullopt;
  }

  static Rows ScanAll(const ReadableStore& store, std::string_view begin = "",
                      std::string_view end = "") {
    Rows rows;
    const base::Status status =
        store.Scan(begin, end, [&](std::string_view key, std::string_view value) {
          rows.emplace_back(key, value);
          return true;
        });
    EXPECT_TRUE(status.ok()) << status.ToString();
    return rows;
  }

  static Rows ScanAllReverse(const ReadableStore& store, std::string_view begin = "",
                             std::string_view end = "") {
    Rows rows;
    const base::Status status =
        store.ScanReverse(begin, end, [&](std::string_view key, std::string_view value) {
          rows.emplace_back(key, value);
          return true;
        });
    EXPECT_TRUE(status.ok()) << status.ToString();
    return rows;
  }

  static void Commit(TaskState& state, const Positions& positions = {}) {
    const base::Status status = state.Commit(positions);
    ASSERT_TRUE(status.ok()) << status.ToString();
  }

  std::filesystem::path root_;
  SharedMemory memory_{8 << 20, 8 << 20};
};

}  // namespace state
