#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/status.h"
#include "pipeline/engine_config.h"
#include "pipeline/topic_setup.h"
#include "pipeline/topology.h"
#include "state/key_value_store.h"
#include "tests/support/fake_kafka.h"
#include "tests/support/scratch_directory.h"
#include "tests/support/stepped_engine.h"

namespace support {

/// Runs a topology synchronously: a record goes in, and when PipeInput() returns it has been
/// through the whole graph, its outputs are committed and its rows can be read. Underneath are the
/// engine's own parts, real databases and the in-memory twin of Kafka; time stands still unless it
/// is moved.
///
/// Threads: one.
class TopologyTestDriver {
 public:
  struct Options {
    /// Of every topic that is not in `partitions`.
    int32_t default_partitions = 2;
    std::map<std::string, int32_t> partitions = {};
    /// Settings of topics, e.g. max.message.bytes.
    std::map<std::string, std::map<std::string, std::string>> topic_config = {};
    std::string dead_letters_topic = "dead-letters";
    pipeline::Guarantee guarantee = pipeline::Guarantee::kExactlyOnce;
    int64_t now_ms = 1795237200000;  ///< 2026-11-21T05:00:00Z
  };

  /// Makes the topology anew for each process: it holds what a process has in memory.
  using BuildTopology = std::function<pipeline::Topology()>;

  explicit TopologyTestDriver(const BuildTopology& build) : TopologyTestDriver(build, Options()) {}
  TopologyTestDriver(const BuildTopology& build, const Options& options);

  struct Input {
    std::optional<std::string> key;
    std::optional<std::string> value;
    /// The clock's when absent.
    std::optional<int64_t> timestamp_ms = {};
    pipeline::Headers headers = {};
    /// By the key's hash when absent; 0 without a key.
    std::optional<base::Partition> partition = {};
  };
  /// Returns the record's offset.
  base::Offset PipeInput(const std::string& topic, const Input& input);
  base::Offset PipeInput(const std::string& topic, std::optional<std::string> key,
                         std::optional<std::string> value) {
    Input input;
    input.key = std::move(key);
    input.value = std::move(value);
    return PipeInput(topic, input);
  }
  /// Several records that are there before the first is processed.
  void PipeInputs(const std::string& topic, const std::vector<Input>& inputs);

  /// The committed records of a topic that were not read before, by partition.
  std::vector<StoredRecord> ReadOutput(const std::string& topic);

  /// Moves the clock, so that stages punctuate when it is time, and runs what comes of it.
  void AdvanceClock(std::chrono::milliseconds by);

  /// Crashes the process and starts it on the same state directory.
  void Restart();
  /// The same with an empty state directory.
  void RestartWithoutState();

  /// All committed rows of a store, over all partitions.
  std::map<std::string, std::string> Rows(std::string_view store);
  /// What other threads read of the partition that has this key.
  /// REQUIRES: the topology has the store.
  std::unique_ptr<state::TaskReader::View> ViewOf(std::string_view store, std::string_view key);

  FakeCluster& cluster() { return cluster_; }
  FakeClients& clients() { return *clients_; }
  SteppedEngine& engine() { return *engine_; }
  base::ManualClock& clock() { return clock_; }

 private:
  void Start();
  void Crash();
  base::Offset Append(const std::string& topic, const Input& input);
  void RunUntilDrained();
  bool Drained() const;

  const BuildTopology build_;
  const Options options_;
  base::ManualClock clock_;
  ScratchDirectory scratch_;
  FakeCluster cluster_;
  std::unique_ptr<FakeClients> clients_;
  std::unique_ptr<pipeline::Topology> topology_;
  std::unique_ptr<SteppedEngine> engine_;
  std::map<std::string, std::map<base::Partition, base::Offset>> read_;
};

}  // namespace support
