#pragma once

#include <chrono>
#include <map>
#include <string_view>
#include <tuple>

#include "base/metrics.h"
#include "base/mutex.h"

namespace serving {

/// The server's own figures. Threads: any.
class HttpMetrics {
 public:
  /// `metrics` may be nullptr: then it counts nowhere.
  explicit HttpMetrics(base::Metrics* metrics);

  /// Counts an answered request. `route` is a pattern that lives as long as this object.
  void Answered(std::string_view route, std::string_view method, int status,
                std::chrono::nanoseconds duration);

  base::Gauge connections;
  /// Handed to a handler, and the answer not written yet.
  base::Gauge in_flight;
  /// Turned away because there are too many.
  base::Counter connections_refused;

 private:
  using Key = std::tuple<std::string_view, std::string_view, int>;
  struct Series {
    base::Counter requests;
    base::Histogram duration;
  };
  Series MakeSeries(const Key& key);

  base::Metrics* const metrics_;
  base::SharedMutex mutex_;
  std::map<Key, Series> series_ GUARDED_BY(mutex_);
};

/// Makes the counters of a route's failures, so that a rate sees the first one.
void PrimeFailures(base::Metrics& metrics, std::string_view route, std::string_view method);

}  // namespace serving
