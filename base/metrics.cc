#include "base/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <map>
#include <utility>

#include "base/check.h"
#include "base/mutex.h"

namespace base {
namespace {

std::map<std::string, std::string> ToMap(const Labels& labels) {
  return {labels.begin(), labels.end()};
}

}  // namespace

void Counter::Increment(double by) const {
  if (counter_ != nullptr) counter_->Increment(by);
}
void Gauge::Set(double value) const {
  if (gauge_ != nullptr) gauge_->Set(value);
}
void Gauge::Add(double by) const {
  if (gauge_ != nullptr) gauge_->Increment(by);
}
void Histogram::Observe(double value) const {
  if (histogram_ != nullptr) histogram_->Observe(value);
}

struct Metrics::Impl {
  prometheus::Registry registry{prometheus::Registry::InsertBehavior::Merge};
  Mutex updates_mutex;
  std::vector<std::function<void()>> updates GUARDED_BY(updates_mutex);
  Mutex mutex;
  // Removing needs the family and the series; both live as long as the registry.
  std::map<std::pair<std::string, std::map<std::string, std::string>>, prometheus::Gauge*> gauges
      GUARDED_BY(mutex);
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

Counter Metrics::AddCounter(const std::string& name, const std::string& help,
                            const Labels& labels) {
  auto& family = prometheus::BuildCounter().Name(name).Help(help).Register(impl_->registry);
  return Counter(&family.Add(ToMap(labels)));
}

Gauge Metrics::AddGauge(const std::string& name, const std::string& help, const Labels& labels) {
  const auto map = ToMap(labels);
  auto& family = prometheus::BuildGauge().Name(name).Help(help).Register(impl_->registry);
  const MutexLock lock(impl_->mutex);
  prometheus::Gauge* gauge = &family.Add(map);
  impl_->gauges[{name, map}] = gauge;
  return Gauge(gauge);
}

Histogram Metrics::AddHistogram(const std::string& name, const std::string& help,
                                const std::vector<double>& buckets, const Labels& labels) {
  auto& family = prometheus::BuildHistogram().Name(name).Help(help).Register(impl_->registry);
  return Histogram(
      &family.Add(ToMap(labels), prometheus::Histogram::BucketBoundaries(buckets)));
}

void Metrics::RemoveGauge(const std::string& name, const Labels& labels) {
  const MutexLock lock(impl_->mutex);
  const auto it = impl_->gauges.find({name, ToMap(labels)});
  if (it == impl_->gauges.end()) return;
  // With InsertBehavior::Merge this gives back the family registered before.
  auto& family = prometheus::BuildGauge().Name(name).Help("").Register(impl_->registry);
  family.Remove(it->second);
  impl_->gauges.erase(it);
}

void Metrics::UpdateBeforeSerialize(std::function<void()> update) {
  const MutexLock lock(impl_->updates_mutex);
  impl_->updates.push_back(std::move(update));
}

std::string Metrics::Serialize() const {
  {
    const MutexLock lock(impl_->updates_mutex);
    for (const auto& update : impl_->updates) update();
  }
  return prometheus::TextSerializer().Serialize(impl_->registry.Collect());
}

void ChangingGauges::Set(const Labels& labels, double value) {
  auto [it, first] = series_.try_emplace(labels);
  if (first) it->second.gauge = metrics_.AddGauge(name_, help_, labels);
  it->second.gauge.Set(value);
  it->second.set = true;
}

void ChangingGauges::EndRound() {
  for (auto it = series_.begin(); it != series_.end();) {
    if (std::exchange(it->second.set, false)) {
      ++it;
      continue;
    }
    metrics_.RemoveGauge(name_, it->first);
    it = series_.erase(it);
  }
}

void FollowedCounter::Follow(double total) {
  if (total < last_) last_ = 0;
  if (total > last_) counter_.Increment(total - last_);
  last_ = total;
}

const std::vector<double>& DurationBuckets() {
  static const std::vector<double> buckets = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                              0.25,   0.5,   1,      2.5,   5,    10,    30};
  return buckets;
}

const std::vector<double>& LatencyBuckets() {
  static const std::vector<double> buckets = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                              0.5,   1,      2.5,   5,    10,    30,   60,  300};
  return buckets;
}

std::string_view BuildVersion() { return HERALD_VERSION; }

}  // namespace base
