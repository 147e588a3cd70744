#include "app/heartbeat_probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "pipeline/partitioner.h"
#include "stages/heartbeat.h"
#include "tests/support/memory_task_state.h"

namespace app {
namespace {

using base::Partition;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int32_t kPartitions = 2;
constexpr std::chrono::seconds kPatience{20};

/// Keeps what was sent, by partition, and lets a test wait for more of it.
class SentHeartbeats : public pipeline::AsyncProducer {
 public:
  struct Sent {
    std::string topic;
    std::string key;
    std::string value;
    Delivered delivered;
  };

  void Produce(std::string_view topic, Partition partition, std::optional<std::string_view> key,
               std::optional<std::string_view> value, const pipeline::Headers&,
               Delivered delivered) override {
    const base::MutexLock lock(mutex_);
    sent_[partition].push_back({std::string(topic), std::string(key.value_or("")),
                                std::string(value.value_or("")), std::move(delivered)});
    changed_.NotifyAll();
  }
  base::Status Flush(pipeline::milliseconds) override { return base::Status::Ok(); }

  /// The heartbeat of that index to a partition, once it is there.
  Sent Wait(Partition partition, size_t index) {
    const base::MutexLock lock(mutex_);
    const bool there = changed_.WaitFor(mutex_, kPatience, [&] {
      mutex_.AssertHeld();
      return sent_[partition].size() > index;
    });
    EXPECT_TRUE(there) << "no heartbeat " << index << " to partition " << partition.value;
    return there ? sent_[partition][index] : Sent{};
  }

  size_t Count(Partition partition) {
    const base::MutexLock lock(mutex_);
    return sent_[partition].size();
  }

 private:
  base::Mutex mutex_;
  base::ConditionVariable changed_;
  std::map<Partition, std::vector<Sent>> sent_ GUARDED_BY(mutex_);
};

/// The tasks that a probe looks at, played by hand.
class HeartbeatProbeTest : public ::testing::Test {
 protected:
  HeartbeatProbeTest() {
    for (int32_t p = 0; p < kPartitions; ++p) {
      state::TaskState::Options options;
      options.directory = "task-" + std::to_string(p);
      options.stores = {{.name = std::string(stages::kHeartbeatStore), .changelog = false}};
      auto state = states_.Open(options);
      EXPECT_TRUE(state.ok()) << state.status().ToString();
      tasks_.push_back(std::move(*state));
      stores_.Publish(stages::kHeartbeatStore, Partition{p}, tasks_.back()->MakeReader());
      positions_.Committed(Echoes(Partition{p}), base::Offset{0});
    }
  }

  void Start() {
    HeartbeatProbe::Options options;
    options.heartbeats_topic = "app-heartbeats";
    options.echoes_topic = "app-heartbeat-echoes";
    options.instance = "instance-1";
    options.partitions = kPartitions;
    options.interval = std::chrono::milliseconds(1);
    probe_.emplace(
        std::move(options),
        [this](Partition partition) {
          const base::MutexLock lock(mutex_);
          return elsewhere_.contains(partition);
        },
        producer_, stores_, positions_, base::SystemClock::Instance(), metrics_);
  }

  static base::TopicPartition Echoes(Partition partition) {
    return {"app-heartbeat-echoes", partition};
  }

  /// The task commits the heartbeat with that index.
  void Arrive(Partition partition, size_t index) {
    const auto sent = producer_.Wait(partition, index);
    state::TaskState& task = *tasks_[static_cast<size_t>(partition.value)];
    task.BeginRecord();
    task.Store(stages::kHeartbeatStore).Put(stages::kNewestHeartbeatKey, sent.value);
    const base::Offset next{static_cast<int64_t>(index) + 1};
    ASSERT_TRUE(task.Commit({{Echoes(partition), next}}).ok());
    positions_.Committed(Echoes(partition), next);
  }

  support::MemoryTaskStates states_;
  std::vector<std::unique_ptr<state::TaskState>> tasks_;
  pipeline::StoreRegistry stores_;
  pipeline::PositionWatch positions_;
  base::Metrics metrics_;
  SentHeartbeats producer_;
  base::Mutex mutex_;
  std::set<Partition> elsewhere_ GUARDED_BY(mutex_);
  std::optional<HeartbeatProbe> probe_;
};

TEST_F(HeartbeatProbeTest, SendsToTheTopicOfHeartbeatsWithKeysOfThePartition) {
  Start();
  for (int32_t p = 0; p < kPartitions; ++p) {
    const auto sent = producer_.Wait(Partition{p}, 0);
    EXPECT_EQ(sent.topic, "app-heartbeats");
    EXPECT_EQ(pipeline::PartitionForKey(sent.key, kPartitions), Partition{p});
    const auto heartbeat = pipeline::Serde<stages::Heartbeat>().DecodeText(sent.value);
    ASSERT_TRUE(heartbeat.ok()) << heartbeat.status().ToString();
    EXPECT_EQ(heartbeat->from, "instance-1");
  }
}

TEST_F(HeartbeatProbeTest, CountsAndTimesWhatArrives) {
  Start();
  Arrive(Partition{0}, 0);
  Arrive(Partition{0}, 1);
  producer_.Wait(Partition{0}, 2);
  EXPECT_THAT(metrics_.Serialize(), HasSubstr("herald_heartbeats_arrived_total 2\n"));
  EXPECT_THAT(metrics_.Serialize(), HasSubstr("herald_heartbeat_latency_seconds_count 2\n"));
  EXPECT_THAT(metrics_.Serialize(), HasSubstr("herald_heartbeats_lost_total 0\n"));
  EXPECT_THAT(metrics_.Serialize(),
              HasSubstr("herald_heartbeat_silence_seconds{partition=\"0\"}"));
}

TEST_F(HeartbeatProbeTest, HasOneUnderWayAtATimeInEachPartition) {
  Start();
  for (size_t i = 0; i < 3; ++i) Arrive(Partition{1}, i);
  producer_.Wait(Partition{1}, 3);
  EXPECT_EQ(producer_.Count(Partition{0}), 1U) << "the first has not arrived";
}

TEST_F(HeartbeatProbeTest, DoesNotTakeAnothersHeartbeatForItsOwn) {
  Start();
  const auto sent = producer_.Wait(Partition{0}, 0);
  stages::Heartbeat theirs = *pipeline::Serde<stages::Heartbeat>().DecodeText(sent.value);
  theirs.from = "instance-2";
  std::string row;
  pipeline::Serde<stages::Heartbeat>().Encode(theirs, row);
  tasks_[0]->BeginRecord();
  tasks_[0]->Store(stages::kHeartbeatStore).Put(stages::kNewestHeartbeatKey, row);
  ASSERT_TRUE(tasks_[0]->Commit({{Echoes(Partition{0}), base::Offset{1}}}).ok());
  positions_.Committed(Echoes(Partition{0}), base::Offset{1});
  // Two turns of the other partition later the probe has looked at this one.
  Arrive(Partition{1}, 0);
  Arrive(Partition{1}, 1);
  producer_.Wait(Partition{1}, 2);
  EXPECT_EQ(producer_.Count(Partition{0}), 1U);
}

TEST_F(HeartbeatProbeTest, SendsAnotherForOneThatTheBrokerDidNotTake) {
  Start();
  const auto refused = producer_.Wait(Partition{0}, 0);
  refused.delivered(base::Status::Unavailable("no broker"));
  producer_.Wait(Partition{0}, 1);
  EXPECT_THAT(metrics_.Serialize(), HasSubstr("herald_heartbeats_lost_total 1\n"));
}

TEST_F(HeartbeatProbeTest, GoesOnCountingTheSilenceOfAPartitionThatIsNowhere) {
  Start();
  producer_.Wait(Partition{0}, 0);
  stores_.PublishRestoring(stages::kHeartbeatStore, Partition{0});
  Arrive(Partition{1}, 0);
  Arrive(Partition{1}, 1);
  producer_.Wait(Partition{1}, 2);
  EXPECT_THAT(metrics_.Serialize(),
              HasSubstr("herald_heartbeat_silence_seconds{partition=\"0\"}"));
}

TEST_F(HeartbeatProbeTest, SaysNothingOfAPartitionThatAnotherInstanceHas) {
  Start();
  producer_.Wait(Partition{0}, 0);
  {
    const base::MutexLock lock(mutex_);
    elsewhere_.insert(Partition{0});
  }
  stores_.Unpublish(stages::kHeartbeatStore, Partition{0});
  Arrive(Partition{1}, 0);
  Arrive(Partition{1}, 1);
  producer_.Wait(Partition{1}, 2);
  EXPECT_THAT(metrics_.Serialize(),
              Not(HasSubstr("herald_heartbeat_silence_seconds{partition=\"0\"}")));
}

}  // namespace
}  // namespace app
