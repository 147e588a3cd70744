#include "tests/simulation/plan.h"

#include <initializer_list>
#include <sstream>

namespace simulation {
namespace {

/// One seed of so many runs with RocksDB, which takes fifty times as long.
constexpr uint64_t kSeedsOfRocksDb = 25;
constexpr size_t kMemoryBytes = size_t{4} << 20;

template <typename T>
T PickOne(std::mt19937_64& random, std::initializer_list<T> choices) {
  return choices.begin()[random() % choices.size()];
}

}  // namespace

Plan Plan::Draw(std::mt19937_64& random) {
  Plan plan;
  plan.guarantee =
      random() % 4 == 0 ? pipeline::Guarantee::kAtLeastOnce : pipeline::Guarantee::kExactlyOnce;
  plan.instances = random() % 3 == 0 ? 2 : 1;
  plan.threads = PickOne(random, {1, 1, 2});
  plan.event_partitions = PickOne(random, {1, 2, 3});
  plan.inbox_partitions = PickOne(random, {1, 2});
  plan.events = PickOne(random, {20, 60, 120});
  plan.crashes = PickOne(random, {2, 5, 8});
  plan.troubles_per_mille = PickOne(random, {0, 20, 60});
  plan.marker_delay_max = PickOne<uint64_t>(random, {0, 0, 20, 500});
  plan.poll_records_max = PickOne<size_t>(random, {1, 5, 50});
  plan.commit_interval = std::chrono::milliseconds(PickOne(random, {0, 100, 1000}));
  plan.transaction_bytes_max = PickOne<size_t>(random, {3000, 1 << 20});
  plan.restore_records_max = PickOne<size_t>(random, {3, 10000});
  plan.actions = PickOne(random, {0, 15, 40});
  plan.stalls_per_mille = PickOne(random, {0, 10, 40});
  plan.rocksdb = random() % kSeedsOfRocksDb == 0;
  // Without fencing a zombie may write back what a reader has changed since.
  if (!plan.exactly_once() && plan.instances > 1) plan.actions = 0;
  return plan;
}

std::string Plan::ToString() const {
  std::ostringstream text;
  text << (guarantee == pipeline::Guarantee::kExactlyOnce ? "exactly_once" : "at_least_once")
       << ", instances " << instances << ", threads " << threads << ", partitions "
       << event_partitions << " and " << inbox_partitions << ", events " << events << ", actions "
       << actions << ", crashes " << crashes << ", troubles " << troubles_per_mille
       << "/1000, stalls " << stalls_per_mille << "/1000, marker delay " << marker_delay_max
       << ", poll " << poll_records_max << ", commit interval " << commit_interval.count()
       << " ms, transaction " << transaction_bytes_max << " bytes, restore " << restore_records_max
       << (rocksdb ? ", RocksDB" : ", rows in memory");
  return text.str();
}

pipeline::EngineConfig Plan::Config(const std::string& instance,
                                    const std::filesystem::path& directory) const {
  pipeline::EngineConfig config;
  config.application_id = "simulation";
  config.instance_id = instance;
  config.state_directory = directory;
  config.threads = threads;
  config.guarantee = guarantee;
  config.dead_letters_topic = "dead-letters";
  config.commit_interval = commit_interval;
  config.transaction_bytes_max = transaction_bytes_max;
  config.restore_records_max = restore_records_max;
  config.block_cache_bytes = kMemoryBytes;
  config.write_buffer_bytes = kMemoryBytes;
  return config;
}

}  // namespace simulation
