#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
}  // namespace prometheus

namespace base {

/// Label names and values of one time series. Never a user id.
using Labels = std::vector<std::pair<std::string, std::string>>;

/// A handle to one series, cheap to copy, valid as long as its Metrics. A default-made one counts
/// nowhere, so that a part can be tested without a registry. Threads: any.
class Counter {
 public:
  Counter() = default;
  explicit Counter(prometheus::Counter* counter) : counter_(counter) {}
  void Increment(double by = 1) const;

 private:
  prometheus::Counter* counter_ = nullptr;
};

class Gauge {
 public:
  Gauge() = default;
  explicit Gauge(prometheus::Gauge* gauge) : gauge_(gauge) {}
  void Set(double value) const;
  void Add(double by) const;

 private:
  prometheus::Gauge* gauge_ = nullptr;
};

class Histogram {
 public:
  Histogram() = default;
  explicit Histogram(prometheus::Histogram* histogram) : histogram_(histogram) {}
  void Observe(double value) const;

 private:
  prometheus::Histogram* histogram_ = nullptr;
};

/// The process's metrics, in Prometheus text format at /metrics. docs/metrics.md lists all of them.
///
/// Asking twice for the same name and labels gives the same series. Names start with `herald_` and
/// end in their unit. Threads: any.
class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  Counter AddCounter(const std::string& name, const std::string& help, const Labels& labels = {});
  Gauge AddGauge(const std::string& name, const std::string& help, const Labels& labels = {});
  /// Buckets are upper bounds, ascending, in the metric's unit.
  Histogram AddHistogram(const std::string& name, const std::string& help,
                         const std::vector<double>& buckets, const Labels& labels = {});

  /// Drops a gauge's series, e.g. the lag of a partition that moved away.
  /// REQUIRES: no handle to it is used afterwards.
  void RemoveGauge(const std::string& name, const Labels& labels);

  /// Calls `update` at the beginning of each Serialize(), for what costs little to read and changes
  /// all the time. Never twice at once; from whatever thread serializes.
  /// REQUIRES: all that `update` uses outlives this; it does not call Serialize().
  void UpdateBeforeSerialize(std::function<void()> update);

  /// The exposition text, format version 0.0.4.
  std::string Serialize() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The gauges of one name where things come and go, e.g. the lag of each partition that is here:
/// what was not set in a round is gone after it. Threads: one.
class ChangingGauges {
 public:
  ChangingGauges(Metrics& metrics, std::string name, std::string help)
      : metrics_(metrics), name_(std::move(name)), help_(std::move(help)) {}

  void Set(const Labels& labels, double value);
  /// Drops the series that were not set since the last call.
  void EndRound();

 private:
  struct Series {
    Gauge gauge;
    bool set = true;
  };
  Metrics& metrics_;
  const std::string name_;
  const std::string help_;
  std::map<Labels, Series> series_;
};

/// Makes a counter out of a figure that somebody else counts. Threads: one.
class FollowedCounter {
 public:
  FollowedCounter() = default;
  explicit FollowedCounter(Counter counter) : counter_(counter) {}

  /// The figure stands at `total` now. One that is lower than before has begun anew.
  void Follow(double total);

 private:
  Counter counter_;
  double last_ = 0;
};

/// Upper bounds in seconds from 0.5 ms to 30 s, for durations of requests and commits.
const std::vector<double>& DurationBuckets();
/// From 1 ms to 5 minutes, for what may have to wait: latencies, restores.
const std::vector<double>& LatencyBuckets();

/// The version of this build, e.g. "0.1.0".
std::string_view BuildVersion();

}  // namespace base
