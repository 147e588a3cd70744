#include "stages/enrich_actor.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>

#include "state/task_state.h"
#include "tests/stages/stage_test_util.h"

namespace stages {
namespace {

/// A users table with one user, 2 Bruno.
class EnrichActorTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "enrich_actor_XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
    state::TaskState::Options options;
    options.directory = directory_ / "users";
    options.stores = {{std::string(pipeline::GlobalTableBase::kStore), false}};
    options.memory = &memory_;
    auto opened = state::TaskState::Open(options);
    ASSERT_TRUE(opened.ok()) << opened.status().ToString();
    state_ = std::move(*opened);
    PutUser("2", R"({"name":"Bruno","handle":"bruno"})");
    users_.Attach(state_->MakeReader());
  }

  void TearDown() override {
    users_.Attach(nullptr);
    state_.reset();
    std::filesystem::remove_all(directory_);
  }

  void PutUser(std::string_view id, std::string value) {
    state_->BeginRecord();
    state_->Store(pipeline::GlobalTableBase::kStore).Put(id, std::move(value));
    ASSERT_TRUE(state_->Commit({}).ok());
    users_.Applied(id);
  }

  /// Runs an event of `actor` through the stage.
  base::Status Enrich(std::string_view actor) {
    context_.records.clear();
    EnrichActor stage(users_, metrics_.AddCounter("herald_unknown_actors_total", "test"));
    Event event;
    event.id = "e1";
    event.actor = actor;
    return stage.Process({"key", std::move(event), MakeRawRecord("").metadata}, context_);
  }

  bool Counted(int times) const {
    return metrics_.Serialize().find("herald_unknown_actors_total " + std::to_string(times)) !=
           std::string::npos;
  }

  std::filesystem::path directory_;
  state::SharedMemory memory_{size_t{1} << 20, size_t{1} << 20};
  std::unique_ptr<state::TaskState> state_;
  pipeline::GlobalTable<User> users_{"users"};
  base::Metrics metrics_;
  CollectingContext<EnrichedEvent> context_;
};

TEST_F(EnrichActorTest, AddsTheActorAsTheUsersTableHasIt) {
  ASSERT_TRUE(Enrich("2").ok());
  ASSERT_EQ(context_.records.size(), 1u);
  EXPECT_EQ(context_.records[0].key, "key");
  EXPECT_EQ(context_.records[0].value.event.id, "e1");
  ASSERT_NE(context_.records[0].value.actor, nullptr);
  EXPECT_EQ(context_.records[0].value.actor->id, "2");
  EXPECT_EQ(context_.records[0].value.actor->name, "Bruno");
  EXPECT_TRUE(Counted(0));
}

TEST_F(EnrichActorTest, SeesAUserChange) {
  ASSERT_TRUE(Enrich("2").ok());
  PutUser("2", R"({"name":"Bruno II"})");
  ASSERT_TRUE(Enrich("2").ok());
  EXPECT_EQ(context_.records[0].value.actor->name, "Bruno II");
}

TEST_F(EnrichActorTest, CountsAnUnknownActorAndPassesTheEventOn) {
  ASSERT_TRUE(Enrich("3").ok());
  ASSERT_EQ(context_.records.size(), 1u);
  EXPECT_EQ(context_.records[0].value.actor, nullptr);
  EXPECT_TRUE(Counted(1));
}

TEST_F(EnrichActorTest, StopsWhenARowOfTheTableCannotBeRead) {
  PutUser("2", "rubbish");
  EXPECT_EQ(Enrich("2").code(), base::StatusCode::kCorruption);
  EXPECT_TRUE(context_.records.empty());
}

}  // namespace
}  // namespace stages
