#include "tests/support/stepped_engine.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace support {

using base::Status;

SteppedEngine::SteppedEngine(const pipeline::Topology& topology, pipeline::EngineConfig config,
                             std::vector<pipeline::TopicSpec> topics, int32_t default_partitions,
                             pipeline::KafkaClients& clients, const base::Clock& clock,
                             state::TaskStates& states)
    : topology_(topology),
      config_(std::move(config)),
      topics_(std::move(topics)),
      default_partitions_(default_partitions),
      clients_(clients),
      clock_(clock),
      states_(states),
      memory_(config_.block_cache_bytes, config_.write_buffer_bytes) {
  CHECK(!config_.instance_id.empty(), "a test names its instance");
}

Status SteppedEngine::Start() {
  CHECK(threads_.empty(), "started before");
  if (!directory_.has_value()) {
    auto directory = pipeline::StateDirectory::Open(config_.state_directory);
    if (!directory.ok()) return directory.status();
    directory_.emplace(std::move(*directory));
  }
  RETURN_IF_ERROR(SetUpTopics());
  std::vector<std::unique_ptr<pipeline::StreamThread>> threads;
  for (int slot = 0; slot < config_.threads; ++slot) {
    threads.push_back(
        std::make_unique<pipeline::StreamThread>(*shared_, config_.instance_id, slot));
    threads.back()->Prepare();
  }
  RETURN_IF_ERROR(ReadGlobalTables());
  threads_ = std::move(threads);
  return Status::Ok();
}

Status SteppedEngine::SetUpTopics() {
  if (shared_.has_value()) return Status::Ok();
  auto described = pipeline::EnsureTopics(clients_.admin(), topics_, default_partitions_,
                                          config_.replication_factor, config_.request_timeout);
  if (!described.ok()) return described.status();
  pipeline::EngineShared shared{topology_, config_, clients_, clock_, metrics_,   *directory_,
                                memory_,   states_, stores_,  tasks_, positions_, {}};
  std::vector<pipeline::TopicSpec> changelogs;
  for (const pipeline::StoreDescription& store : topology_.stores()) {
    if (!config_.changelogs || !store.options.changelog) continue;
    pipeline::TopicSpec changelog;
    changelog.name = shared.ChangelogTopic(store.name);
    changelog.cleanup_policy = "compact";
    for (const std::string& topic : topology_.SourceTopics(store.subtopology)) {
      changelog.partitions = std::max(changelog.partitions, described->at(topic).partitions);
    }
    changelogs.push_back(std::move(changelog));
  }
  auto described_changelogs =
      pipeline::EnsureTopics(clients_.admin(), changelogs, default_partitions_,
                             config_.replication_factor, config_.request_timeout);
  if (!described_changelogs.ok()) return described_changelogs.status();
  described->merge(*described_changelogs);
  for (const auto& [name, topic] : *described) {
    shared.partition_counts[name] = topic.partitions;
  }
  described_ = std::move(*described);
  shared_.emplace(std::move(shared));
  return Status::Ok();
}

Status SteppedEngine::ReadGlobalTables() {
  if (global_tables_.empty()) {
    for (const auto& table : topology_.global_tables()) {
      global_tables_.push_back(std::make_unique<pipeline::GlobalTableLoader>(
          *shared_, *table, described_.at(table->topic())));
    }
  }
  for (const auto& table : global_tables_) {
    RETURN_IF_ERROR(table->Open());
    while (!table->caught_up()) RETURN_IF_ERROR(table->RunOnce());
  }
  return Status::Ok();
}

base::Result<pipeline::Turn> SteppedEngine::RunOnce() {
  CHECK(!threads_.empty(), "not started");
  for (const auto& table : global_tables_) {
    const Status read = table->RunOnce();
    if (!read.ok() && read.code() != base::StatusCode::kUnavailable) return read;
  }
  pipeline::Turn turn = pipeline::Turn::kIdle;
  for (const auto& thread : threads_) {
    auto one = thread->RunOnce();
    if (!one.ok()) return one.status();
    if (*one == pipeline::Turn::kRetry) turn = *one;
    if (*one == pipeline::Turn::kWorked && turn == pipeline::Turn::kIdle) turn = *one;
  }
  return turn;
}

void SteppedEngine::Stop() {
  for (const auto& thread : threads_) thread->Stop();
  threads_.clear();
}

bool SteppedEngine::Ready() const {
  return !threads_.empty() && std::all_of(threads_.begin(), threads_.end(),
                                          [](const auto& thread) { return thread->Ready(); });
}

int32_t SteppedEngine::PartitionCount(const std::string& topic) const {
  return shared_->partition_counts.find(topic)->second;
}

}  // namespace support
