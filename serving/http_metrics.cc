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

base::Counter RequestsCounter(base::Metrics& metrics, std::string_view route,
                              std::string_view method, int status) {
  return metrics.AddCounter("herald_http_requests_total", "HTTP requests answered.",
                            {{"route", std::string(route)},
                             {"method", std::string(method)},
                             {"status", std::to_string(status)}});
}

}  // namespace

HttpMetrics::HttpMetrics(base::Metrics* metrics) : metrics_(metrics) {
  if (metrics == nullptr) return;
  connections = metrics->AddGauge("herald_http_connections", "Open HTTP connections.");
  in_flight = metrics->AddGauge("herald_http_requests_in_flight",
                                "HTTP requests that are being handled and answered.");
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
    if (const auto series = series_.find(key); series != series_.end()) {
      series->second.requests.Increment();
      series->second.duration.Observe(seconds);
      return;
    }
  }
  const base::WriterLock lock(mutex_);
  Series& series = series_[key];
  series = MakeSeries(key);
  series.requests.Increment();
  series.duration.Observe(seconds);
}

HttpMetrics::Series HttpMetrics::MakeSeries(const Key& key) {
  const auto& [route, method, status] = key;
  return {RequestsCounter(*metrics_, route, method, status),
          metrics_->AddHistogram(
              "herald_http_request_duration_seconds",
              "From a request's header read to its response ready.", base::DurationBuckets(),
              {{"route", std::string(route)},
               {"method", std::string(method)},
               // A refusal at once would make what was served look fast.
               {"status_class", std::to_string(status / 100) + "xx"}})};
}

void PrimeFailures(base::Metrics& metrics, std::string_view route, std::string_view method) {
  for (const int status : {500, 503}) RequestsCounter(metrics, route, method, status);
}

}  // namespace serving
