#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/metrics.h"
#include "pipeline/kafka_client.h"
#include "pipeline/position_watch.h"
#include "pipeline/store_registry.h"

namespace app {

/// Sends a heartbeat through the whole way for each partition that this instance has, again and again,
/// and measures when it can be read.
///
/// One heartbeat a partition is under way at a time, so a way that is stuck gets no heap of them; one
/// that has not arrived for kGiveUpIntervals (and kGiveUpMin) is given up and another sent. What is
/// seen from outside:
///
///   herald_heartbeat_latency_seconds            sent until readable
///   herald_heartbeat_silence_seconds{partition} since the last one arrived (or the partition came here)
///   herald_heartbeats_sent_total, …_arrived_total, …_lost_total
///
/// The silence of a partition goes on growing while it is stuck here; it ends when another instance
/// has the partition.
///
/// Threads: one of its own; made and destroyed by one. What it borrows outlives it.
class HeartbeatProbe {
 public:
  struct Options {
    std::string heartbeats_topic;
    std::string echoes_topic;
    /// This instance's id.
    std::string instance;
    /// Of each of the two topics.
    int32_t partitions = 0;
    std::chrono::milliseconds interval{1000};
  };
  /// Another instance is known to have the partition.
  using ElsewhereFunction = std::function<bool(base::Partition)>;

  static constexpr int kGiveUpIntervals = 10;
  static constexpr std::chrono::seconds kGiveUpMin{10};

  HeartbeatProbe(Options options, ElsewhereFunction elsewhere, pipeline::AsyncProducer& producer,
                 const pipeline::StoreRegistry& stores, pipeline::PositionWatch& positions,
                 const base::Clock& clock, base::Metrics& metrics);
  /// Ends its thread.
  ~HeartbeatProbe();

 private:
  /// What callbacks reach; they may outlive the probe.
  struct Shared;
  struct UnderWay {
    int64_t number = 0;
    std::chrono::nanoseconds sent_at{0};
    /// Its arrival wakes the thread, so that the time is exact.
    bool timed = true;
  };
  struct Watched {
    /// A key that belongs to the partition.
    std::string key;
    /// This instance has it, or had it last.
    bool here = false;
    std::optional<UnderWay> under_way;
    std::chrono::nanoseconds last_arrival{0};
    base::Gauge silence;
    /// In the position watch; 0: none.
    uint64_t wait = 0;
  };

  void Run(const std::stop_token& stop);
  void Beat(base::Partition partition);
  void Send(base::Partition partition, Watched& watched);
  /// Looks whether what is under way has arrived, else asks to be woken when more has.
  void Look(base::Partition partition);
  bool Arrived(base::Partition partition, int64_t number) const;
  void Leave(base::Partition partition, Watched& watched);
  void ShowSilence();

  const Options options_;
  const ElsewhereFunction elsewhere_;
  pipeline::AsyncProducer& producer_;
  const pipeline::StoreRegistry& stores_;
  pipeline::PositionWatch& positions_;
  const base::Clock& clock_;
  base::Metrics& metrics_;
  const base::Histogram latency_;
  const base::Counter sent_;
  const base::Counter arrived_;
  const base::Counter lost_;
  const std::shared_ptr<Shared> shared_;
  // Of the thread.
  int64_t last_number_;
  std::vector<Watched> watched_;
  // Last, so that it ends before what it uses.
  std::jthread thread_;
};

}  // namespace app
