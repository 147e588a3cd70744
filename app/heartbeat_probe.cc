#include "app/heartbeat_probe.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/mutex.h"
#include "pipeline/partitioner.h"
#include "stages/heartbeat.h"

namespace app {
namespace {

using std::chrono::nanoseconds;

constexpr char kSilenceName[] = "herald_heartbeat_silence_seconds";

base::Labels PartitionLabel(base::Partition partition) {
  return {{"partition", std::to_string(partition.value)}};
}

/// The topics' keys decide the partition, as everywhere.
std::string KeyOf(base::Partition partition, int32_t partitions) {
  for (int64_t i = 0;; ++i) {
    std::string key = "heartbeat-" + std::to_string(i);
    if (pipeline::PartitionForKey(key, partitions) == partition) return key;
  }
}

}  // namespace

struct HeartbeatProbe::Shared {
  base::Mutex mutex;
  base::ConditionVariable changed;
  /// Partitions whose task has committed since they were looked at.
  std::set<base::Partition> woken GUARDED_BY(mutex);
  /// Heartbeats that the broker did not take.
  std::set<std::pair<base::Partition, int64_t>> refused GUARDED_BY(mutex);
};

HeartbeatProbe::HeartbeatProbe(Options options, ElsewhereFunction elsewhere,
                               pipeline::AsyncProducer& producer,
                               const pipeline::StoreRegistry& stores,
                               pipeline::PositionWatch& positions, const base::Clock& clock,
                               base::Metrics& metrics)
    : options_(std::move(options)),
      elsewhere_(std::move(elsewhere)),
      producer_(producer),
      stores_(stores),
      positions_(positions),
      clock_(clock),
      metrics_(metrics),
      latency_(metrics.AddHistogram("herald_heartbeat_latency_seconds",
                                    "From sending a heartbeat until it could be read.",
                                    base::DurationBuckets())),
      sent_(metrics.AddCounter("herald_heartbeats_sent_total", "Heartbeats sent.")),
      arrived_(metrics.AddCounter("herald_heartbeats_arrived_total",
                                  "Heartbeats that went the whole way.")),
      lost_(metrics.AddCounter("herald_heartbeats_lost_total",
                               "Heartbeats that the broker did not take, or that never arrived.")),
      shared_(std::make_shared<Shared>()),
      // Not where an earlier process began: its last heartbeats may still be there.
      last_number_(clock.NowMs()) {
  for (int32_t p = 0; p < options_.partitions; ++p) {
    watched_.emplace_back().key = KeyOf(base::Partition{p}, options_.partitions);
  }
  thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
}

HeartbeatProbe::~HeartbeatProbe() {
  thread_ = {};
  for (const Watched& watched : watched_) positions_.Cancel(watched.wait);
}

void HeartbeatProbe::Run(const std::stop_token& stop) {
  nanoseconds next = clock_.Monotonic();
  while (!stop.stop_requested()) {
    const nanoseconds now = clock_.Monotonic();
    if (now >= next) {
      for (int32_t p = 0; p < options_.partitions; ++p) Beat(base::Partition{p});
      ShowSilence();
      // From here: a machine that stood still is owed no heap of heartbeats.
      next = now + options_.interval;
    }
    std::set<base::Partition> woken;
    {
      const base::MutexLock lock(shared_->mutex);
      const auto any = [this] {
        shared_->mutex.AssertHeld();
        return !shared_->woken.empty();
      };
      shared_->changed.WaitFor(shared_->mutex, stop,
                               std::max(next - clock_.Monotonic(), nanoseconds(0)), any);
      woken.swap(shared_->woken);
    }
    for (const base::Partition partition : woken) Look(partition);
  }
}

void HeartbeatProbe::Beat(base::Partition partition) {
  Watched& watched = watched_[static_cast<size_t>(partition.value)];
  const pipeline::StoreLookup found = stores_.Find(stages::kHeartbeatStore, partition);
  if (found.where != pipeline::StoreLookup::Where::kHere) {
    if (watched.here && elsewhere_(partition)) Leave(partition, watched);
    return;
  }
  if (!watched.here) {
    watched.here = true;
    watched.last_arrival = clock_.Monotonic();
    watched.silence = metrics_.AddGauge(
        kSilenceName, "Seconds since a heartbeat arrived last.", PartitionLabel(partition));
  }
  if (watched.under_way.has_value()) Look(partition);
  if (watched.under_way.has_value()) {
    bool refused = false;
    {
      const base::MutexLock lock(shared_->mutex);
      refused = shared_->refused.erase({partition, watched.under_way->number}) > 0;
    }
    const nanoseconds patience =
        std::max<nanoseconds>(options_.interval * kGiveUpIntervals, kGiveUpMin);
    if (!refused && clock_.Monotonic() - watched.under_way->sent_at < patience) return;
    lost_.Increment();
    watched.under_way.reset();
  }
  Send(partition, watched);
  Look(partition);
}

void HeartbeatProbe::Send(base::Partition partition, Watched& watched) {
  const stages::Heartbeat heartbeat{options_.instance, ++last_number_};
  std::string value;
  pipeline::Serde<stages::Heartbeat>().Encode(heartbeat, value);
  watched.under_way = UnderWay{heartbeat.number, clock_.Monotonic(), true};
  sent_.Increment();
  {
    const base::MutexLock lock(shared_->mutex);
    std::erase_if(shared_->refused, [&](const auto& old) { return old.first == partition; });
  }
  producer_.Produce(options_.heartbeats_topic, partition, watched.key, value,
                    [shared = shared_, partition, number = heartbeat.number](
                        const base::Result<base::Offset>& delivered) {
                      if (delivered.ok()) return;
                      const base::MutexLock lock(shared->mutex);
                      shared->refused.emplace(partition, number);
                    });
}

void HeartbeatProbe::Look(base::Partition partition) {
  Watched& watched = watched_[static_cast<size_t>(partition.value)];
  if (!watched.under_way.has_value()) return;
  const base::TopicPartition echoes{options_.echoes_topic, partition};
  // Asked first: what is committed after this wakes us, what was before is seen below.
  const std::optional<base::Offset> position = positions_.Position(echoes);
  if (Arrived(partition, watched.under_way->number)) {
    const nanoseconds now = clock_.Monotonic();
    if (watched.under_way->timed) {
      latency_.Observe(std::chrono::duration<double>(now - watched.under_way->sent_at).count());
    }
    arrived_.Increment();
    watched.last_arrival = now;
    watched.under_way.reset();
    return;
  }
  positions_.Cancel(watched.wait);
  watched.wait = 0;
  if (!position.has_value()) {
    // Before the first commit ever: the next beat looks again, and cannot tell the time.
    watched.under_way->timed = false;
    return;
  }
  watched.wait = positions_.Wait(
      echoes, *position, [shared = shared_, partition](pipeline::PositionWatch::Outcome outcome) {
        if (outcome != pipeline::PositionWatch::Outcome::kPassed) return;
        {
          const base::MutexLock lock(shared->mutex);
          shared->woken.insert(partition);
        }
        shared->changed.NotifyOne();
      });
}

bool HeartbeatProbe::Arrived(base::Partition partition, int64_t number) const {
  const pipeline::StoreLookup found = stores_.Find(stages::kHeartbeatStore, partition);
  if (found.where != pipeline::StoreLookup::Where::kHere) return false;
  const auto view = found.reader->Snapshot();
  const auto row = view->Store(stages::kHeartbeatStore).Get(stages::kNewestHeartbeatKey);
  if (!row.ok() || !row->has_value()) return false;
  const auto newest = pipeline::Serde<stages::Heartbeat>().DecodeText(**row);
  return newest.ok() && newest->from == options_.instance && newest->number == number;
}

void HeartbeatProbe::Leave(base::Partition partition, Watched& watched) {
  positions_.Cancel(watched.wait);
  watched.wait = 0;
  watched.here = false;
  watched.under_way.reset();
  metrics_.RemoveGauge(kSilenceName, PartitionLabel(partition));
}

void HeartbeatProbe::ShowSilence() {
  const nanoseconds now = clock_.Monotonic();
  for (const Watched& watched : watched_) {
    if (!watched.here) continue;
    watched.silence.Set(std::chrono::duration<double>(now - watched.last_arrival).count());
  }
}

}  // namespace app
