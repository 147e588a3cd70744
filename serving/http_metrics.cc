#include "serving/http_metrics.h"

#include <array>
#include <string>

namespace serving {
namespace {

/// A client may send any word as method; a label takes these only.
std::string_view MethodLabel(std::string_view method) {
  static constexpr std::array<std::string_view, 7> kKnown = {"GET",    "HEAD",  "POST",   "PUT",
                                                             "DELETE", "PATCH", "OPTIONS"};
  for (const std::string_view known : kKnown) {
    if (known == method) return known;
  }
  return "other";
}

}  // namespace

HttpMetrics::HttpMetrics(base::Metrics* metrics) : metrics_(metrics) {
  if (metrics == nullptr) return;
  connections = metrics->AddGauge("herald_http_connections", "Open HTTP connections.");
  connections_refused =
      metrics->AddCounter("herald_http_connections_refused_total",
                          "HTTP connections turned away because there were too many.");
}

void HttpMetrics::Answered(std::string_view route, std::string_view method, int status,
                           std::chrono::nanoseconds duration) {
  if (metrics_ == nullptr) return;
  const double seconds = std::chrono::duration<double>(duration).count();
  const Key key{route, MethodLabel(method), status};
  {
    const base::ReaderLock lock(mutex_);
    const auto requests = requests_.find(key);
    const auto durations = durations_.find(route);
    if (requests != requests_.end() && durations != durations_.end()) {
      requests->second.Increment();
      durations->second.Observe(seconds);
      return;
    }
  }
  const base::WriterLock lock(mutex_);
  auto& counter = requests_[key];
  counter = metrics_->AddCounter("herald_http_requests_total", "HTTP requests answered.",
                                 {{"route", std::string(route)},
                                  {"method", std::string(std::get<1>(key))},
                                  {"status", std::to_string(status)}});
  counter.Increment();
  auto& histogram = durations_[route];
  histogram = metrics_->AddHistogram("herald_http_request_duration_seconds",
                                     "From a request's header read to its response ready.",
                                     base::DurationBuckets(), {{"route", std::string(route)}});
  histogram.Observe(seconds);
}

}  // namespace serving
