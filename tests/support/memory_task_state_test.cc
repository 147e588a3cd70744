#include "tests/support/memory_task_state.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "tests/support/scratch_directory.h"

namespace support {
namespace {

using base::Offset;
using base::Partition;
using base::StatusCode;
using base::TopicPartition;

const TopicPartition kInput{"in", Partition{0}};
const TopicPartition kChangelog{"rows-changelog", Partition{0}};
constexpr size_t kMemoryBytes = size_t{4} << 20;

/// Everything that can be seen of a state, as text.
std::string Describe(state::TaskState& state) {
  std::string text;
  const auto add = [&](std::string_view key, std::string_view value) {
    text.append(key).append("=").append(value).append(" ");
    return true;
  };
  for (const char* store : {"rows", "index"}) {
    text.append(store).append(": ");
    EXPECT_TRUE(state.Store(store).Scan("", "", add).ok());
    text.append("back: ");
    EXPECT_TRUE(state.Store(store).ScanReverse("b", "g", add).ok());
  }
  const auto view = state.MakeReader()->Snapshot();
  text.append("committed: ");
  EXPECT_TRUE(view->Store("rows").Scan("c", "", add).ok());
  EXPECT_TRUE(view->Store("index").ScanReverse("", "f", add).ok());
  text.append("pending: " + std::to_string(state.pending_bytes()) + " ");
  const auto visited = state.VisitPending(
      [&](std::string_view store, std::string_view key, std::optional<std::string_view> value) {
        add(std::string(store) + "/" + std::string(key), value.value_or("(deleted)"));
        return base::Status::Ok();
      });
  EXPECT_TRUE(visited.ok());
  for (const auto& [tp, position] : state.AllPositions()) {
    add(tp.ToString(), std::to_string(position.value));
  }
  return text + state.Note("stamp").value_or("(none)");
}

class MemoryTaskStatesTest : public testing::Test {
 protected:
  std::unique_ptr<state::TaskState> Open(state::TaskStates& states) {
    auto opened = states.Open(Options());
    EXPECT_TRUE(opened.ok()) << opened.status().ToString();
    return opened.ok() ? std::move(*opened) : nullptr;
  }
  state::TaskState::Options Options() {
    state::TaskState::Options options;
    options.directory = directory_;
    options.stores = {{"rows", true}, {"index", false}};
    options.memory = &memory_;
    return options;
  }

  ScratchDirectory scratch_;
  const std::filesystem::path directory_ = scratch_.path() / "1_0";
  state::SharedMemory memory_{kMemoryBytes, kMemoryBytes};
  MemoryTaskStates states_;
};

TEST_F(MemoryTaskStatesTest, DoesWhatRocksDbDoesUnderRandomCalls) {
  std::mt19937_64 random(20261121);
  const auto draw = [&](uint64_t below) { return random() % below; };
  auto twin = Open(states_);
  auto real = Open(state::RocksdbTaskStates());
  const auto both = [&](const auto& call) {
    call(*twin);
    call(*real);
  };
  for (int i = 0; i < 2000; ++i) {
    const std::string key(1, static_cast<char>('a' + draw(8)));
    const std::string store = draw(2) == 0 ? "rows" : "index";
    const std::string value = std::to_string(i);
    const Offset position{i};
    switch (draw(12)) {
      case 0:
      case 1:
      case 2:
      case 3:
        both([&](auto& state) { state.Store(store).Put(key, value); });
        break;
      case 4:
      case 5:
        both([&](auto& state) { state.Store(store).Delete(key); });
        break;
      case 6:
        both([](auto& state) { state.BeginRecord(); });
        break;
      case 7:
        both([](auto& state) { state.RollbackRecord(); });
        break;
      case 8:
        both([&](auto& state) {
          EXPECT_TRUE(state.Commit({{kInput, position}}).ok());
          EXPECT_TRUE(state.PutNote("stamp", value).ok());
        });
        break;
      case 9:
        both([](auto& state) { state.DropPending(); });
        break;
      case 10:
        both([&](auto& state) {
          state.DropPending();
          const std::vector<state::RestoredRow> rows = {{key, value}, {"d", std::nullopt}};
          EXPECT_TRUE(state.ApplyRestored("rows", rows, kChangelog, position).ok());
        });
        break;
      default:
        if (draw(8) != 0) break;
        twin.reset();
        real.reset();
        twin = Open(states_);
        real = Open(state::RocksdbTaskStates());
    }
    ASSERT_EQ(*twin->Store(store).Get(key), *real->Store(store).Get(key));
    ASSERT_EQ(Describe(*twin), Describe(*real)) << "after call " << i;
  }
}

TEST_F(MemoryTaskStatesTest, IsLockedWhileAReaderHasIt) {
  auto state = Open(states_);
  auto reader = state->MakeReader();
  state.reset();
  EXPECT_EQ(states_.Open(Options()).status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(states_.Destroy(directory_).code(), StatusCode::kUnavailable);
  reader.reset();
  EXPECT_NE(Open(states_), nullptr);
}

TEST_F(MemoryTaskStatesTest, LosesWholeBatchesFromTheEndOfWhatWasWrittenSinceItWasOpened) {
  auto state = Open(states_);
  state->Store("rows").Put("kept", "1");
  ASSERT_TRUE(state->Commit({{kInput, Offset{1}}}).ok());
  state.reset();
  state = Open(states_);
  for (const int64_t i : {2, 3}) {
    state->Store("rows").Put("kept", std::to_string(i));
    state->Store("index").Put("new", "x");
    ASSERT_TRUE(state->Commit({{kInput, Offset{i}}}).ok());
  }
  state.reset();
  ASSERT_EQ(states_.TailBatches(directory_), 2U);
  states_.LoseTail(directory_, 1);
  state = Open(states_);
  EXPECT_EQ(*state->Store("rows").Get("kept"), "2");
  EXPECT_EQ(state->Position(kInput), Offset{2});
  EXPECT_EQ(*state->Store("index").Get("new"), "x");
  state.reset();
  EXPECT_EQ(states_.TailBatches(directory_), 0U);
}

TEST_F(MemoryTaskStatesTest, ComesBackAsItWasRemembered) {
  auto state = Open(states_);
  state->Store("rows").Put("a", "1");
  ASSERT_TRUE(state->Commit({}).ok());
  state.reset();
  states_.Remember();
  state = Open(states_);
  state->Store("rows").Put("a", "2");
  ASSERT_TRUE(state->Commit({}).ok());
  state.reset();
  states_.PutBackAll();
  EXPECT_EQ(*Open(states_)->Store("rows").Get("a"), "1");
  states_.Lose();
  EXPECT_EQ(*Open(states_)->Store("rows").Get("a"), std::nullopt);
  states_.PutBack(directory_);
  EXPECT_EQ(*Open(states_)->Store("rows").Get("a"), "1");
}

TEST_F(MemoryTaskStatesTest, IsCorruptWhenSpoiledUntilItIsDestroyed) {
  Open(states_)->Store("rows").Put("a", "1");
  states_.Spoil(directory_);
  EXPECT_EQ(states_.Open(Options()).status().code(), StatusCode::kCorruption);
  ASSERT_TRUE(states_.Destroy(directory_).ok());
  EXPECT_EQ(*Open(states_)->Store("rows").Get("a"), std::nullopt);
}

}  // namespace
}  // namespace support
