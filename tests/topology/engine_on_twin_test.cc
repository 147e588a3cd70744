// What the engine does when the cluster, the group or its own state is not as it left them, with
// the real topology on the in-memory twin.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "pipeline/partitioner.h"
#include "stages/inbox_query.h"
#include "stages/inbox_rows.h"
#include "stages/notification_topology.h"
#include "state/task_state.h"
#include "tests/support/fake_kafka.h"
#include "tests/support/scratch_directory.h"
#include "tests/support/stepped_engine.h"

namespace stages {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr int64_t kNowMs = 1795237200000;
constexpr int kTurnsMax = 3000;
constexpr size_t kMemoryBytes = size_t{4} << 20;
const base::TopicPartition kEvents{"events", base::Partition{0}};
const base::TopicPartition kChangelog{"app-inbox-changelog", base::Partition{0}};

/// One process: its topology, its clients, its engine.
class HeraldOnTwin {
 public:
  HeraldOnTwin(support::FakeCluster& cluster, base::ManualClock& clock, const std::string& instance,
               const std::filesystem::path& directory, pipeline::EngineConfig config = {})
      : topology_(BuildNotificationTopology(Topics(), {})),
        clients_(cluster),
        engine_(topology_, Completed(std::move(config), instance, directory), Specs(), 1, clients_,
                clock) {
    EXPECT_TRUE(engine_.Start().ok());
  }

  void Run(int turns) {
    for (int i = 0; i < turns; ++i) {
      const auto turn = engine_.RunOnce();
      ASSERT_TRUE(turn.ok()) << turn.status().ToString();
    }
  }

  /// False when it does not come to that.
  template <typename Condition>
  bool RunUntil(const Condition& condition) {
    for (int i = 0; i < kTurnsMax && !::testing::Test::HasFatalFailure(); ++i) {
      if (condition()) return true;
      Run(1);
    }
    return condition();
  }

  /// -1 while the inbox cannot be read here.
  int InboxTotal(const std::string& recipient, base::Partition partition = base::Partition{0}) {
    const auto found = engine_.stores().Find(kInboxStore, partition);
    if (found.where != pipeline::StoreLookup::Where::kHere) return -1;
    const auto view = found.reader->Snapshot();
    return static_cast<int>(ReadCounts(view->Store(kInboxStore), recipient).value().total);
  }

  support::SteppedEngine& engine() { return engine_; }
  support::FakeClients& clients() { return clients_; }

 private:
  static pipeline::EngineConfig Completed(pipeline::EngineConfig config,
                                          const std::string& instance,
                                          const std::filesystem::path& directory) {
    config.application_id = "app";
    config.instance_id = instance;
    config.state_directory = directory;
    config.dead_letters_topic = "dead-letters";
    config.block_cache_bytes = kMemoryBytes;
    config.write_buffer_bytes = kMemoryBytes;
    return config;
  }

  static std::vector<pipeline::TopicSpec> Specs() {
    std::vector<pipeline::TopicSpec> specs;
    for (const char* name : {"events", "notifications", "inbox-actions", "dead-letters", "users"}) {
      pipeline::TopicSpec spec;
      spec.name = name;
      spec.cleanup_policy = spec.name == "users" ? "compact" : "delete";
      specs.push_back(std::move(spec));
    }
    return specs;
  }

  const pipeline::Topology topology_;
  support::FakeClients clients_;
  support::SteppedEngine engine_;
};

class EngineOnTwin : public ::testing::Test {
 protected:
  EngineOnTwin() : clock_(kNowMs), cluster_({.seed = 7, .clock = &clock_, .poll_clock = &clock_}) {
    for (const char* topic : {"events", "notifications", "inbox-actions", "dead-letters"}) {
      cluster_.CreateTopic(topic, 1);
    }
    cluster_.CreateTopic("users", 1, {{"cleanup.policy", "compact"}});
  }

  std::unique_ptr<HeraldOnTwin> Start(const std::string& instance, int threads = 1,
                                      bool stay_on_stop = false) {
    pipeline::EngineConfig config = config_;
    config.threads = threads;
    config.stay_on_stop = stay_on_stop;
    return std::make_unique<HeraldOnTwin>(cluster_, clock_, instance, scratch_.path() / instance,
                                          std::move(config));
  }

  void Follow(const std::string& actor, const std::string& target) {
    cluster_.Append("events", base::Partition{0}, std::nullopt,
                    R"({"type":"follow","actor":")" + actor + R"(","target":")" + target + "\"}");
  }

  base::ManualClock clock_;
  support::ScratchDirectory scratch_;
  support::FakeCluster cluster_;
  /// What Start() begins with.
  pipeline::EngineConfig config_;
};

TEST_F(EngineOnTwin, WaitsForRowsWhoseCommitIsDecidedButWhoseMarkerIsLate) {
  auto a = Start("a");
  ASSERT_TRUE(a->RunUntil([&] { return a->engine().Ready(); }));
  Follow("2", "1");
  cluster_.HoldMarkers(true);
  // Until the rows' own transaction is decided: all markers before it arrive.
  ASSERT_TRUE(a->RunUntil([&] {
    if (cluster_.LogEnd(kChangelog).value > 0) return true;
    cluster_.DeliverMarkers();
    return false;
  }));
  ASSERT_EQ(a->InboxTotal("1"), 1);
  a.reset();
  // The new owner learns the committed positions before the changelog shows the rows behind them.
  cluster_.DeliverMarkersToGroups();
  ASSERT_TRUE(cluster_.ExpireMember("app", "a-0"));
  ASSERT_LT(cluster_.LastStableOffset(kChangelog), cluster_.LogEnd(kChangelog));
  auto b = Start("b");
  b->Run(100);
  EXPECT_EQ(b->InboxTotal("1"), -1) << "it must not answer without the row";
  EXPECT_FALSE(b->engine().Ready());
  cluster_.DeliverMarkers();
  ASSERT_TRUE(b->RunUntil([&] { return b->engine().Ready(); }));
  EXPECT_EQ(b->InboxTotal("1"), 1);
}

TEST_F(EngineOnTwin, LetsNoZombieCommit) {
  auto a = Start("a");
  ASSERT_TRUE(a->RunUntil([&] { return a->engine().Ready(); }));
  Follow("2", "1");
  // It stops dead with records of an open transaction on the topic.
  a->clients().SetStepHook([&](std::string_view step) {
    if (step != "producer.send_positions.before") return;
    a->clients().SetStepHook(nullptr);
    ASSERT_TRUE(cluster_.ExpireMember("app", "a-0"));
    auto b = Start("b");
    ASSERT_TRUE(b->RunUntil([&] { return cluster_.CommittedPositions("app").contains(kEvents); }));
    b->engine().Stop();
  });
  ASSERT_TRUE(a->RunUntil([&] { return a->InboxTotal("1") == 1; }));
  EXPECT_THAT(cluster_.CommittedRecords("notifications"), SizeIs(1));
  EXPECT_THAT(cluster_.OpenTransactions(), IsEmpty());
}

TEST_F(EngineOnTwin, JoinsWithAProducerThatNobodyFencedWhileItReadItsTables) {
  auto a = Start("a");
  // As another instance does for a member that stays away for longer than it takes to come back.
  support::FakeClients others(cluster_);
  auto producer = others.NewTransactionalProducer("app-a-0");
  ASSERT_TRUE(producer.ok());
  ASSERT_TRUE((*producer)->InitTransactions(std::chrono::seconds(1)).ok());
  clock_.Advance(std::chrono::seconds(2));
  Follow("2", "1");
  int joins = 0;
  a->clients().SetStepHook([&](std::string_view step) {
    if (step == "consumer.subscribe.before") ++joins;
  });
  ASSERT_TRUE(a->RunUntil([&] { return a->InboxTotal("1") == 1; }));
  EXPECT_EQ(joins, 1);
}

TEST_F(EngineOnTwin, EndsWhenAnotherProcessHasItsInstanceId) {
  auto a = Start("a");
  ASSERT_TRUE(a->RunUntil([&] { return a->engine().Ready(); }));
  HeraldOnTwin other(cluster_, clock_, "a", scratch_.path() / "other");
  ASSERT_TRUE(other.RunUntil([&] { return other.engine().Ready(); }));
  base::Status ended;
  for (int i = 0; i < 10 && ended.ok(); ++i) ended = a->engine().RunOnce().status();
  EXPECT_EQ(ended.code(), base::StatusCode::kInternal);
  EXPECT_THAT(ended.message(), HasSubstr("a-0"));
}

TEST_F(EngineOnTwin, CountsWhatItReadsAndWritesAndCommits) {
  auto a = Start("a");
  std::string text = a->engine().metrics().Serialize();
  for (const char* primed :
       {"herald_commits_total 0", "herald_aborts_total 0", "herald_thread_restarts_total 0",
        "herald_rebalances_total{kind=\"lost\"} 0", "herald_rebalances_total{kind=\"assigned\"} 0",
        "herald_records_consumed_total{topic=\"events\"} 0",
        "herald_records_produced_total{topic=\"notifications\"} 0",
        "herald_records_produced_total{topic=\"app-inbox-changelog\"} 0",
        "herald_records_repartitioned_total{topic=\"inbox-actions\"} 0",
        "herald_restored_records_total{store=\"inbox\"} 0",
        "herald_dead_letters_total{reason=\"wrong-partition\"} 0",
        "herald_restore_duration_seconds_count 0"}) {
    EXPECT_THAT(text, HasSubstr(std::string(primed) + "\n"));
  }
  Follow("2", "1");
  Follow("3", "1");
  cluster_.Append("events", base::Partition{0}, std::nullopt, "not json");
  ASSERT_TRUE(a->RunUntil([&] { return a->InboxTotal("1") == 2; }));
  text = a->engine().metrics().Serialize();
  EXPECT_THAT(text, HasSubstr("herald_rebalances_total{kind=\"assigned\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("herald_records_consumed_total{topic=\"events\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("herald_records_produced_total{topic=\"notifications\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("herald_records_produced_total{topic=\"dead-letters\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("herald_records_failed_total{stage=\"decode-event\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("herald_records_processed_total{stage=\"write-inbox\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("herald_aborts_total 0\n"));
  EXPECT_THAT(text, testing::Not(HasSubstr("herald_commits_total 0\n")));
  EXPECT_THAT(text, testing::Not(HasSubstr("herald_transaction_bytes_sum 0\n")));
  EXPECT_THAT(text, HasSubstr("herald_restore_duration_seconds_count 1\n"));

  // Another one, without its rows, reads them back.
  a->engine().Stop();
  a.reset();
  HeraldOnTwin b(cluster_, clock_, "b", scratch_.path() / "b");
  ASSERT_TRUE(b.RunUntil([&] { return b.InboxTotal("1") == 2; }));
  text = b.engine().metrics().Serialize();
  EXPECT_THAT(text, HasSubstr("herald_restored_records_total{store=\"inbox\"} "));
  EXPECT_THAT(text, testing::Not(HasSubstr("herald_restored_records_total{store=\"inbox\"} 0\n")));
}

TEST_F(EngineOnTwin, CountsRecordsThatWereDeletedBeforeItReadThem) {
  auto a = Start("a");
  Follow("2", "1");
  ASSERT_TRUE(a->RunUntil([&] { return a->InboxTotal("1") == 1; }));
  a.reset();
  for (const char* actor : {"3", "4", "5"}) Follow(actor, "1");
  cluster_.DeleteRecordsBefore(kEvents, base::Offset{3});
  a = Start("a");
  ASSERT_TRUE(a->RunUntil([&] { return a->InboxTotal("1") == 2; }));
  EXPECT_THAT(a->engine().metrics().Serialize(),
              HasSubstr("herald_records_lost_total{topic=\"events\"} 2"));
}

TEST_F(EngineOnTwin, GoesOnWhenRecordsAreDeletedWhileItStandsBeforeThem) {
  auto a = Start("a");
  ASSERT_TRUE(a->RunUntil([&] { return a->engine().Ready(); }));
  for (const char* actor : {"3", "4", "5"}) Follow(actor, "1");
  cluster_.DeleteRecordsBefore(kEvents, base::Offset{2});
  ASSERT_TRUE(a->RunUntil([&] { return a->InboxTotal("1") == 1; }));
  EXPECT_THAT(a->engine().metrics().Serialize(),
              HasSubstr("herald_records_lost_total{topic=\"events\"} 2"));
}

TEST_F(EngineOnTwin, RestoresInFullFromAChangelogThatNoLongerStartsAtItsBeginning) {
  auto a = Start("a");
  Follow("2", "1");
  Follow("3", "1");
  ASSERT_TRUE(a->RunUntil([&] { return a->InboxTotal("1") == 2; }));
  a.reset();
  // Every row again, then the old half is gone.
  a = Start("a");
  Follow("4", "1");
  ASSERT_TRUE(a->RunUntil([&] { return a->InboxTotal("1") == 3; }));
  a.reset();
  std::filesystem::remove_all(scratch_.path() / "a");
  cluster_.DeleteRecordsBefore(kChangelog, base::Offset{1});
  a = Start("a");
  ASSERT_TRUE(a->RunUntil([&] { return a->engine().Ready(); }));
  EXPECT_GE(a->InboxTotal("1"), 2);
}

TEST_F(EngineOnTwin, ThrowsAwayRowsThatAreAheadOfTheChangelog) {
  auto a = Start("a");
  Follow("2", "1");
  ASSERT_TRUE(a->RunUntil([&] { return a->InboxTotal("1") == 1; }));
  a.reset();
  cluster_.RecreateTopic("app-inbox-changelog");
  a = Start("a");
  ASSERT_TRUE(a->RunUntil([&] { return a->engine().Ready(); }));
  EXPECT_EQ(a->InboxTotal("1"), 0);
}

TEST_F(EngineOnTwin, ThrowsAwayUnreadableRowsAlsoWhenAQueryHoldsThemForAWhile) {
  auto a = Start("a");
  Follow("2", "1");
  ASSERT_TRUE(a->RunUntil([&] { return a->InboxTotal("1") == 1; }));
  a->engine().Stop();
  a.reset();
  {
    state::SharedMemory memory(kMemoryBytes, kMemoryBytes);
    auto rows = state::TaskState::Open(
        {scratch_.path() / "a" / "tasks" / "1_0",
         {{std::string(kInboxStore), true}, {std::string(kInboxUnreadStore), false}},
         &memory});
    ASSERT_TRUE(rows.ok()) << rows.status().ToString();
    (*rows)->BeginRecord();
    (*rows)->Store(kInboxStore).Put(InboxKeys("1").Head(), "unreadable");
    ASSERT_TRUE((*rows)->Commit({}).ok());
  }
  a = Start("a");
  ASSERT_TRUE(a->RunUntil([&] { return a->engine().Ready(); }));
  auto query = a->engine().stores().Find(kInboxStore, {0}).reader->Snapshot();
  int joins = 0;
  a->clients().SetStepHook([&](std::string_view step) {
    if (step == "consumer.subscribe.before") ++joins;
  });
  Follow("3", "1");
  a->Run(50);
  EXPECT_FALSE(a->engine().Ready());
  query.reset();
  const base::TopicPartition notifications{"notifications", base::Partition{0}};
  ASSERT_TRUE(a->RunUntil([&] {
    return a->engine().Ready() &&
           cluster_.CommittedPositions("app").at(notifications) == cluster_.LogEnd(notifications);
  }));
  EXPECT_EQ(a->InboxTotal("1"), 2);
  EXPECT_EQ(joins, 1);
}

TEST_F(EngineOnTwin, SharesPartitionsBetweenItsThreads) {
  auto a = Start("a", /*threads=*/2);
  ASSERT_TRUE(
      a->RunUntil([&] { return a->engine().Ready() && cluster_.Shares("app").size() == 2; }));
  Follow("2", "1");
  ASSERT_TRUE(a->RunUntil([&] { return a->InboxTotal("1") == 1; }));
  EXPECT_THAT(cluster_.Shares("app").at("a-0"), SizeIs(3)) << "range gives the first member more";
  EXPECT_THAT(cluster_.Shares("app").at("a-1"), IsEmpty());
}

TEST_F(EngineOnTwin, HandsOverWhenItIsStopped) {
  auto a = Start("a");
  Follow("2", "1");
  ASSERT_TRUE(a->RunUntil([&] { return a->InboxTotal("1") == 1; }));
  a->engine().Stop();
  EXPECT_THAT(cluster_.Shares("app"), IsEmpty());
  auto b = Start("b");
  ASSERT_TRUE(b->RunUntil([&] { return b->engine().Ready(); }));
  EXPECT_EQ(b->InboxTotal("1"), 1);
  Follow("3", "1");
  ASSERT_TRUE(b->RunUntil([&] { return b->InboxTotal("1") == 2; }));
}

TEST_F(EngineOnTwin, KeepsItsShareOverARestartWhenToldToStay) {
  auto a = Start("a", /*threads=*/1, /*stay_on_stop=*/true);
  Follow("2", "1");
  ASSERT_TRUE(a->RunUntil([&] { return a->InboxTotal("1") == 1; }));
  const int64_t generation = cluster_.Generation("app");
  const uint64_t read = cluster_.RecordsRead(kChangelog.topic);
  a->engine().Stop();
  EXPECT_EQ(a->InboxTotal("1"), -1) << "who has stopped answers nothing";
  EXPECT_THAT(cluster_.Shares("app"), SizeIs(1));
  EXPECT_THAT(cluster_.OpenTransactions(), IsEmpty());
  a.reset();
  a = Start("a", /*threads=*/1, /*stay_on_stop=*/true);
  ASSERT_TRUE(a->RunUntil([&] { return a->InboxTotal("1") == 1; }));
  EXPECT_EQ(cluster_.Generation("app"), generation);
  EXPECT_EQ(cluster_.RecordsRead(kChangelog.topic), read) << "nothing is replayed";
}

TEST_F(EngineOnTwin, SaysThatAPartitionIsNotHereOnceItIsAnothersShare) {
  auto a = Start("a", /*threads=*/2);
  ASSERT_TRUE(
      a->RunUntil([&] { return a->engine().Ready() && cluster_.Shares("app").size() == 2; }));
  // The partition goes to the other thread of the process, then to another process.
  const auto where = [&] { return a->engine().stores().Find(kInboxStore, {0}).where; };
  EXPECT_EQ(where(), pipeline::StoreLookup::Where::kHere);
  auto b = Start("A");  // before "a-0", so that range gives it the partition
  ASSERT_TRUE(b->RunUntil([&] {
    a->Run(1);
    return b->engine().Ready() && a->engine().Ready() && b->InboxTotal("1") == 0;
  }));
  EXPECT_EQ(where(), pipeline::StoreLookup::Where::kNotHere);
  b->engine().Stop();
  ASSERT_TRUE(a->RunUntil([&] { return where() == pipeline::StoreLookup::Where::kHere; }));
}

TEST_F(EngineOnTwin, TellsThoseWhoWaitHowFarItHasCommitted) {
  auto a = Start("a");
  ASSERT_TRUE(a->RunUntil([&] { return a->engine().Ready(); }));
  using Outcome = pipeline::PositionWatch::Outcome;
  const base::TopicPartition notifications{"notifications", {0}};
  std::optional<Outcome> first;
  a->engine().positions().Wait(notifications, {0}, [&](Outcome outcome) {
    first = outcome;
    EXPECT_EQ(a->InboxTotal("1"), 1) << "readers see it by then";
  });
  Follow("2", "1");
  ASSERT_TRUE(a->RunUntil([&] { return first.has_value(); }));
  EXPECT_EQ(*first, Outcome::kPassed);
  std::optional<Outcome> second;
  a->engine().positions().Wait(notifications, {100}, [&](Outcome outcome) { second = outcome; });
  EXPECT_FALSE(second.has_value());
  a->engine().Stop();
  EXPECT_EQ(second, Outcome::kMoved);
}

TEST_F(EngineOnTwin, ReplaysNothingAfterItWasStopped) {
  auto a = Start("a");
  Follow("2", "1");
  ASSERT_TRUE(a->RunUntil([&] { return a->InboxTotal("1") == 1; }));
  a->engine().Stop();
  a.reset();
  const uint64_t read = cluster_.RecordsRead(kChangelog.topic);
  a = Start("a");
  ASSERT_TRUE(a->RunUntil([&] { return a->InboxTotal("1") == 1; }));
  EXPECT_EQ(cluster_.RecordsRead(kChangelog.topic), read);
}

TEST_F(EngineOnTwin, ReplaysOneTransactionAfterACrashBetweenCommitAndRows) {
  auto a = Start("a");
  Follow("2", "1");
  ASSERT_TRUE(a->RunUntil([&] { return a->InboxTotal("1") == 1; }));
  Follow("3", "1");
  const base::Offset end = cluster_.LogEnd(kChangelog);
  a->clients().SetStepHook([&](std::string_view step) {
    if (step == "producer.commit.after" && cluster_.LogEnd(kChangelog) > end) throw 1;
  });
  EXPECT_THROW(a->RunUntil([] { return false; }), int);
  a.reset();
  const uint64_t read = cluster_.RecordsRead(kChangelog.topic);
  a = Start("a");
  ASSERT_TRUE(a->RunUntil([&] { return a->engine().Ready(); }));
  EXPECT_EQ(a->InboxTotal("1"), 2);
  // The transaction's records lie between the old end and its marker.
  const int64_t transaction = cluster_.LogEnd(kChangelog).value - end.value - 1;
  EXPECT_EQ(static_cast<int64_t>(cluster_.RecordsRead(kChangelog.topic) - read), transaction);
}

/// Under at_least_once a changelog keeps what a commit had sent before it failed. Another instance
/// that restores has those rows already and writes them no more, so the first one's copy must not
/// pass over them.
TEST_F(EngineOnTwin, LacksNoRowThatAFailedCommitHasLeftInTheChangelog) {
  constexpr int kFollows = 10;
  config_.guarantee = pipeline::Guarantee::kAtLeastOnce;
  config_.poll_records_max = 2;
  // So long that a commit comes when nothing waits, until the clock is moved.
  config_.commit_interval = std::chrono::hours(1);
  cluster_.SetEarlySends(false);
  auto a = Start("a");
  Follow("x", "first");
  ASSERT_TRUE(a->RunUntil([&] { return a->InboxTotal("first") == 1; }));
  const int64_t before = cluster_.LogEnd(kChangelog).value;
  for (int i = 0; i < kFollows; ++i) Follow("x", std::to_string(i));
  const auto inboxes = [&](HeraldOnTwin& herald) {
    int filled = 0;
    for (int i = 0; i < kFollows; ++i) {
      if (herald.InboxTotal(std::to_string(i)) == 1) ++filled;
    }
    return filled;
  };
  // The commit of all ten notifications fails when their rows are in the changelog; the next one is
  // of some of them, and is the last.
  bool failed = false;
  a->clients().SetStepHook([&](std::string_view step) {
    if (step == "producer.flush.after" && !failed && cluster_.LogEnd(kChangelog).value > before) {
      failed = true;
      a->clients().FailNext("consumer.commit_positions", base::Status::Unavailable("ordered"));
    } else if (failed && step == "consumer.poll.before") {
      clock_.Advance(config_.commit_interval);
    }
  });
  ASSERT_TRUE(a->RunUntil([&] { return failed && inboxes(*a) > 0; }));
  ASSERT_GE(cluster_.LogEnd(kChangelog).value - before, 2 * kFollows);
  a->clients().Kill();
  a.reset();
  cluster_.ExpireMember("app", "a-0");
  auto b = Start("b");
  ASSERT_TRUE(b->RunUntil([&] { return inboxes(*b) == kFollows; }));
  ASSERT_TRUE(b->RunUntil([&] {
    const base::Positions committed = cluster_.CommittedPositions("app");
    const base::TopicPartition notifications{"notifications", base::Partition{0}};
    return committed.contains(notifications) &&
           committed.at(notifications) == cluster_.LogEnd(notifications);
  }));
  b->engine().Stop();
  b.reset();
  config_.poll_records_max = 2000;
  a = Start("a");
  ASSERT_TRUE(a->RunUntil([&] { return a->engine().Ready(); }));
  EXPECT_EQ(inboxes(*a), kFollows);
}

/// Records with a key that were put into a partition that is not their key's.
class MisplacedRecords : public ::testing::Test {
 protected:
  static constexpr int32_t kPartitions = 4;

  MisplacedRecords()
      : clock_(kNowMs), cluster_({.seed = 7, .clock = &clock_, .poll_clock = &clock_}) {
    for (const char* topic : {"events", "notifications", "inbox-actions", "dead-letters"}) {
      cluster_.CreateTopic(topic, kPartitions);
    }
    cluster_.CreateTopic("users", 1, {{"cleanup.policy", "compact"}});
    herald_ = std::make_unique<HeraldOnTwin>(cluster_, clock_, "a", scratch_.path() / "a");
    EXPECT_TRUE(herald_->RunUntil([&] { return herald_->engine().Ready(); }));
  }

  /// A notification as Herald writes it.
  std::string NotificationFor(const std::string& recipient) {
    cluster_.Append("events", {0}, std::nullopt,
                    R"({"type":"follow","actor":"2","target":")" + recipient + "\"}");
    EXPECT_TRUE(
        herald_->RunUntil([&] { return cluster_.CommittedRecords("notifications").size() == 1; }));
    return *cluster_.CommittedRecords("notifications").front().value;
  }

  base::ManualClock clock_;
  support::ScratchDirectory scratch_;
  support::FakeCluster cluster_;
  std::unique_ptr<HeraldOnTwin> herald_;
};

TEST_F(MisplacedRecords, AreSentToTheirKeysPartitionOnce) {
  const std::string recipient = "9";
  const base::Partition right = pipeline::PartitionForKey(recipient, kPartitions);
  std::string value = NotificationFor("1");
  // The same for another recipient, as a producer with another partitioner would write it.
  value.replace(value.find(R"("recipient":"1")"), 15, R"("recipient":"9")");
  for (int32_t i = 0; i < kPartitions; ++i) {
    if (base::Partition{i} == right) continue;
    cluster_.Append("notifications", {i}, recipient, value, {{"trace", "t-1"}});
  }
  ASSERT_TRUE(herald_->RunUntil([&] { return herald_->InboxTotal(recipient, right) == 1; }));
  herald_->Run(50);
  EXPECT_EQ(herald_->InboxTotal(recipient, right), 1) << "one identity, one row";
  int sent = 0;
  for (const support::StoredRecord& record : cluster_.CommittedRecords("notifications")) {
    if (record.key != recipient || record.partition != right) continue;
    ++sent;
    EXPECT_EQ(record.value, value);
    EXPECT_THAT(record.headers, testing::Contains(testing::Pair("trace", "t-1")));
    EXPECT_THAT(record.headers, testing::Contains(testing::Key("herald-misplaced")));
  }
  EXPECT_EQ(sent, kPartitions - 1);
  EXPECT_THAT(herald_->engine().metrics().Serialize(),
              HasSubstr("herald_records_repartitioned_total{topic=\"notifications\"} 3"));
  EXPECT_THAT(cluster_.CommittedRecords("dead-letters"), IsEmpty());
}

TEST_F(MisplacedRecords, MeanTheSameHoweverOftenTheyAreSent) {
  const base::Partition right = pipeline::PartitionForKey("9", kPartitions);
  const base::Partition wrong{(right.value + 1) % kPartitions};
  const std::string value = R"({"from":{"id":2,"name":"Bruno"},"to":{"id":9},"message":"Hi"})";
  const int64_t sent_ms = kNowMs - 3'600'000;
  cluster_.Append("notifications", wrong, "9", value, {}, sent_ms);
  ASSERT_TRUE(herald_->RunUntil([&] { return herald_->InboxTotal("9", right) == 1; }));
  // As at_least_once may do after a crash: the copy comes once more.
  for (const support::StoredRecord& record : cluster_.CommittedRecords("notifications")) {
    if (record.partition == right) {
      cluster_.Append("notifications", right, record.key, record.value, record.headers);
    }
  }
  cluster_.Append("notifications", right, "9", value);
  ASSERT_TRUE(herald_->RunUntil([&] { return herald_->InboxTotal("9", right) == 2; }));
  herald_->Run(50);
  EXPECT_EQ(herald_->InboxTotal("9", right), 2);
  const auto view = herald_->engine().stores().Find(kInboxStore, right).reader->Snapshot();
  std::vector<std::string> rows;
  ASSERT_TRUE(VisitOldestFirst(view->Store(kInboxStore), "9", [&](std::string_view json) {
                rows.emplace_back(json);
                return true;
              }).ok());
  EXPECT_THAT(rows.front(), HasSubstr(R"("time":"2026-11-21T04:00:00.000Z")"))
      << "it is not younger for having been sent on";
  EXPECT_THAT(rows.front(), HasSubstr(R"("partition":)" + std::to_string(wrong.value)));
}

TEST_F(MisplacedRecords, BecomeDeadLettersWhenTheyWereSentBefore) {
  const base::Partition right = pipeline::PartitionForKey("9", kPartitions);
  const base::Partition wrong{(right.value + 1) % kPartitions};
  cluster_.Append("notifications", wrong, "9", "{}", {{"herald-misplaced", "0"}});
  ASSERT_TRUE(
      herald_->RunUntil([&] { return cluster_.CommittedRecords("dead-letters").size() == 1; }));
  const auto letter = cluster_.CommittedRecords("dead-letters").front();
  EXPECT_THAT(letter.headers, testing::Contains(testing::Pair(
                                  "reason", testing::Optional(HasSubstr("wrong-partition")))));
}

/// The header of a dead letter that was refused at partition 0, `offset`, an hour ago.
pipeline::Headers ReplayedFrom(int64_t offset) {
  return {{"herald-replayed", "0/" + std::to_string(offset) + "/" +
                                  std::to_string(kNowMs - 3'600'000)}};
}

TEST_F(EngineOnTwin, AReplayedEventIsAsOldAsWhenItWasRefused) {
  auto a = Start("a");
  const auto send = [&](const std::string& type, pipeline::Headers headers) {
    cluster_.Append("events", base::Partition{0}, std::nullopt,
                    R"({"type":")" + type + R"(","actor":"2","target":"1","object":{"id":"p"}})",
                    std::move(headers));
  };
  send("unlike", {});
  send("like", ReplayedFrom(4711));
  Follow("3", "1");
  ASSERT_TRUE(a->RunUntil([&] { return a->InboxTotal("1") == 1; }));
  a->Run(50);
  EXPECT_EQ(a->InboxTotal("1"), 1) << "the like of an hour ago was taken back since";
}

TEST_F(EngineOnTwin, TwoReplaysOfOneDeadLetterAreOneRow) {
  auto a = Start("a");
  const auto send = [&](const std::string& text, pipeline::Headers headers) {
    cluster_.Append("events", base::Partition{0}, std::nullopt,
                    R"({"type":"message","actor":"2","target":"1","text":")" + text + "\"}",
                    std::move(headers));
  };
  send("hi", ReplayedFrom(1));
  send("hi", ReplayedFrom(1));
  const std::string foreign =
      R"({"from":{"id":2,"name":"Bruno"},"to":{"id":1},"message":"kafka-notify"})";
  cluster_.Append("notifications", base::Partition{0}, "1", foreign, ReplayedFrom(1));
  cluster_.Append("notifications", base::Partition{0}, "1", foreign, ReplayedFrom(1));
  send("hi", {});
  ASSERT_TRUE(a->RunUntil([&] { return a->InboxTotal("1") == 3; }));
  a->Run(50);
  EXPECT_EQ(a->InboxTotal("1"), 3) << "two that were replayed twice, and one of its own";
}

TEST_F(EngineOnTwin, ADeadLetterOfAReplayedRecordNamesItsFirstPlace) {
  auto a = Start("a");
  cluster_.Append("events", base::Partition{0}, std::nullopt, "not json", ReplayedFrom(7));
  ASSERT_TRUE(a->RunUntil([&] { return cluster_.CommittedRecords("dead-letters").size() == 1; }));
  const auto letter = cluster_.CommittedRecords("dead-letters").front();
  EXPECT_THAT(letter.headers, testing::Contains(ReplayedFrom(7).front()));
  EXPECT_THAT(letter.headers, testing::Contains(testing::Pair("offset", testing::Optional(
                                                                            std::string("0")))));
}

}  // namespace
}  // namespace stages
