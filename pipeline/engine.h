#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "base/status.h"
#include "pipeline/crash_ledger.h"
#include "pipeline/departed_members.h"
#include "pipeline/engine_config.h"
#include "pipeline/engine_shared.h"
#include "pipeline/global_table.h"
#include "pipeline/global_table_loader.h"
#include "pipeline/instance_directory.h"
#include "pipeline/kafka_client.h"
#include "pipeline/position_watch.h"
#include "pipeline/pulse.h"
#include "pipeline/standby_tasks.h"
#include "pipeline/state_directory.h"
#include "pipeline/stream_thread.h"
#include "pipeline/topic_setup.h"
#include "pipeline/topology.h"

namespace pipeline {

class MonitorMetrics;

/// What /v1/status says of the engine.
struct EngineStatus {
  std::string instance_id;
  std::string cluster_id;
  bool ready = false;
  /// Why not ready; empty when ready.
  std::string waiting_for;
  std::vector<TaskReport> tasks;
  /// Records behind, by input: read_committed end minus committed position.
  std::map<base::TopicPartition, int64_t> lag;
  /// Tasks of other instances of which a warm copy is kept here.
  std::vector<base::TaskId> standbys;
  /// The group's instances with their shares; empty while the group has not said.
  std::vector<InstanceShare> instances;
};

/// Runs a topology on a cluster: checks and makes the topics, keeps the global tables, runs the
/// stream threads, watches the lag.
///
/// Threads: Start(), Stop() and the destructor from one thread; the rest from any.
class Engine {
 public:
  /// `topics` are the product's own; the engine adds the changelogs. All arguments outlive it.
  Engine(const Topology& topology, EngineConfig config, std::vector<TopicSpec> topics,
         int32_t default_partitions, KafkaClients& clients, const base::Clock& clock,
         base::Metrics& metrics);
  /// As a crash when Stop() was not called.
  ~Engine();

  /// Reaches the cluster, checks the state directory against it, makes the topics, starts the
  /// threads. Does not wait for restores; see Status().ready.
  /// Errors: Fatal with what to do about it; `interrupted` set from a signal ends the waiting.
  base::Status Start(const std::atomic<bool>& interrupted);

  /// Commits, leaves the group, ends the threads. Takes no longer than the configured time-outs.
  void Stop();

  /// Waits until the engine failed for good, Wake() was called, or the time is over; the failure,
  /// or ok.
  base::Status WaitForFailure(std::chrono::milliseconds timeout);
  /// Ends all waiting in Start() and WaitForFailure(), now and later.
  void Wake();

  /// Tells the other instances that this one answers requests at `address`, "ADDR:PORT", and goes
  /// on telling until it reads it back. REQUIRES: Start() was ok; called once; `producer` outlives
  /// the engine.
  void Advertise(const std::string& address, AsyncProducer& producer);

  EngineStatus Status() const;
  StoreRegistry& stores() { return stores_; }
  PositionWatch& positions() { return positions_; }
  /// Takes so many bytes, of all for the databases, for something else; replaces what was lent
  /// before. REQUIRES: bytes <= block_cache_bytes. Threads: any.
  void LendMemory(size_t bytes) { memory_.Lend(bytes); }
  /// REQUIRES: Start() was ok.
  const std::string& instance_id() const { return instance_id_; }
  /// Which instance has the partition; nullopt while nobody is known to. Who asks has found that it
  /// is not here: unless it is another's, the group is asked again soon.
  std::optional<Instance> FindOwner(const base::TopicPartition& tp);
  /// Another instance that keeps a warm copy of the task that reads `tp`, for when its owner is gone;
  /// nullopt: nobody is known to.
  std::optional<Instance> FindStandby(const base::TopicPartition& tp) const;
  /// REQUIRES: Start() was ok, and the topic is one of the engine's.
  int32_t PartitionCount(std::string_view topic) const;

 private:
  base::Status ReachCluster(const std::atomic<bool>& interrupted);
  base::Status CheckIdentity();
  base::Status SetUpTopics(const std::atomic<bool>& interrupted);
  base::Status CheckChangelogs(const std::map<std::string, TopicDescription>& described);
  base::Status RetireUnusedSlots();
  void RemoveCrashMarks(int first_slot);
  std::vector<TopicSpec> AllTopics(const std::map<std::string, TopicDescription>& described) const;

  void RunGlobalTables(const std::stop_token& stop);
  void RunStreamThread(const std::stop_token& stop, int slot);
  /// Opens tasks that have rows here for whichever thread is given them.
  void OpenAhead(const std::stop_token& stop, const std::vector<base::TaskId>& tasks);
  /// Waits until the group may be joined, which all threads do in the same moment.
  void AwaitJoining(const std::stop_token& stop, int slot);
  /// Runs one StreamThread until it is to stop, or fails.
  base::Status RunUntilFailure(const std::stop_token& stop, int slot);
  void RunPulse(const std::stop_token& stop);
  /// Another process that was started later under this instance's id; its address.
  std::optional<std::string> FindNamesake() const;
  void SetThreadReady(int slot, bool ready);
  void RunMonitor(const std::stop_token& stop);
  void RunInstances(const std::stop_token& stop);
  void RunStandbys(const std::stop_token& stop);
  void PlanStandbys();
  void AskTheGroup();
  void EndTransactionsOfDeparted();
  void AdvertiseWhenDue();
  TopicSpec InstancesTopic() const;
  void MeasureLag(MonitorMetrics& metrics);
  void MeasureDisk(const MonitorMetrics& metrics) const;
  void WatchTopics();
  void Fail(const base::Status& why);
  /// Waits; false when the engine is stopping.
  bool Pause(const std::stop_token& stop, std::chrono::milliseconds time);

  EngineConfig config_;
  const std::vector<TopicSpec> topics_;
  const int32_t default_partitions_;
  std::string instance_id_;
  std::string cluster_id_;
  /// As Start() found or made them.
  std::map<std::string, TopicDescription> described_;

  std::optional<StateDirectory> directory_;
  state::SharedMemory memory_;
  StoreRegistry stores_;
  TaskRegistry tasks_;
  PositionWatch positions_;
  std::optional<EngineShared> shared_;
  std::optional<GlobalTable<InstanceRecord>> addresses_;
  std::optional<InstanceDirectory> instances_;
  /// Of the instances thread.
  std::optional<DepartedMembers> departed_;
  std::optional<CrashLedger> crashes_;
  std::optional<Pulse> pulse_;
  std::optional<StandbyTasks> standbys_;

  const Topology& topology_;
  KafkaClients& clients_;
  const base::Clock& clock_;
  base::Metrics& metrics_;

  mutable base::Mutex mutex_;
  base::ConditionVariable changed_;
  base::Status failure_ GUARDED_BY(mutex_);
  bool woken_ GUARDED_BY(mutex_) = false;
  bool global_tables_ready_ GUARDED_BY(mutex_) = false;
  /// The table of instances was read to its end: crashes that others counted are known.
  bool instances_read_ GUARDED_BY(mutex_) = false;
  /// Threads that still open tasks ahead.
  size_t opening_ahead_ GUARDED_BY(mutex_) = 0;
  /// By slot: has done once what is possible before the group is joined.
  std::vector<bool> threads_prepared_ GUARDED_BY(mutex_);
  std::vector<bool> threads_ready_ GUARDED_BY(mutex_);
  std::map<base::TopicPartition, int64_t> lag_ GUARDED_BY(mutex_);
  /// What is advertised; no producer: nothing yet.
  AsyncProducer* advertiser_ GUARDED_BY(mutex_) = nullptr;
  InstanceRecord advertised_ GUARDED_BY(mutex_);
  /// Somebody has not found an owner: the group is to be asked.
  std::atomic<bool> owners_wanted_{false};
  /// Of the monitor thread: looks in a row at which a topic was not there.
  int topics_missing_ = 0;
  /// Of the instances thread.
  std::chrono::nanoseconds group_asked_{0};
  std::chrono::nanoseconds group_answered_{0};
  std::chrono::nanoseconds advertised_at_{0};

  // Last, so that they end before what they use.
  std::vector<std::jthread> threads_;
};

}  // namespace pipeline
