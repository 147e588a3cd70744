#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/metrics.h"
#include "pipeline/engine_shared.h"

namespace pipeline {

/// What metrics say of a stream thread. The series are the process's: all threads count into the same.
/// Counters are there with 0 from the start, so that an alert on their growth sees the first one.
///
/// Threads: the stream thread's.
class StreamThreadMetrics {
 public:
  explicit StreamThreadMetrics(const EngineShared& shared);

  base::Counter commits;
  base::Counter aborts;
  base::Counter restarts;
  base::Counter memberships_lost;
  base::Counter assigned;
  base::Counter revoked;
  base::Counter lost;
  base::Histogram commit_seconds;
  base::Histogram transaction_seconds;
  base::Histogram transaction_bytes;
  base::Histogram restore_seconds;
  base::Histogram latency_seconds;

  void Consumed(const std::string& topic, int64_t records);
  void RecordsLost(const std::string& topic, int64_t records);
  base::Counter RepartitionedCounter(const std::string& topic);

  // The hot path: counted here, handed over by HandOver().
  void ProducedTo(uint32_t sink) { ++produced_[sink]; }
  /// To a topic that is no sink.
  void ProducedTo(std::string_view topic, uint64_t records);
  void HandOver();

 private:
  base::Metrics& metrics_;
  std::map<std::string, base::Counter, std::less<>> consumed_;
  std::map<std::string, base::Counter, std::less<>> produced_to_;
  /// By the number of the sink: records since the last HandOver(), and where they go.
  std::vector<uint64_t> produced_;
  std::vector<base::Counter> produced_to_sink_;
};

/// Records refused for `reason`; a product primes those that it has.
base::Counter DeadLetterCounter(base::Metrics& metrics, const std::string& reason);

/// Changelog records that a restore of `store` read.
base::Counter RestoredCounter(base::Metrics& metrics, const std::string& store);

}  // namespace pipeline
