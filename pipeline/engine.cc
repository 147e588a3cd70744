#include "pipeline/engine.h"

#include <algorithm>
#include <charconv>
#include <exception>
#include <filesystem>
#include <random>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "pipeline/disk_space.h"
#include "pipeline/orphan_tasks.h"

namespace pipeline {
namespace {

constexpr milliseconds kRetryWait{500};
// A small part of any session time-out.
constexpr milliseconds kPulseEvery{100};
constexpr std::string_view kInstanceIdName = "instance-id";
constexpr std::string_view kClusterIdName = "cluster-id";
constexpr std::string_view kSlotsName = "slots-used";
constexpr std::string_view kTopicIdName = StateDirectory::kTopicIdName;
// Slots remembered that nothing uses any more; more than this many were never started.
constexpr int kSlotsMax = 1024;
// Each open database takes memory and files, and an instance is given few of a long past's tasks.
constexpr size_t kOpenedAheadMax = 64;

std::string RandomInstanceId() {
  static constexpr char kLetters[] = "0123456789abcdefghijkmnpqrstuvwxyz";
  std::random_device random;
  std::string id = "i-";
  for (int i = 0; i < 10; ++i) id.push_back(kLetters[random() % (sizeof(kLetters) - 1)]);
  return id;
}

}  // namespace

Engine::Engine(const Topology& topology, EngineConfig config, std::vector<TopicSpec> topics,
               int32_t default_partitions, KafkaClients& clients, const base::Clock& clock,
               base::Metrics& metrics)
    : config_(std::move(config)),
      topics_(std::move(topics)),
      default_partitions_(default_partitions),
      memory_(config_.block_cache_bytes, config_.write_buffer_bytes),
      topology_(topology),
      clients_(clients),
      clock_(clock),
      metrics_(metrics) {}

Engine::~Engine() { Stop(); }

base::Status Engine::Start(const std::atomic<bool>& interrupted) {
  auto directory = StateDirectory::Open(config_.state_directory);
  if (!directory.ok()) return directory.status();
  directory_.emplace(std::move(*directory));
  RETURN_IF_ERROR(CheckDiskSpace(config_.state_directory, config_.disk_reserve_bytes));
  instance_id_ = config_.instance_id;
  if (instance_id_.empty()) instance_id_ = directory_->Get(std::string(kInstanceIdName));
  if (instance_id_.empty()) instance_id_ = RandomInstanceId();
  RETURN_IF_ERROR(directory_->Set(std::string(kInstanceIdName), instance_id_));
  // Without changelogs nothing could bring rows back in step with the topics: start empty.
  if (!config_.changelogs) RETURN_IF_ERROR(directory_->Clear());

  RETURN_IF_ERROR(ReachCluster(interrupted));
  RETURN_IF_ERROR(CheckIdentity());
  RETURN_IF_ERROR(SetUpTopics(interrupted));
  shared_.emplace(EngineShared{topology_, config_, clients_, clock_, metrics_, *directory_, memory_,
                               state::RocksdbTaskStates(), stores_, tasks_, positions_, {}});
  for (const auto& [name, topic] : described_) {
    shared_->partition_counts[name] = topic.partitions;
    shared_->topic_ids[name] = topic.id;
  }
  RETURN_IF_ERROR(RetireUnusedSlots());

  // All that threads share is there before the first of them starts.
  if (config_.several_instances) {
    addresses_.emplace(InstancesTopic().name);
    instances_.emplace(instance_id_, *addresses_);
    departed_.emplace(clients_, config_, instance_id_);
    crashes_.emplace(clients_, &*addresses_, PartitionCount(addresses_->topic()));
  } else {
    crashes_.emplace(clients_, nullptr, 0);
  }
  if (config_.standby_replicas > 0 && config_.changelogs && config_.several_instances) {
    standbys_.emplace(*shared_);
    shared_->standbys = &*standbys_;
  }
  shared_->crashes = &*crashes_;
  pulse_.emplace(clock_, config_.session_timeout);
  shared_->pulse = &*pulse_;
  stores_.Watch(*pulse_, clock_, config_.session_timeout);
  {
    const base::MutexLock lock(mutex_);
    instances_read_ = !config_.several_instances;
    threads_ready_.assign(static_cast<size_t>(config_.threads), false);
    threads_prepared_ = threads_ready_;
    opening_ahead_ = static_cast<size_t>(config_.threads);
  }
  threads_.emplace_back([this](const std::stop_token& stop) { RunPulse(stop); });
  threads_.emplace_back([this](const std::stop_token& stop) { RunGlobalTables(stop); });
  threads_.emplace_back([this](const std::stop_token& stop) { RunMonitor(stop); });
  if (instances_.has_value()) {
    threads_.emplace_back([this](const std::stop_token& stop) { RunInstances(stop); });
  }
  if (standbys_.has_value()) {
    threads_.emplace_back([this](const std::stop_token& stop) { RunStandbys(stop); });
  }
  std::vector<std::vector<base::TaskId>> ahead(static_cast<size_t>(config_.threads));
  size_t known = 0;
  for (const std::string& name : directory_->Tasks()) {
    const std::optional<base::TaskId> id = ParseTaskId(name);
    // Without threads they are of a time when this instance had some, and nobody opens them.
    if (ahead.empty() || !id.has_value() || known >= kOpenedAheadMax) continue;
    ahead[known++ % ahead.size()].push_back(*id);
  }
  for (auto& tasks : ahead) {
    threads_.emplace_back([this, tasks = std::move(tasks)](const std::stop_token& stop) {
      OpenAhead(stop, tasks);
    });
  }
  for (int slot = 0; slot < config_.threads; ++slot) {
    threads_.emplace_back([this, slot](const std::stop_token& stop) { RunStreamThread(stop, slot); });
  }
  return base::Status::Ok();
}

base::Status Engine::ReachCluster(const std::atomic<bool>& interrupted) {
  const std::chrono::nanoseconds deadline = clock_.Monotonic() + config_.broker_timeout;
  std::string last;
  while (!interrupted) {
    const auto left =
        std::chrono::duration_cast<milliseconds>(deadline - clock_.Monotonic());
    if (left.count() <= 0) {
      return base::Status::Fatal("no broker answered within " +
                                 std::to_string(config_.broker_timeout.count()) +
                                 " ms (--broker-timeout-ms): " + last);
    }
    auto cluster = clients_.admin().ClusterId(std::min(left, milliseconds(2000)));
    if (cluster.ok()) {
      cluster_id_ = *cluster;
      return base::Status::Ok();
    }
    if (cluster.status().code() == base::StatusCode::kFatal) return cluster.status();
    if (last.empty()) {
      base::LogWarn("no broker answers yet, trying on", {{"why", cluster.status().message()}});
    }
    last = cluster.status().message();
    const base::MutexLock lock(mutex_);
    changed_.WaitFor(mutex_, std::min(left, kRetryWait), [&] { return interrupted.load(); });
  }
  return base::Status::Fatal("interrupted");
}

base::Status Engine::CheckIdentity() {
  const std::string known = directory_->Get(std::string(kClusterIdName));
  if (!known.empty() && known != cluster_id_) {
    if (!config_.accept_new_cluster) {
      return base::Status::Fatal(
          "state directory " + config_.state_directory.string() + " belongs to cluster " + known +
          ", but the brokers are cluster " + cluster_id_ +
          "; give another --state-dir, or --accept-new-cluster to move the old state aside");
    }
    RETURN_IF_ERROR(directory_->MoveAside());
    RemoveCrashMarks(0);
  }
  return directory_->Set(std::string(kClusterIdName), cluster_id_);
}

base::Status Engine::SetUpTopics(const std::atomic<bool>& interrupted) {
  const std::chrono::nanoseconds deadline = clock_.Monotonic() + config_.broker_timeout;
  while (true) {
    // The product's topics first: the changelogs' partition counts follow theirs.
    auto described = EnsureTopics(clients_.admin(), topics_, default_partitions_,
                                  config_.replication_factor, config_.request_timeout);
    if (described.ok() && (config_.changelogs || config_.several_instances)) {
      described = EnsureTopics(clients_.admin(), AllTopics(*described), default_partitions_,
                               config_.replication_factor, config_.request_timeout);
    }
    if (described.ok()) {
      described_ = std::move(*described);
      return CheckChangelogs(described_);
    }
    if (described.status().code() != base::StatusCode::kUnavailable || interrupted ||
        clock_.Monotonic() >= deadline) {
      return base::Status::Fatal("topics are not as they must be: " +
                                 described.status().message());
    }
    base::LogWarn("topics not set up yet, trying on", {{"why", described.status().message()}});
    const base::MutexLock lock(mutex_);
    changed_.WaitFor(mutex_, kRetryWait, [&] { return interrupted.load(); });
  }
}

std::vector<TopicSpec> Engine::AllTopics(
    const std::map<std::string, TopicDescription>& described) const {
  std::vector<TopicSpec> specs = topics_;
  if (config_.several_instances) specs.push_back(InstancesTopic());
  for (const StoreDescription& store : topology_.stores()) {
    if (!config_.changelogs || !store.options.changelog) continue;
    TopicSpec spec;
    spec.name = config_.topic_prefix + config_.application_id + "-" + store.name + "-changelog";
    spec.cleanup_policy = "compact";
    for (const std::string& topic : topology_.SourceTopics(store.subtopology)) {
      spec.partitions = std::max(spec.partitions, described.at(topic).partitions);
    }
    spec.exact_partitions = true;
    spec.config["delete.retention.ms"] =
        std::to_string(config_.changelog_tombstone_retention.count());
    specs.push_back(std::move(spec));
  }
  return specs;
}

base::Status Engine::CheckChangelogs(const std::map<std::string, TopicDescription>& described) {
  if (!config_.changelogs) return base::Status::Ok();
  for (const bool after_moving : {false, true}) {
    std::string mismatch;
    for (const StoreDescription& store : topology_.stores()) {
      if (!store.options.changelog) continue;
      const std::string name =
          config_.topic_prefix + config_.application_id + "-" + store.name + "-changelog";
      const std::string known = directory_->Get(std::string(kTopicIdName) + name);
      const std::string& id = described.at(name).id;
      if (!known.empty() && known != id) {
        mismatch = "changelog " + name + " has topic id " + id +
                   ", but the rows in state directory " + config_.state_directory.string() +
                   " belong to topic id " + known;
      }
    }
    if (mismatch.empty()) break;
    if (!config_.accept_new_cluster || after_moving) {
      return base::Status::Fatal(mismatch + "; give another --state-dir, or "
                                            "--accept-new-cluster to move the old state aside");
    }
    RETURN_IF_ERROR(directory_->MoveAside());
    RemoveCrashMarks(0);
    RETURN_IF_ERROR(directory_->Set(std::string(kClusterIdName), cluster_id_));
  }
  for (const StoreDescription& store : topology_.stores()) {
    if (!store.options.changelog) continue;
    const std::string name =
        config_.topic_prefix + config_.application_id + "-" + store.name + "-changelog";
    RETURN_IF_ERROR(
        directory_->Set(std::string(kTopicIdName) + name, described.at(name).id));
  }
  return base::Status::Ok();
}

/// Of the slots from `first_slot` on: what was in hand there is of another cluster, or of threads that
/// this process does not have.
void Engine::RemoveCrashMarks(int first_slot) {
  for (int slot = first_slot; slot < kSlotsMax; ++slot) {
    std::error_code ignored;
    std::filesystem::remove(CrashMark::PathOf(config_.state_directory, slot), ignored);
  }
}

base::Status Engine::RetireUnusedSlots() {
  RemoveCrashMarks(config_.threads);
  if (config_.guarantee != Guarantee::kExactlyOnce) return base::Status::Ok();
  const std::string text = directory_->Get(std::string(kSlotsName));
  int used = 0;
  std::from_chars(text.data(), text.data() + text.size(), used);
  used = std::min(used, kSlotsMax);
  // A crash may have left a transaction open under an id that no thread takes up now; readers
  // would wait for it until it times out.
  for (int slot = config_.threads; slot < used; ++slot) {
    auto producer = clients_.NewTransactionalProducer(
        StreamThread::TransactionalId(config_, instance_id_, slot));
    if (!producer.ok()) return producer.status();
    const base::Status retired = (*producer)->InitTransactions(config_.broker_timeout);
    if (!retired.ok()) {
      return base::Status::Fatal("cannot finish the transactions of slot " + std::to_string(slot) +
                                 ": " + retired.message());
    }
  }
  // Written before the threads start: a slot is remembered before it is used.
  return directory_->Set(std::string(kSlotsName), std::to_string(config_.threads));
}

void Engine::Stop() {
  for (std::jthread& thread : threads_) thread.request_stop();
  {
    const base::MutexLock lock(mutex_);
    changed_.NotifyAll();
  }
  threads_.clear();
}

base::Status Engine::WaitForFailure(std::chrono::milliseconds timeout) {
  const base::MutexLock lock(mutex_);
  changed_.WaitFor(mutex_, timeout, [this]() REQUIRES(mutex_) { return !failure_.ok() || woken_; });
  return failure_;
}

void Engine::Wake() {
  const base::MutexLock lock(mutex_);
  woken_ = true;
  changed_.NotifyAll();
}

void Engine::Fail(const base::Status& why) {
  const base::MutexLock lock(mutex_);
  if (failure_.ok()) failure_ = why;
  changed_.NotifyAll();
}

bool Engine::Pause(const std::stop_token& stop, std::chrono::milliseconds time) {
  const base::MutexLock lock(mutex_);
  changed_.WaitFor(mutex_, stop, time, [] { return false; });
  return !stop.stop_requested();
}

EngineStatus Engine::Status() const {
  EngineStatus status;
  status.instance_id = instance_id_;
  status.cluster_id = cluster_id_;
  status.tasks = tasks_.Reports();
  if (instances_.has_value()) status.instances = instances_->Shares();
  if (standbys_.has_value()) status.standbys = standbys_->Tasks();
  const base::MutexLock lock(mutex_);
  status.lag = lag_;
  if (!failure_.ok()) {
    status.waiting_for = failure_.message();
  } else if (!global_tables_ready_) {
    status.waiting_for = "the global tables to be read";
  } else if (!instances_read_) {
    status.waiting_for = "the table of instances to be read";
  } else {
    for (size_t i = 0; i < threads_ready_.size(); ++i) {
      if (!threads_ready_[i]) {
        status.waiting_for = "thread " + std::to_string(i) + " to join the group and restore";
      }
    }
    // The lag of every assigned partition is there before anybody relies on its absence.
    for (const TaskReport& report : status.tasks) {
      for (const auto& input : report.inputs) {
        if (status.waiting_for.empty() && !lag_.contains(input.first)) {
          status.waiting_for = "the lag of " + input.first.ToString() + " to be measured";
        }
      }
    }
  }
  status.ready = status.waiting_for.empty();
  return status;
}

int32_t Engine::PartitionCount(std::string_view topic) const {
  const auto it = shared_->partition_counts.find(topic);
  CHECK(it != shared_->partition_counts.end(), "a topic that is none of the engine's");
  return it->second;
}

void Engine::RunGlobalTables(const std::stop_token& stop) {
  std::vector<std::unique_ptr<GlobalTableLoader>> loaders;
  for (const auto& table : topology_.global_tables()) {
    loaders.push_back(
        std::make_unique<GlobalTableLoader>(*shared_, *table, described_.at(table->topic())));
  }
  const auto step = [&](GlobalTableLoader& loader, bool open) {
    const base::Status status = open ? loader.Open() : loader.RunOnce();
    if (status.ok()) return true;
    if (status.code() == base::StatusCode::kUnavailable) {
      base::LogWarn("global table: the cluster did not answer", {{"why", status.message()}});
    } else {
      Fail(status.WithContext("global table"));
    }
    Pause(stop, kRetryWait);
    return false;
  };
  for (auto& loader : loaders) {
    while (!stop.stop_requested() && !step(*loader, true)) {
    }
  }
  bool announced = false;
  while (!stop.stop_requested()) {
    // Before anything is read: a table without news has nothing to wait for.
    const bool caught_up = std::all_of(loaders.begin(), loaders.end(),
                                       [](const auto& loader) { return loader->caught_up(); });
    if (caught_up && !announced) {
      announced = true;
      base::LogInfo("global tables read");
      const base::MutexLock lock(mutex_);
      global_tables_ready_ = true;
      changed_.NotifyAll();
    }
    for (auto& loader : loaders) step(*loader, false);
    if (loaders.empty()) Pause(stop, kRetryWait);
  }
}

void Engine::RunPulse(const std::stop_token& stop) {
  base::Counter standstills = metrics_.AddCounter(
      "herald_standstills_total",
      "Times that the process stood still for longer than the session time-out.");
  while (Pause(stop, kPulseEvery)) {
    pulse_->Beat([&] {
      // Before anything else: others may have these partitions by now.
      stores_.WithdrawAll();
      standstills.Increment();
      base::LogWarn("the process stood still for longer than the session time-out: what it had in "
                    "hand is given up");
    });
  }
}

void Engine::SetThreadReady(int slot, bool ready) {
  const base::MutexLock lock(mutex_);
  threads_ready_[static_cast<size_t>(slot)] = ready;
}

void Engine::OpenAhead(const std::stop_token& stop, const std::vector<base::TaskId>& tasks) {
  for (const base::TaskId& id : tasks) {
    if (stop.stop_requested() || id.subtopology >= topology_.subtopology_count()) continue;
    const std::vector<state::StoreSpec> stores = topology_.StoreSpecs(id.subtopology);
    if (stores.empty()) continue;
    // What cannot be opened is met again by the thread that is given the task, and so is an
    // exception.
    try {
      auto opened = shared_->states.Open({directory_->TaskDirectory(id), stores, &memory_});
      if (opened.ok()) tasks_.Deposit(id, std::move(*opened), clock_.Monotonic());
      // But for a failed write: that database stays open and locked until the process ends.
      if (opened.status().code() == base::StatusCode::kFatal) Fail(opened.status());
    } catch (const std::exception& exception) {
      base::LogWarn("task not opened ahead",
                    {{"task", id.ToString()}, {"exception", exception.what()}});
    }
  }
  const base::MutexLock lock(mutex_);
  --opening_ahead_;
  changed_.NotifyAll();
}

/// No event is processed before the tables are there to look things up in. That all threads join in
/// the same moment saves a rebalance: a group of one is given everything, and takes up to a heartbeat
/// to hear of the next.
void Engine::AwaitJoining(const std::stop_token& stop, int slot) {
  const base::MutexLock lock(mutex_);
  threads_prepared_[static_cast<size_t>(slot)] = true;
  changed_.NotifyAll();
  changed_.Wait(mutex_, stop, [this]() REQUIRES(mutex_) {
    return global_tables_ready_ && instances_read_ && opening_ahead_ == 0 &&
           std::find(threads_prepared_.begin(), threads_prepared_.end(), false) ==
               threads_prepared_.end();
  });
}

base::Status Engine::RunUntilFailure(const std::stop_token& stop, int slot) {
  StreamThread thread(*shared_, instance_id_, slot);
  try {
    thread.Prepare();
  } catch (const std::exception& exception) {
    // Its first turn meets it again, if it is not gone by then.
    base::LogWarn("not prepared", {{"thread", slot}, {"exception", exception.what()}});
  }
  AwaitJoining(stop, slot);
  base::Status failure;
  while (!stop.stop_requested()) {
    try {
      auto turn = thread.RunOnce();
      failure = turn.status();
      if (failure.ok()) {
        SetThreadReady(slot, thread.Ready());
        if (*turn == Turn::kRetry) Pause(stop, kRetryWait);
      }
    } catch (const std::exception& exception) {
      failure = base::Status::Internal(std::string("exception: ") + exception.what());
    } catch (...) {
      failure = base::Status::Internal("an exception of an unknown type");
    }
    if (!failure.ok()) {
      thread.Abandon();
      return failure;
    }
  }
  thread.Stop();
  return base::Status::Ok();
}

/// A thread that fails may be healed by another in its place, with databases opened anew: so it is
/// replaced, with longer and longer waits, as long as that does not go on and on.
void Engine::RunStreamThread(const std::stop_token& stop, int slot) {
  base::Counter replaced =
      metrics_.AddCounter("herald_thread_replacements_total",
                          "Stream threads that failed and were replaced.");
  int failures = 0;
  milliseconds wait = config_.replace_wait;
  while (!stop.stop_requested()) {
    const std::chrono::nanoseconds began = clock_.Monotonic();
    const base::Status failure = RunUntilFailure(stop, slot);
    SetThreadReady(slot, false);
    if (failure.ok()) return;
    if (clock_.Monotonic() - began > config_.failures_window) {
      failures = 0;
      wait = config_.replace_wait;
    }
    ++failures;
    if (failure.code() != base::StatusCode::kInternal) return Fail(failure);
    if (const auto namesake = FindNamesake(); namesake.has_value()) {
      return Fail(base::Status::Fatal("another live process, at " + *namesake +
                                      ", has the instance id \"" + instance_id_ +
                                      "\"; give each its own --instance-id (" + failure.message() +
                                      ")"));
    }
    if (failures >= config_.thread_failures_max) {
      return Fail(base::Status::Fatal("thread " + std::to_string(slot) + " failed " +
                                      std::to_string(failures) +
                                      " times in a row, the last time: " + failure.message()));
    }
    base::LogError("a stream thread failed and is replaced",
                   {{"thread", slot}, {"why", failure.ToString()}, {"failures", failures},
                    {"wait_ms", wait.count()}});
    replaced.Increment();
    Pause(stop, wait);
    wait = std::min(wait * 2, config_.replace_wait_max);
  }
}

}  // namespace pipeline
