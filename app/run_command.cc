#include "app/run_command.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "app/event_backlog.h"
#include "app/heartbeat_probe.h"
#include "app/ready_file.h"
#include "app/signals.h"
#include "app/status_json.h"
#include "app/users_file.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "base/process_metrics.h"
#include "pipeline/embedded_broker.h"
#include "pipeline/engine.h"
#include "pipeline/librdkafka_client.h"
#include "serving/backend.h"
#include "serving/http_forwarder.h"
#include "serving/http_server.h"
#include "serving/inbox_service.h"
#include "stages/notification_topology.h"
#include "stages/topics.h"
#include "stages/user.h"
#include "state/version.h"

namespace app {
namespace {

using std::chrono::milliseconds;

constexpr int kExitFailure = 1;
constexpr milliseconds kHttpStopTime{2000};
// SIGTERM promises an exit within 10 s even when the broker is gone; what has not ended by then is
// left as a crash would leave it, which costs a replay and nothing else.
constexpr milliseconds kStopTimeMax{9000};
constexpr milliseconds kReadyLookEvery{50};
constexpr milliseconds kUsersTimeout{60'000};
constexpr int kHttpThreads = 2;
// Of --memory-mib, kept answers may take one part in so many.
constexpr uint64_t kKeptPagesShare = 3;
constexpr milliseconds kForwardingTime{2'000};
// With the embedded broker: a request must fit beside what is unread (see EventBacklog).
constexpr size_t kEmbeddedBodyBytesMax = size_t{1} << 20;
// What events lead to must fit a partition of some 5 MiB until it is read.
constexpr size_t kEmbeddedOutputBytesMax = size_t{512} << 10;
constexpr size_t kEmbeddedPollRecordsMax = 100;
constexpr int64_t kHourMs = int64_t{3600} * 1000;
constexpr int64_t kDayMs = int64_t{24} * 3600 * 1000;

std::vector<pipeline::TopicSpec> ProductTopics(const stages::Topics& topics) {
  const std::map<std::string, std::string> week = {
      {"retention.ms", std::to_string(7 * kDayMs)}};
  const std::map<std::string, std::string> two_weeks = {
      {"retention.ms", std::to_string(14 * kDayMs)}};
  std::vector<pipeline::TopicSpec> specs = {
      {.name = topics.events, .cleanup_policy = "delete", .config = week},
      // An instance that comes back within this time still learns of every erased user.
      {.name = topics.users,
       .cleanup_policy = "compact",
       .config = {{"delete.retention.ms", std::to_string(7 * kDayMs)}}},
      {.name = topics.notifications,
       .cleanup_policy = "delete",
       .copartition_group = "recipient",
       .config = week},
      {.name = topics.inbox_actions,
       .cleanup_policy = "delete",
       .copartition_group = "recipient",
       .config = week},
      {.name = topics.dead_letters, .cleanup_policy = "delete", .config = two_weeks},
  };
  if (topics.has_heartbeats()) {
    for (const std::string& name : {topics.heartbeats, topics.heartbeat_echoes}) {
      specs.push_back({.name = name,
                       .cleanup_policy = "delete",
                       .copartition_group = "recipient",
                       .config = {{"retention.ms", std::to_string(kHourMs)}}});
    }
  }
  return specs;
}

stages::Topics MakeTopics(const RunOptions& options) {
  stages::Topics topics = stages::Topics::WithPrefix(options.topic_prefix, options.topic);
  // An instance without tasks has no partition to send one for.
  if (options.heartbeat_interval_ms > 0 && options.parsed_role != Role::kIngest) {
    topics.AddHeartbeats(options.topic_prefix, options.application_id);
  }
  return topics;
}

pipeline::EngineConfig MakeEngineConfig(const RunOptions& options, const stages::Topics& topics) {
  pipeline::EngineConfig config;
  config.application_id = options.application_id;
  config.instance_id = options.instance_id;
  config.state_directory = options.state_dir;
  config.threads = options.parsed_role == Role::kIngest ? 0 : options.threads;
  config.guarantee = options.parsed_guarantee;
  config.topic_prefix = options.topic_prefix;
  config.dead_letters_topic = topics.dead_letters;
  config.changelogs = !options.embedded;
  config.replication_factor = options.replication_factor;
  config.several_instances = !options.embedded;
  if (options.embedded) {
    config.record_output_bytes_max = kEmbeddedOutputBytesMax;
    config.poll_records_max = kEmbeddedPollRecordsMax;
  }
  config.accept_new_cluster = options.accept_new_cluster;
  config.session_timeout = milliseconds(options.session_timeout_ms);
  config.state_cleanup_delay = milliseconds(options.state_cleanup_delay_ms);
  config.max_poll_interval = milliseconds(options.max_poll_interval_ms);
  config.block_cache_bytes = options.memory_mib << 20;
  config.write_buffer_bytes = config.block_cache_bytes / 2;
  config.disk_reserve_bytes = options.disk_reserve_mib << 20;
  config.standby_replicas = options.standby_replicas;
  config.crashes_max = options.crashes_max;
  config.stay_on_stop = options.stay_on_stop;
  config.commit_interval = milliseconds(options.commit_interval_ms);
  config.broker_timeout = milliseconds(options.broker_timeout_ms);
  return config;
}

/// Ends the process when an orderly stop takes too long.
class StopWatchdog {
 public:
  explicit StopWatchdog(int exit_code)
      : thread_([this, exit_code](const std::stop_token& stop) {
          const base::MutexLock lock(mutex_);
          condition_.WaitFor(mutex_, stop, kStopTimeMax, [] { return false; });
          if (stop.stop_requested()) return;
          base::LogWarn("stopping took too long, leaving now; the rest is replayed at the next "
                        "start");
          _exit(exit_code);
        }) {}

 private:
  base::Mutex mutex_;
  base::ConditionVariable condition_;
  std::jthread thread_;
};

/// A directory that goes with the process.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "herald-XXXXXX").string();
    if (mkdtemp(pattern.data()) != nullptr) path_ = pattern;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// One run of Herald, from the flags to the exit code. Threads: main, but for OnSignal().
class Run {
 public:
  explicit Run(RunOptions options)
      : options_(std::move(options)),
        ready_file_(options_.ready_file),
        topics_(MakeTopics(options_)) {}

  base::Status Start(const std::atomic<bool>& stopping);
  /// Until a signal or a failure.
  base::Status Serve(const std::atomic<bool>& stopping);
  /// `exit_code`: of the process, should an orderly stop take too long.
  void Stop(int exit_code);

  /// Threads: the signal thread.
  void OnSignal() {
    const base::MutexLock lock(mutex_);
    if (to_wake_ != nullptr) to_wake_->Wake();
  }

 private:
  base::Status MakeStateDirectory();
  base::Status StartBroker();
  base::Status StartEngine(const std::atomic<bool>& stopping);
  base::Status StartHttp();
  serving::Backend MakeBackend();
  void Advertise();
  void StartHeartbeats();
  std::optional<base::Offset> EventsPosition(base::Partition partition) const;
  bool UsersLoaded() const;
  base::Status Readiness() const;

  RunOptions options_;
  const int64_t started_ms_ = base::SystemClock::Instance().NowMs();
  const ReadyFile ready_file_;
  const stages::Topics topics_;
  base::Metrics metrics_;
  std::optional<TemporaryDirectory> temporary_;
  std::unique_ptr<pipeline::EmbeddedBroker> embedded_;
  std::unique_ptr<pipeline::KafkaClients> clients_;
  std::optional<pipeline::Topology> topology_;
  std::unique_ptr<pipeline::AsyncProducer> producer_;
  /// The producer, when it counts what is unread (embedded broker).
  EventBacklog* backlog_ = nullptr;
  std::unique_ptr<pipeline::Engine> engine_;
  base::Mutex mutex_;
  /// The engine, for the signal thread, while there is one.
  pipeline::Engine* to_wake_ GUARDED_BY(mutex_) = nullptr;
  /// Where the users table stands once it holds the users file.
  std::map<base::Partition, base::Offset> users_loaded_at_;
  std::optional<HeartbeatProbe> heartbeats_;
  std::unique_ptr<serving::HttpForwarder> forwarder_;
  std::unique_ptr<serving::InboxService> service_;
  std::unique_ptr<serving::HttpServer> http_;
  std::vector<std::string> http_addresses_;
};

base::Status Run::MakeStateDirectory() {
  if (!options_.state_dir.empty()) return base::Status::Ok();
  temporary_.emplace();
  if (temporary_->path().empty()) {
    return base::Status::Fatal("no temporary directory can be made; give --state-dir");
  }
  options_.state_dir = temporary_->path();
  return base::Status::Ok();
}

base::Status Run::StartBroker() {
  if (!options_.embedded) return base::Status::Ok();
  auto broker = pipeline::EmbeddedBroker::Start({});
  if (!broker.ok()) return broker.status();
  embedded_ = std::move(*broker);
  options_.brokers = embedded_->address();
  base::LogInfo("embedded broker: in memory, for trying Herald. at_least_once, one thread, empty at "
                "each start, no changelog; it keeps some 5 MiB a partition",
                {{"brokers", options_.brokers}});
  return base::Status::Ok();
}

base::Status Run::StartEngine(const std::atomic<bool>& stopping) {
  pipeline::LibrdkafkaOptions kafka;
  kafka.brokers = options_.brokers;
  kafka.properties = options_.parsed_properties;
  kafka.delivery_retries = options_.retries;
  kafka.embedded_broker = embedded_.get();
  kafka.metrics = &metrics_;
  auto clients = pipeline::NewLibrdkafkaClients(kafka);
  if (!clients.ok()) return clients.status();
  clients_ = std::move(*clients);
  stages::InboxLimits limits;
  limits.items_max = options_.inbox_items_max;
  limits.age_max_ms = options_.parsed_inbox_age_max.count();
  topology_.emplace(
      stages::BuildNotificationTopology(topics_, limits, stages::CountIn(metrics_)));
  engine_ = std::make_unique<pipeline::Engine>(
      *topology_, MakeEngineConfig(options_, topics_), ProductTopics(topics_), options_.partitions,
      *clients_, base::SystemClock::Instance(), metrics_);
  {
    const base::MutexLock lock(mutex_);
    to_wake_ = engine_.get();
  }
  RETURN_IF_ERROR(engine_->Start(stopping));
  auto producer = clients_->NewAsyncProducer();
  if (!producer.ok()) return producer.status();
  producer_ = std::move(*producer);
  if (options_.embedded) {
    auto backlog = std::make_unique<EventBacklog>(
        std::move(producer_), topics_.events,
        [this](base::Partition partition) { return EventsPosition(partition); });
    backlog_ = backlog.get();
    producer_ = std::move(backlog);
  }
  if (!options_.users_file.empty()) {
    auto loaded = LoadUsersFile(options_.users_file, topics_.users,
                                engine_->PartitionCount(topics_.users), *producer_, kUsersTimeout);
    if (!loaded.ok()) return loaded.status();
    users_loaded_at_ = std::move(*loaded);
  }
  return base::Status::Ok();
}

base::Status Run::Readiness() const {
  const pipeline::EngineStatus status = engine_->Status();
  if (!status.ready) return base::Status::Unavailable("waiting for " + status.waiting_for);
  if (!UsersLoaded()) return base::Status::Unavailable("waiting for the users file to be loaded");
  return base::Status::Ok();
}

bool Run::UsersLoaded() const {
  const pipeline::GlobalTableBase& table = *topology_->global_tables().front();
  for (const auto& [partition, position] : users_loaded_at_) {
    if (table.Position(partition) < position) return false;
  }
  return true;
}

base::Status Run::Start(const std::atomic<bool>& stopping) {
  metrics_
      .AddGauge("herald_build_info", "Always 1; what this process is made of, as labels.",
                {{"version", std::string(base::BuildVersion())},
                 {"librdkafka", pipeline::LibrdkafkaVersion()},
                 {"rocksdb", state::RocksDbVersion()}})
      .Set(1);
  base::AddProcessMetrics(metrics_);
  RETURN_IF_ERROR(ready_file_.Remove());
  RETURN_IF_ERROR(MakeStateDirectory());
  RETURN_IF_ERROR(StartBroker());
  RETURN_IF_ERROR(StartEngine(stopping));
  return StartHttp();
}

std::optional<base::Offset> Run::EventsPosition(base::Partition partition) const {
  for (const pipeline::TaskReport& task : engine_->Status().tasks) {
    for (const auto& [tp, position] : task.inputs) {
      if (tp.topic == topics_.events && tp.partition == partition) return position;
    }
  }
  return std::nullopt;
}

serving::Backend Run::MakeBackend() {
  serving::Backend backend;
  backend.stores = &engine_->stores();
  backend.events_partitions = engine_->PartitionCount(topics_.events);
  backend.users_partitions = engine_->PartitionCount(topics_.users);
  backend.notifications_partitions = engine_->PartitionCount(topics_.notifications);
  backend.topics = topics_;
  backend.producer = producer_.get();
  // Kept pages take it from the databases, as they come.
  backend.kept_pages_bytes_max = (options_.memory_mib << 20) / kKeptPagesShare;
  backend.kept_pages_bytes = [this](size_t bytes) { engine_->LendMemory(bytes); };
  backend.metrics = &metrics_;
  backend.clock = &base::SystemClock::Instance();
  auto users = std::static_pointer_cast<pipeline::GlobalTable<stages::User>>(
      topology_->global_tables().front());
  backend.users_position = [users](base::Partition partition) { return users->Position(partition); };
  backend.find_user = [users](std::string_view id) { return users->Get(id); };
  backend.status_json = [this] {
    return StatusJson(engine_->Status(), options_.parsed_role, options_.parsed_guarantee,
                      options_.brokers, started_ms_);
  };
  backend.readiness = [this] { return Readiness(); };
  backend.positions = &engine_->positions();
  backend.action_timeout = milliseconds(options_.action_timeout_ms);
  backend.find_owner = [this](base::Partition partition) {
    return engine_->FindOwner({topics_.notifications, partition});
  };
  if (options_.standby_replicas > 0) {
    backend.find_standby = [this](base::Partition partition) {
      return engine_->FindStandby({topics_.notifications, partition});
    };
  }
  backend.takes_events = options_.parsed_role != Role::kProcess;
  backend.instance_name = options_.application_id + "/" + engine_->instance_id();
  backend.forwarder = forwarder_.get();
  if (backlog_ != nullptr) {
    backend.events_backlogged = [this](base::Partition partition) {
      return backlog_->IsFull(partition);
    };
  }
  return backend;
}

void Run::StartHeartbeats() {
  if (!topics_.has_heartbeats()) return;
  HeartbeatProbe::Options options;
  options.heartbeats_topic = topics_.heartbeats;
  options.echoes_topic = topics_.heartbeat_echoes;
  options.instance = engine_->instance_id();
  options.partitions = engine_->PartitionCount(topics_.heartbeats);
  options.interval = milliseconds(options_.heartbeat_interval_ms);
  heartbeats_.emplace(
      std::move(options),
      [this](base::Partition partition) {
        const auto owner = engine_->FindOwner({topics_.heartbeats, partition});
        return owner.has_value() && !owner->self;
      },
      *producer_, engine_->stores(), engine_->positions(), base::SystemClock::Instance(), metrics_);
}

void Run::Advertise() {
  // Who has no partitions is asked by nobody.
  if (options_.embedded || options_.parsed_role == Role::kIngest) return;
  std::string address = options_.advertise;
  if (address.empty()) {
    address = http_addresses_.front();
    if (address.starts_with("0.0.0.0:") || address.starts_with("[::]:")) {
      base::LogWarn("other instances are told of an address that means any; give --advertise "
                    "ADDR:PORT when there is more than one machine",
                    {{"advertised", address}});
    }
  }
  engine_->Advertise(address, *producer_);
}

base::Status Run::StartHttp() {
  if (!options_.embedded) {
    serving::ForwarderLimits limits;
    // Whoever gets the request may take its whole time for it.
    limits.request_timeout =
        std::max(limits.request_timeout, milliseconds(options_.action_timeout_ms) + kForwardingTime);
    forwarder_ = std::make_unique<serving::HttpForwarder>(options_.application_id, limits, &metrics_);
  }
  serving::HttpServer::Options http;
  http.listen = options_.listen;
  http.threads = kHttpThreads;
  if (options_.embedded) http.limits.body_bytes_max = kEmbeddedBodyBytesMax;
  http.metrics = &metrics_;
  http_ = std::make_unique<serving::HttpServer>(std::move(http));
  service_ = std::make_unique<serving::InboxService>(MakeBackend(), http_->timers());
  auto bound = http_->Start(service_->handler());
  if (!bound.ok()) return bound.status();
  http_addresses_ = std::move(*bound);
  for (const std::string& address : http_addresses_) {
    base::LogInfo("listening", {{"http", address}});
  }
  Advertise();
  StartHeartbeats();
  return base::Status::Ok();
}

base::Status Run::Serve(const std::atomic<bool>& stopping) {
  bool ready = false;
  while (!stopping) {
    // Before ready this also looks whether it is; afterwards it only waits to be woken.
    const milliseconds wait = ready ? milliseconds(60'000) : kReadyLookEvery;
    RETURN_IF_ERROR(engine_->WaitForFailure(wait));
    base::WriteLogRepeats(/*all=*/false);
    if (!ready && Readiness().ok()) {
      ready = true;
      RETURN_IF_ERROR(ready_file_.Write(http_addresses_, options_.brokers));
      base::LogInfo("ready", {{"brokers", options_.brokers}, {"http", http_addresses_.front()}});
    }
  }
  return base::Status::Ok();
}

void Run::Stop(int exit_code) {
  const StopWatchdog watchdog(exit_code);
  heartbeats_.reset();
  // Requests first: none may see an engine that is half gone.
  if (http_ != nullptr) http_->Stop(kHttpStopTime);
  if (engine_ != nullptr) engine_->Stop();
  // What still waits is answered as these go, through routes that look at the engine's stores.
  forwarder_.reset();
  producer_.reset();
  {
    const base::MutexLock lock(mutex_);
    to_wake_ = nullptr;
  }
  engine_.reset();
  http_.reset();
  service_.reset();
  clients_.reset();
}

/// One level more is logged; trace is the last.
void MoreLog() {
  const base::LogLevel level = base::GetLogLevel();
  base::ChangeLogLevel(level == base::LogLevel::kTrace
                           ? level
                           : static_cast<base::LogLevel>(static_cast<int>(level) - 1));
}

}  // namespace

int RunHerald(RunOptions options) {
  base::LogOptions log;
  log.level = options.parsed_log_level;
  log.format = options.parsed_log_format;
  log.file = options.log_file;
  log.rotation_size_bytes = options.log_rotation_size_mib << 20;
  log.rotation_count = options.log_rotation_count;
  if (const base::Status opened = base::ConfigureLog(log); !opened.ok()) {
    base::LogError("herald ends", {{"why", opened.ToString()}});
    return kExitFailure;
  }
  Run* running = nullptr;
  base::Mutex mutex;
  const auto on_stop = [&] {
    const base::MutexLock lock(mutex);
    base::LogInfo("stopping");
    if (running != nullptr) running->OnSignal();
  };
  Signals signals(on_stop, MoreLog, [level = log.level] { base::ChangeLogLevel(level); });
  base::LogInfo("herald starts",
                {{"version", base::BuildVersion()},
                 {"role", RoleName(options.parsed_role)},
                 {"guarantee", options.parsed_guarantee == pipeline::Guarantee::kExactlyOnce
                                   ? "exactly_once"
                                   : "at_least_once"}});
  for (const std::string& warning : options.warnings) base::LogWarn(warning);
  Run run(std::move(options));
  {
    const base::MutexLock lock(mutex);
    running = &run;
  }
  base::Status status = run.Start(signals.stopping());
  if (status.ok()) status = run.Serve(signals.stopping());
  run.Stop(signals.stopping() ? 0 : kExitFailure);
  {
    const base::MutexLock lock(mutex);
    running = nullptr;
  }
  if (signals.stopping()) {
    base::LogInfo("stopped");
    base::WriteLogRepeats(/*all=*/true);
    return 0;
  }
  base::WriteLogRepeats(/*all=*/true);
  base::LogError("herald ends", {{"why", status.ToString()}});
  // Whoever started it looks here first.
  if (!log.file.empty()) {
    std::cerr << "herald ends: " << status.ToString() << "\n(its log is " << log.file << ")\n";
  }
  return kExitFailure;
}

}  // namespace app
