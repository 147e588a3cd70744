#pragma once

#include <cstdint>
#include <initializer_list>
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

/// The process's metrics, in Prometheus text format at /metrics.
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

  /// The exposition text, format version 0.0.4.
  std::string Serialize() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Upper bounds in seconds from 0.5 ms to 30 s, for durations and latencies.
const std::vector<double>& DurationBuckets();

/// The version of this build, e.g. "0.1.0".
std::string_view BuildVersion();

}  // namespace base
