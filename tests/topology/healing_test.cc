// How the engine lives with stages that throw and processes that stand still, on the in-memory
// twin.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "pipeline/engine.h"
#include "pipeline/pulse.h"
#include "pipeline/store_registry.h"
#include "tests/support/fake_kafka.h"
#include "tests/support/scratch_directory.h"

namespace {

struct Word {
  std::string text;
};

}  // namespace

template <>
struct pipeline::Serde<Word> {
  base::Result<Word> Decode(const RawRecord& record) {
    return Word{std::string(record.value.value_or(""))};
  }
  void Encode(const Word& word, std::string& value) { value += word.text; }
};

namespace pipeline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

constexpr size_t kMemoryBytes = size_t{4} << 20;
constexpr std::chrono::seconds kPatience{60};
constexpr std::chrono::milliseconds kLook{5};

/// Throws at the word "poison", and as long as `always`, at every word.
class ThrowAtPoison : public Processor<Word, Word> {
 public:
  ThrowAtPoison(std::atomic<int>* throws, const std::atomic<bool>* always)
      : throws_(*throws), always_(*always) {}
  base::Status Process(Record<Word> record, Context<Word>& context) override {
    if (always_ || record.value.text == "poison") {
      ++throws_;
      throw std::runtime_error("cannot stomach it");
    }
    return context.Forward(std::move(record));
  }

 private:
  std::atomic<int>& throws_;
  const std::atomic<bool>& always_;
};

class Healing : public ::testing::Test {
 protected:
  Healing() : cluster_({.seed = 1, .clock = &base::SystemClock::Instance()}) {
    cluster_.CreateTopic("words", 1);
    TopologyBuilder builder;
    builder.Source<Word>("decode-word", "words")
        .Process<ThrowAtPoison>("throw-at-poison", &throws_, &always_)
        .Sink("out", "out");
    topology_.emplace(builder.Build());
  }

  struct Process {
    Process(Healing& test, const std::string& instance, int failures_max)
        : clients(test.cluster_),
          engine(*test.topology_, test.Config(instance, failures_max), Specs(), 1, clients,
                 base::SystemClock::Instance(), metrics) {}
    base::Metrics metrics;
    support::FakeClients clients;
    Engine engine;
  };

  EngineConfig Config(const std::string& instance, int failures_max) {
    EngineConfig config;
    config.application_id = "app";
    config.instance_id = instance;
    config.state_directory = scratch_.path() / instance;
    config.dead_letters_topic = "dead-letters";
    config.commit_interval = std::chrono::milliseconds(5);
    config.replace_wait = std::chrono::milliseconds(1);
    config.replace_wait_max = std::chrono::milliseconds(2);
    config.thread_failures_max = failures_max;
    config.block_cache_bytes = kMemoryBytes;
    config.write_buffer_bytes = kMemoryBytes;
    return config;
  }

  static std::vector<TopicSpec> Specs() {
    std::vector<TopicSpec> specs(3);
    specs[0].name = "words";
    specs[1].name = "out";
    specs[2].name = "dead-letters";
    for (TopicSpec& spec : specs) spec.cleanup_policy = "delete";
    return specs;
  }

  void Say(const std::vector<std::string>& words) {
    for (const std::string& word : words) {
      cluster_.Append("words", base::Partition{0}, "key", word);
    }
  }

  std::vector<std::string> Values(const std::string& topic) const {
    std::vector<std::string> values;
    for (const auto& record : cluster_.CommittedRecords(topic)) values.push_back(*record.value);
    return values;
  }

  /// The engine's failure, if there was one before the condition held.
  template <typename Condition>
  static base::Status RunUntil(Process& process, const Condition& condition) {
    const auto deadline = base::SystemClock::Instance().Monotonic() + kPatience;
    while (base::SystemClock::Instance().Monotonic() < deadline) {
      if (condition()) return base::Status::Ok();
      RETURN_IF_ERROR(process.engine.WaitForFailure(kLook));
    }
    return base::Status::Unavailable("it did not come to that");
  }

  support::ScratchDirectory scratch_;
  support::FakeCluster cluster_;
  std::atomic<int> throws_ = 0;
  std::atomic<bool> always_ = false;
  std::atomic<bool> interrupted_ = false;
  std::optional<Topology> topology_;
};

TEST_F(Healing, ARecordThatCrashesItsStageBecomesADeadLetterAtTheThirdTime) {
  Say({"one", "poison", "two"});
  Process process(*this, "a", 100);
  ASSERT_TRUE(process.engine.Start(interrupted_).ok());
  const base::Status ran = RunUntil(process, [&] { return Values("out").size() == 2; });
  ASSERT_TRUE(ran.ok()) << ran.ToString();
  process.engine.Stop();
  EXPECT_EQ(throws_, 3);
  EXPECT_THAT(Values("out"), ElementsAre("one", "two"));
  EXPECT_THAT(Values("dead-letters"), ElementsAre("poison"));
  std::map<std::string, std::string> headers;
  const auto letters = cluster_.CommittedRecords("dead-letters");
  for (const auto& [name, value] : letters.front().headers) {
    headers[name] = value.value_or("");
  }
  EXPECT_THAT(headers.at("reason"), HasSubstr("crashed_stage"));
  EXPECT_EQ(headers.at("topic"), "words");
  EXPECT_EQ(headers.at("offset"), "1");
}

TEST_F(Healing, CrashesOfOtherInstancesCountToo) {
  Say({"one", "poison", "two"});
  {
    Process first(*this, "a", /*failures_max=*/2);
    ASSERT_TRUE(first.engine.Start(interrupted_).ok());
    const base::Status failed = RunUntil(first, [] { return false; });
    EXPECT_EQ(failed.code(), base::StatusCode::kFatal);
    EXPECT_THAT(failed.message(), HasSubstr("cannot stomach it"));
    first.engine.Stop();
  }
  ASSERT_EQ(throws_, 2);
  // Its last crash is told when it starts again; the other one learns of all of them.
  always_ = false;
  {
    Process again(*this, "a", 100);
    ASSERT_TRUE(again.engine.Start(interrupted_).ok());
    const base::Status ran = RunUntil(again, [&] { return throws_ == 3; });
    ASSERT_TRUE(ran.ok()) << ran.ToString();
    const base::Status through = RunUntil(again, [&] { return Values("out").size() == 2; });
    ASSERT_TRUE(through.ok()) << through.ToString();
    again.engine.Stop();
  }
  EXPECT_EQ(throws_, 3);
  EXPECT_THAT(Values("dead-letters"), ElementsAre("poison"));
  Say({"three"});
  Process second(*this, "b", 100);
  ASSERT_TRUE(second.engine.Start(interrupted_).ok());
  const base::Status ran = RunUntil(second, [&] { return Values("out").size() == 3; });
  ASSERT_TRUE(ran.ok()) << ran.ToString();
  second.engine.Stop();
  EXPECT_THAT(Values("out"), UnorderedElementsAre("one", "two", "three"));
  EXPECT_EQ(throws_, 3);
}

TEST_F(Healing, AThreadThatFailsOnAndOnEndsTheEngine) {
  always_ = true;
  // Another record each time: a single one would become a dead letter.
  Say({"a", "b", "c", "d", "e", "f"});
  Process process(*this, "a", /*failures_max=*/4);
  ASSERT_TRUE(process.engine.Start(interrupted_).ok());
  const base::Status failed = RunUntil(process, [] { return false; });
  EXPECT_EQ(failed.code(), base::StatusCode::kFatal);
  EXPECT_THAT(failed.message(), HasSubstr("4 times in a row"));
  EXPECT_FALSE(process.engine.Status().ready);
  EXPECT_EQ(throws_, 4);
}

TEST_F(Healing, AThreadThatIsHealedGoesOnWhereItWas) {
  always_ = true;
  Say({"a", "b"});
  Process process(*this, "a", /*failures_max=*/1000);
  ASSERT_TRUE(process.engine.Start(interrupted_).ok());
  ASSERT_TRUE(RunUntil(process, [&] { return throws_ >= 1; }).ok());
  always_ = false;
  const base::Status ran =
      RunUntil(process, [&] { return Values("out").size() + Values("dead-letters").size() == 2; });
  ASSERT_TRUE(ran.ok()) << ran.ToString();
  process.engine.Stop();
}

/// Its first try to make a producer comes to nothing.
class OutOfMemoryOnce : public support::FakeClients {
 public:
  using FakeClients::FakeClients;
  base::Result<std::unique_ptr<Producer>> NewTransactionalProducer(
      const std::string& transactional_id) override {
    if (!thrown_.exchange(true)) throw std::bad_alloc();
    return FakeClients::NewTransactionalProducer(transactional_id);
  }

 private:
  std::atomic<bool> thrown_ = false;
};

TEST_F(Healing, AnExceptionBeforeItJoinsEndsNothing) {
  base::Metrics metrics;
  OutOfMemoryOnce clients(cluster_);
  Engine engine(*topology_, Config("a", /*failures_max=*/2), Specs(), 1, clients,
                base::SystemClock::Instance(), metrics);
  ASSERT_TRUE(engine.Start(interrupted_).ok());
  Say({"a"});
  const auto deadline = base::SystemClock::Instance().Monotonic() + kPatience;
  while (Values("out").empty() && base::SystemClock::Instance().Monotonic() < deadline) {
    ASSERT_TRUE(engine.WaitForFailure(kLook).ok());
  }
  EXPECT_THAT(Values("out"), ElementsAre("a"));
}

TEST(Standstill, WithdrawsWhatOthersMayHaveByNow) {
  base::ManualClock clock(1795237200000);
  Pulse pulse(clock, std::chrono::seconds(10));
  StoreRegistry stores;
  stores.Watch(pulse, clock, std::chrono::seconds(300));
  stores.TurnBegins(0);
  stores.Publish("inbox", base::Partition{0}, nullptr, 0);
  const auto where = [&] { return stores.Find("inbox", base::Partition{0}).where; };
  clock.Advance(std::chrono::seconds(9));
  EXPECT_EQ(where(), StoreLookup::Where::kHere);
  clock.Advance(std::chrono::seconds(2));
  EXPECT_EQ(where(), StoreLookup::Where::kRestoring) << "before anybody has beaten it";
  int told = 0;
  pulse.Beat([&] {
    ++told;
    stores.WithdrawAll();
  });
  EXPECT_EQ(told, 1);
  EXPECT_EQ(pulse.standstills(), 1U);
  EXPECT_EQ(where(), StoreLookup::Where::kRestoring) << "until its thread publishes it again";
  stores.Publish("inbox", base::Partition{0}, nullptr, 0);
  EXPECT_EQ(where(), StoreLookup::Where::kHere);
}

TEST(Standstill, OfOneThreadWithdrawsWhatThatThreadHas) {
  base::ManualClock clock(1795237200000);
  Pulse pulse(clock, std::chrono::hours(24));
  StoreRegistry stores;
  stores.Watch(pulse, clock, std::chrono::seconds(300));
  clock.Advance(std::chrono::seconds(1));
  stores.TurnBegins(0);
  stores.TurnBegins(1);
  stores.Publish("inbox", base::Partition{0}, nullptr, 0);
  stores.Publish("inbox", base::Partition{1}, nullptr, 1);
  clock.Advance(std::chrono::seconds(301));
  stores.TurnBegins(1);
  EXPECT_EQ(stores.Find("inbox", base::Partition{0}).where, StoreLookup::Where::kRestoring);
  EXPECT_EQ(stores.Find("inbox", base::Partition{1}).where, StoreLookup::Where::kHere);
}

}  // namespace
}  // namespace pipeline
