// The engine with its own threads on the in-memory twin.

#include "pipeline/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "pipeline/partitioner.h"
#include "stages/inbox_query.h"
#include "stages/inbox_rows.h"
#include "stages/notification_topology.h"
#include "state/task_state.h"
#include "tests/support/fake_kafka.h"
#include "tests/support/scratch_directory.h"

namespace stages {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr size_t kMemoryBytes = size_t{4} << 20;
constexpr std::chrono::seconds kPatience{60};
constexpr std::chrono::milliseconds kLook{5};
constexpr int32_t kPartitions = 2;

/// A process whose engine runs on its own threads.
class RunningHerald {
 public:
  RunningHerald(support::FakeCluster& cluster, pipeline::EngineConfig config)
      : topology_(BuildNotificationTopology(Topics(), {})),
        clients_(cluster),
        engine_(topology_, std::move(config), Specs(), kPartitions, clients_,
                base::SystemClock::Instance(), metrics_) {}

  base::Status Start() { return engine_.Start(interrupted_); }

  /// False when it fails or does not come to that in time.
  template <typename Condition>
  bool WaitUntil(const Condition& condition) {
    const auto deadline = base::SystemClock::Instance().Monotonic() + kPatience;
    while (base::SystemClock::Instance().Monotonic() < deadline) {
      if (condition()) return true;
      // A failure ends the wait early.
      const base::Status failed = engine_.WaitForFailure(kLook);
      if (!failed.ok()) {
        ADD_FAILURE() << failed.ToString();
        return false;
      }
    }
    return false;
  }
  bool WaitUntilReady() {
    return WaitUntil([&] { return engine_.Status().ready; });
  }

  /// -1 while the inbox cannot be read.
  int InboxTotal(const std::string& recipient) {
    const auto found =
        engine_.stores().Find(kInboxStore, pipeline::PartitionForKey(recipient, kPartitions));
    if (found.where != pipeline::StoreLookup::Where::kHere) return -1;
    const auto view = found.reader->Snapshot();
    return static_cast<int>(ReadCounts(view->Store(kInboxStore), recipient).value().total);
  }

  pipeline::Engine& engine() { return engine_; }
  support::FakeClients& clients() { return clients_; }

  static std::vector<pipeline::TopicSpec> Specs() {
    std::vector<pipeline::TopicSpec> specs;
    for (const char* name : {"events", "notifications", "inbox-actions", "dead-letters", "users"}) {
      pipeline::TopicSpec spec;
      spec.name = name;
      spec.cleanup_policy = spec.name == "users" ? "compact" : "delete";
      const bool by_recipient = spec.name == "notifications" || spec.name == "inbox-actions";
      if (by_recipient) spec.copartition_group = "recipient";
      specs.push_back(std::move(spec));
    }
    return specs;
  }

 private:
  const pipeline::Topology topology_;
  base::Metrics metrics_;
  support::FakeClients clients_;
  std::atomic<bool> interrupted_ = false;
  pipeline::Engine engine_;
};

class EngineWithThreads : public ::testing::Test {
 protected:
  EngineWithThreads() : cluster_({.seed = 1, .clock = &base::SystemClock::Instance()}) {}

  pipeline::EngineConfig Config(int threads = 1) {
    pipeline::EngineConfig config;
    config.application_id = "app";
    config.instance_id = "a";
    config.state_directory = scratch_.path() / "state";
    config.dead_letters_topic = "dead-letters";
    config.threads = threads;
    config.commit_interval = std::chrono::milliseconds(5);
    config.broker_timeout = std::chrono::milliseconds(50);
    config.replace_wait = std::chrono::milliseconds(1);
    config.replace_wait_max = std::chrono::milliseconds(2);
    config.block_cache_bytes = kMemoryBytes;
    config.write_buffer_bytes = kMemoryBytes;
    return config;
  }

  /// Events of `count` actors to one recipient, over both partitions.
  void Follow(int first_actor, int count, const std::string& target) {
    for (int i = first_actor; i < first_actor + count; ++i) {
      cluster_.Append(
          "events", base::Partition{i % kPartitions}, std::nullopt,
          R"({"type":"follow","actor":)" + std::to_string(i) + R"(,"target":")" + target + "\"}");
    }
  }

  base::Status StartOnce(const pipeline::EngineConfig& config) {
    RunningHerald herald(cluster_, config);
    base::Status started = herald.Start();
    EXPECT_EQ(started.ok() && herald.WaitUntilReady(), started.ok());
    herald.engine().Stop();
    return started;
  }

  support::ScratchDirectory scratch_;
  support::FakeCluster cluster_;
};

TEST_F(EngineWithThreads, ProcessesOnAllThreadsUntilItIsStopped) {
  RunningHerald herald(cluster_, Config(/*threads=*/2));
  ASSERT_TRUE(herald.Start().ok());
  Follow(100, 100, "1");
  Follow(100, 50, "2");
  ASSERT_TRUE(herald.WaitUntil(
      [&] { return herald.InboxTotal("1") == 100 && herald.InboxTotal("2") == 50; }));
  ASSERT_TRUE(herald.WaitUntil([&] {
    const pipeline::EngineStatus status = herald.engine().Status();
    return status.ready && status.lag.size() == 3 * kPartitions &&
           std::all_of(status.lag.begin(), status.lag.end(),
                       [](const auto& entry) { return entry.second == 0; });
  }));
  EXPECT_EQ(cluster_.CommittedRecords("notifications").size(), 150U);
  herald.engine().Stop();
  EXPECT_THAT(cluster_.Shares("app"), IsEmpty()) << "it left the group";
  EXPECT_THAT(cluster_.OpenTransactions(), IsEmpty());
}

TEST_F(EngineWithThreads, StartsBesideTasksThatCannotBeOpened) {
  const std::filesystem::path tasks = scratch_.path() / "state" / "tasks";
  {
    RunningHerald herald(cluster_, Config());
    ASSERT_TRUE(herald.Start().ok());
    Follow(100, 20, "1");
    ASSERT_TRUE(herald.WaitUntil([&] { return herald.InboxTotal("1") == 20; }));
    herald.engine().Stop();
  }
  std::filesystem::create_directories(tasks / "9_0");
  std::ofstream(tasks / "no-task") << "a file\n";
  int damaged = 0;
  for (int32_t partition = 0; partition < kPartitions; ++partition) {
    const std::filesystem::path current = tasks / ("1_" + std::to_string(partition)) / "CURRENT";
    if (!std::filesystem::exists(current)) continue;
    std::ofstream(current, std::ios::trunc) << "MANIFEST-999999\n";
    ++damaged;
  }
  ASSERT_EQ(damaged, kPartitions);
  RunningHerald herald(cluster_, Config(/*threads=*/2));
  ASSERT_TRUE(herald.Start().ok());
  ASSERT_TRUE(herald.WaitUntilReady());
  EXPECT_EQ(herald.InboxTotal("1"), 20);
}

TEST_F(EngineWithThreads, ATaskWhoseRowsAreHeldKeepsNoOtherFromStarting) {
  const std::filesystem::path tasks = scratch_.path() / "state" / "tasks";
  {
    RunningHerald herald(cluster_, Config());
    ASSERT_TRUE(herald.Start().ok());
    ASSERT_TRUE(herald.WaitUntilReady());
    herald.engine().Stop();
  }
  const std::string mine = "1";
  const base::Partition free = pipeline::PartitionForKey(mine, kPartitions);
  state::SharedMemory memory(kMemoryBytes, kMemoryBytes);
  auto held = state::TaskState::Open(
      {tasks / ("1_" + std::to_string(1 - free.value)),
       {{std::string(kInboxStore), true}, {std::string(kInboxUnreadStore), false}},
       &memory});
  ASSERT_TRUE(held.ok()) << held.status().ToString();
  RunningHerald herald(cluster_, Config());
  ASSERT_TRUE(herald.Start().ok());
  Follow(100, 20, mine);
  EXPECT_TRUE(herald.WaitUntil([&] { return herald.InboxTotal(mine) == 20; }));
  EXPECT_FALSE(herald.engine().Status().ready);
  held = base::Status::Unavailable("closed");
  EXPECT_TRUE(herald.WaitUntilReady());
}

TEST_F(EngineWithThreads, ClosesAgainWhatItOpenedAheadAndIsNotGiven) {
  const std::filesystem::path tasks = scratch_.path() / "state" / "tasks";
  {
    RunningHerald herald(cluster_, Config());
    ASSERT_TRUE(herald.Start().ok());
    ASSERT_TRUE(herald.WaitUntilReady());
    herald.engine().Stop();
  }
  // Of a partition that the topics do not have.
  std::filesystem::copy(tasks / "1_0", tasks / "1_7", std::filesystem::copy_options::recursive);
  pipeline::EngineConfig config = Config();
  config.session_timeout = std::chrono::milliseconds(200);
  RunningHerald herald(cluster_, config);
  ASSERT_TRUE(herald.Start().ok());
  ASSERT_TRUE(herald.WaitUntilReady());
  // Its lock is free once it is closed.
  EXPECT_TRUE(herald.WaitUntil([&] { return state::TaskState::Destroy(tasks / "1_7").ok(); }));
}

TEST_F(EngineWithThreads, WithoutStreamThreadsItJoinsNobodyAndStillKnowsWhoHasWhat) {
  pipeline::EngineConfig config = Config(/*threads=*/0);
  config.instance_id = "ingest";
  config.state_directory = scratch_.path() / "ingest";
  // Left from when it had threads.
  std::filesystem::create_directories(config.state_directory / "tasks" / "1_0");
  RunningHerald ingest(cluster_, config);
  ASSERT_TRUE(ingest.Start().ok());
  ASSERT_TRUE(ingest.WaitUntilReady()) << "nobody else is there, and it waits for nobody";
  EXPECT_THAT(cluster_.Shares("app"), IsEmpty());
  EXPECT_FALSE(ingest.engine().FindOwner({"notifications", base::Partition{0}}).has_value());

  RunningHerald process(cluster_, Config());
  ASSERT_TRUE(process.Start().ok());
  Follow(100, 10, "1");
  ASSERT_TRUE(process.WaitUntil([&] { return process.InboxTotal("1") == 10; }));
  ASSERT_TRUE(ingest.WaitUntil([&] {
    const auto instances = ingest.engine().Status().instances;
    return instances.size() == 1 && instances[0].instance.id == "a" && !instances[0].instance.self &&
           instances[0].partitions.size() == 3 * kPartitions;
  }));
  EXPECT_EQ(ingest.InboxTotal("1"), -1);
  EXPECT_THAT(ingest.engine().Status().tasks, IsEmpty());
  ingest.engine().Stop();
  process.engine().Stop();
}

TEST_F(EngineWithThreads, MakesItsTopicsWithMatchingPartitions) {
  cluster_.CreateTopic("notifications", 3);
  ASSERT_TRUE(StartOnce(Config()).ok());
  support::FakeClients clients(cluster_);
  const std::vector<std::string> names{"events", "app-inbox-changelog", "users"};
  const auto topics = clients.admin().DescribeTopics(names, std::chrono::milliseconds(100)).value();
  EXPECT_EQ(topics.at("events").partitions, kPartitions);
  EXPECT_EQ(topics.at("app-inbox-changelog").partitions, 3);
  EXPECT_EQ(topics.at("app-inbox-changelog").config.at("cleanup.policy"), "compact");
}

TEST_F(EngineWithThreads, RefusesATopicWithTheWrongCleanUp) {
  cluster_.CreateTopic("users", 1, {{"cleanup.policy", "delete"}});
  const base::Status started = StartOnce(Config());
  EXPECT_EQ(started.code(), base::StatusCode::kFatal);
  EXPECT_THAT(started.message(), HasSubstr("users"));
}

TEST_F(EngineWithThreads, GivesUpOnBrokersThatDoNotAnswer) {
  cluster_.SetReachable(false);
  const base::Status started = StartOnce(Config());
  EXPECT_EQ(started.code(), base::StatusCode::kFatal);
  EXPECT_THAT(started.message(), HasSubstr("--broker-timeout-ms"));
}

TEST_F(EngineWithThreads, RefusesADirectoryThatIsInUse) {
  RunningHerald herald(cluster_, Config());
  ASSERT_TRUE(herald.Start().ok());
  const base::Status started = StartOnce(Config());
  EXPECT_EQ(started.code(), base::StatusCode::kFatal);
  EXPECT_THAT(started.message(), HasSubstr((scratch_.path() / "state").string()));
}

TEST_F(EngineWithThreads, RefusesTheStateOfAnotherClusterUnlessTold) {
  ASSERT_TRUE(StartOnce(Config()).ok());
  cluster_.SetClusterId("elsewhere");
  const base::Status refused = StartOnce(Config());
  EXPECT_EQ(refused.code(), base::StatusCode::kFatal);
  EXPECT_THAT(refused.message(), HasSubstr("elsewhere"));
  pipeline::EngineConfig accepting = Config();
  accepting.accept_new_cluster = true;
  EXPECT_TRUE(StartOnce(accepting).ok());
  EXPECT_TRUE(std::filesystem::exists(scratch_.path() / "state" / "aside-1"));
  EXPECT_TRUE(StartOnce(Config()).ok()) << "it belongs to the new cluster now";
}

TEST_F(EngineWithThreads, RefusesRowsOfADeletedChangelogUnlessTold) {
  ASSERT_TRUE(StartOnce(Config()).ok());
  cluster_.RecreateTopic("app-inbox-changelog");
  const base::Status refused = StartOnce(Config());
  EXPECT_EQ(refused.code(), base::StatusCode::kFatal);
  EXPECT_THAT(refused.message(), HasSubstr("app-inbox-changelog"));
  pipeline::EngineConfig accepting = Config();
  accepting.accept_new_cluster = true;
  EXPECT_TRUE(StartOnce(accepting).ok());
}

TEST_F(EngineWithThreads, FailsWhenAnotherProcessTakesItsPlaceInTheGroup) {
  RunningHerald herald(cluster_, Config());
  ASSERT_TRUE(herald.Start().ok());
  ASSERT_TRUE(herald.WaitUntilReady());
  pipeline::EngineConfig other_config = Config();
  other_config.state_directory = scratch_.path() / "other";
  RunningHerald other(cluster_, other_config);
  ASSERT_TRUE(other.Start().ok());
  const auto deadline = base::SystemClock::Instance().Monotonic() + kPatience;
  base::Status failed;
  while (failed.ok() && base::SystemClock::Instance().Monotonic() < deadline) {
    failed = herald.engine().WaitForFailure(kLook);
  }
  EXPECT_EQ(failed.code(), base::StatusCode::kFatal);
  EXPECT_FALSE(herald.engine().Status().ready);
  ASSERT_TRUE(other.WaitUntilReady());
}

TEST_F(EngineWithThreads, FinishesTheTransactionsOfThreadsThatItNoLongerHas) {
  {
    RunningHerald herald(cluster_, Config(/*threads=*/2));
    ASSERT_TRUE(herald.Start().ok());
    ASSERT_TRUE(herald.WaitUntilReady());
    std::atomic<bool> killed = false;
    herald.clients().SetStepHook([&](std::string_view step) {
      if (step != "producer.commit.flushed") return;
      const auto open = cluster_.OpenTransactions();
      if (std::find(open.begin(), open.end(), "app-a-1") == open.end()) return;
      herald.clients().Kill();
      killed = true;
    });
    for (int i = 0; i < 1000 && !killed; ++i) {
      Follow(100 + i * 10, 10, "1");
      // Once killed it may well fail.
      const base::Status failed = herald.engine().WaitForFailure(kLook);
      ASSERT_TRUE(failed.ok() || killed) << failed.ToString();
    }
    ASSERT_TRUE(killed);
  }
  ASSERT_THAT(cluster_.OpenTransactions(), Not(IsEmpty()));
  RunningHerald herald(cluster_, Config(/*threads=*/1));
  ASSERT_TRUE(herald.Start().ok());
  EXPECT_THAT(cluster_.OpenTransactions(), Not(testing::Contains("app-a-1")));
}

/// Two instances with warm copies of each other's tasks.
class Standbys : public EngineWithThreads {
 protected:
  pipeline::EngineConfig ConfigOf(const std::string& instance) {
    pipeline::EngineConfig config = Config();
    config.instance_id = instance;
    config.state_directory = scratch_.path() / instance;
    config.standby_replicas = 1;
    return config;
  }

  /// What a warm copy in `herald` shows of the inbox; -1 when there is none.
  static int CopyTotal(RunningHerald& herald, const std::string& recipient) {
    const auto [view, lag] = herald.engine().stores().FindStandby(
        kInboxStore, pipeline::PartitionForKey(recipient, kPartitions));
    if (view == nullptr) return -1;
    return static_cast<int>(ReadCounts(view->Store(kInboxStore), recipient).value().total);
  }

  /// Recipients of both partitions, and how many rows each gets.
  static constexpr int kRows = 40;
  const std::vector<std::string> recipients_{"1", "2", "3", "4", "5", "6"};
};

TEST_F(Standbys, ShowWhatTheirOwnersCommittedAndTakeOverWithoutARestore) {
  auto a = std::make_unique<RunningHerald>(cluster_, ConfigOf("a"));
  RunningHerald b(cluster_, ConfigOf("b"));
  ASSERT_TRUE(a->Start().ok());
  ASSERT_TRUE(b.Start().ok());
  ASSERT_TRUE(a->WaitUntilReady());
  ASSERT_TRUE(b.WaitUntilReady());
  ASSERT_TRUE(b.WaitUntil([&] { return cluster_.Shares("app").size() == 2; }));
  for (const std::string& recipient : recipients_) Follow(100, kRows, recipient);
  const auto shows_all = [&](RunningHerald& herald, const std::string& recipient) {
    return herald.InboxTotal(recipient) == kRows || CopyTotal(herald, recipient) == kRows;
  };
  ASSERT_TRUE(b.WaitUntil([&] {
    return std::all_of(recipients_.begin(), recipients_.end(), [&](const std::string& recipient) {
      return shows_all(*a, recipient) && shows_all(b, recipient);
    });
  })) << "each instance has each inbox, or a warm copy of it";
  EXPECT_FALSE(b.engine().Status().standbys.empty());

  // As kill -9: what its threads still do reaches nobody.
  a->clients().Kill();
  const uint64_t read_before = cluster_.RecordsRead("app-inbox-changelog");
  ASSERT_TRUE(cluster_.ExpireMember("app", "a-0"));
  ASSERT_TRUE(b.WaitUntil([&] {
    return std::all_of(recipients_.begin(), recipients_.end(), [&](const std::string& recipient) {
      return b.InboxTotal(recipient) == kRows;
    });
  }));
  EXPECT_EQ(cluster_.RecordsRead("app-inbox-changelog"), read_before)
      << "the copy had read everything already";
  EXPECT_TRUE(b.WaitUntil([&] { return b.engine().Status().standbys.empty(); }));
  a.reset();

  Follow(500, 10, recipients_.front());
  EXPECT_TRUE(b.WaitUntil([&] { return b.InboxTotal(recipients_.front()) == kRows + 10; }));
  b.engine().Stop();
}

}  // namespace
}  // namespace stages
