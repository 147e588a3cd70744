#include "tests/support/topology_test_driver.h"

#include <set>
#include <utility>

#include "base/check.h"
#include "pipeline/partitioner.h"

namespace support {
namespace {

/// A record that needs more turns than this to get through is stuck.
constexpr int kTurnsMax = 10000;
constexpr size_t kMemoryBytes = size_t{8} << 20;

}  // namespace

TopologyTestDriver::TopologyTestDriver(const BuildTopology& build, const Options& options)
    : build_(build),
      options_(options),
      clock_(options.now_ms),
      cluster_({.seed = 1, .clock = &clock_, .poll_clock = nullptr}) {
  Start();
}

void TopologyTestDriver::Start() {
  topology_ = std::make_unique<pipeline::Topology>(build_());
  std::vector<pipeline::TopicSpec> topics;
  std::set<std::string> compacted;
  for (const auto& table : topology_->global_tables()) compacted.insert(table->topic());
  std::set<std::string> names(compacted);
  names.insert(options_.dead_letters_topic);
  for (const std::string& topic : topology_->SourceTopics()) names.insert(topic);
  for (const std::string& topic : topology_->sink_topics()) names.insert(topic);
  for (const std::string& name : names) {
    pipeline::TopicSpec topic;
    topic.name = name;
    topic.cleanup_policy = compacted.contains(name) ? "compact" : "delete";
    if (const auto count = options_.partitions.find(name); count != options_.partitions.end()) {
      topic.partitions = count->second;
    }
    if (const auto config = options_.topic_config.find(name);
        config != options_.topic_config.end()) {
      topic.config = config->second;
    }
    topics.push_back(std::move(topic));
  }
  pipeline::EngineConfig config;
  config.application_id = "driver";
  config.instance_id = "test";
  config.state_directory = scratch_.path();
  config.guarantee = options_.guarantee;
  config.dead_letters_topic = options_.dead_letters_topic;
  // Time stands still, so every turn is one in which a commit is due.
  config.commit_interval = std::chrono::milliseconds(0);
  config.block_cache_bytes = kMemoryBytes;
  config.write_buffer_bytes = kMemoryBytes;
  clients_ = std::make_unique<FakeClients>(cluster_);
  engine_ = std::make_unique<SteppedEngine>(*topology_, config, topics, options_.default_partitions,
                                            *clients_, clock_);
  const base::Status started = engine_->Start();
  CHECK(started.ok(), started.ToString());
  RunUntilDrained();
}

void TopologyTestDriver::Crash() {
  engine_.reset();
  topology_.reset();
  clients_.reset();
}

void TopologyTestDriver::Restart() {
  Crash();
  Start();
}

void TopologyTestDriver::RestartWithoutState() {
  Crash();
  for (const auto& entry : std::filesystem::directory_iterator(scratch_.path())) {
    std::filesystem::remove_all(entry.path());
  }
  Start();
}

base::Offset TopologyTestDriver::Append(const std::string& topic, const Input& input) {
  base::Partition partition;
  if (input.partition.has_value()) {
    partition = *input.partition;
  } else if (input.key.has_value()) {
    partition = pipeline::PartitionForKey(*input.key, engine_->PartitionCount(topic));
  }
  return cluster_.Append(topic, partition, input.key, input.value, input.headers,
                         input.timestamp_ms);
}

base::Offset TopologyTestDriver::PipeInput(const std::string& topic, const Input& input) {
  const base::Offset offset = Append(topic, input);
  RunUntilDrained();
  return offset;
}

void TopologyTestDriver::PipeInputs(const std::string& topic, const std::vector<Input>& inputs) {
  for (const Input& input : inputs) Append(topic, input);
  RunUntilDrained();
}

std::vector<StoredRecord> TopologyTestDriver::ReadOutput(const std::string& topic) {
  auto& read = read_[topic];
  std::vector<StoredRecord> fresh;
  for (StoredRecord& record : cluster_.CommittedRecords(topic)) {
    if (record.offset < read[record.partition]) continue;
    read[record.partition] = base::Offset{record.offset.value + 1};
    fresh.push_back(std::move(record));
  }
  return fresh;
}

void TopologyTestDriver::AdvanceClock(std::chrono::milliseconds by) {
  clock_.Advance(by);
  RunUntilDrained();
}

bool TopologyTestDriver::Drained() const {
  if (!engine_->Ready()) return false;
  const base::Positions committed = cluster_.CommittedPositions("driver");
  for (const std::string& topic : topology_->SourceTopics()) {
    for (int32_t i = 0; i < engine_->PartitionCount(topic); ++i) {
      const base::TopicPartition tp{topic, base::Partition{i}};
      const auto position = committed.find(tp);
      const base::Offset start = cluster_.LogStart(tp);
      if ((position == committed.end() ? start : position->second) < cluster_.LogEnd(tp)) {
        return false;
      }
    }
  }
  return true;
}

void TopologyTestDriver::RunUntilDrained() {
  // At least one turn, in which global tables are read and stages may punctuate.
  int turns = 0;
  do {
    CHECK(++turns < kTurnsMax, "the topology does not come to rest");
    auto turn = engine_->RunOnce();
    CHECK(turn.ok(), turn.status().ToString());
  } while (!Drained());
}

std::map<std::string, std::string> TopologyTestDriver::Rows(std::string_view store) {
  std::map<std::string, std::string> rows;
  for (const pipeline::StoreDescription& description : topology_->stores()) {
    if (description.name != store) continue;
    const std::string topic = topology_->SourceTopics(description.subtopology).front();
    for (int32_t i = 0; i < engine_->PartitionCount(topic); ++i) {
      const auto found = engine_->stores().Find(store, base::Partition{i});
      CHECK(found.reader != nullptr, "no reader of the store");
      const auto view = found.reader->Snapshot();
      const base::Status scanned =
          view->Store(store).Scan("", "", [&](std::string_view key, std::string_view value) {
            rows.emplace(key, value);
            return true;
          });
      CHECK(scanned.ok(), scanned.ToString());
    }
  }
  return rows;
}

std::unique_ptr<state::TaskReader::View> TopologyTestDriver::ViewOf(std::string_view store,
                                                                    std::string_view key) {
  for (const pipeline::StoreDescription& description : topology_->stores()) {
    if (description.name != store) continue;
    const std::string topic = topology_->SourceTopics(description.subtopology).front();
    const auto found = engine_->stores().Find(
        store, pipeline::PartitionForKey(key, engine_->PartitionCount(topic)));
    CHECK(found.reader != nullptr, "no reader of the store");
    return found.reader->Snapshot();
  }
  CHECK(false, "no such store");
}

}  // namespace support
