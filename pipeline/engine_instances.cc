// The engine's instances thread: where the other instances are, and which of them has what.

#include <algorithm>
#include <exception>
#include <set>
#include <utility>

#include "base/log.h"
#include "pipeline/engine.h"
#include "pipeline/partitioner.h"
#include "pipeline/standby_plan.h"

namespace pipeline {
namespace {

constexpr std::chrono::milliseconds kAskEvery{1000};
// When somebody waits for the answer.
constexpr std::chrono::milliseconds kAskEveryWhenWanted{100};
// Without an answer for so long, what was known is forgotten. Until then it may be old, which does no
// harm: whoever is asked in an owner's name looks whether it is one. Long, since nobody can be asked
// while a broker is dead.
constexpr std::chrono::minutes kOwnersKept{30};
// Short, for stopping waits for it.
constexpr std::chrono::milliseconds kAskTimeout{1000};
constexpr std::chrono::milliseconds kEndTransactionsTimeout{2000};
constexpr std::chrono::milliseconds kAdvertiseEvery{1000};
constexpr std::chrono::milliseconds kRetryWait{500};
// Until it is looked again whether this instance is to keep warm copies.
constexpr std::chrono::milliseconds kNoStandbysWait{200};
constexpr std::chrono::milliseconds kStandbysRestartWait{5000};

}  // namespace

TopicSpec Engine::InstancesTopic() const {
  TopicSpec spec;
  spec.name = config_.topic_prefix + config_.application_id + "-instances";
  spec.cleanup_policy = "compact";
  spec.partitions = 1;
  return spec;
}

void Engine::Advertise(const std::string& address, AsyncProducer& producer) {
  const base::MutexLock lock(mutex_);
  advertised_ = {address, clock_.NowMs()};
  advertiser_ = &producer;
}

std::optional<Instance> Engine::FindOwner(const base::TopicPartition& tp) {
  if (!instances_.has_value()) return std::nullopt;
  std::optional<Instance> owner = instances_->FindOwner(tp);
  if (!owner.has_value() || owner->self) owners_wanted_ = true;
  return owner;
}

void Engine::RunInstances(const std::stop_token& stop) {
  GlobalTableLoader loader(*shared_, *addresses_, described_.at(addresses_->topic()));
  bool open = false;
  bool instances_read = false;
  while (!stop.stop_requested()) {
    // Waits a moment for records; that is this loop's pace.
    const base::Status read = open ? loader.RunOnce() : loader.Open();
    if (read.ok()) {
      open = true;
    } else if (read.code() == base::StatusCode::kUnavailable) {
      base::LogDebug("the instances' addresses cannot be read now", {{"why", read.message()}});
      if (!Pause(stop, kRetryWait)) return;
    } else {
      Fail(read.WithContext("the table of instances"));
      return;
    }
    if (open && loader.caught_up() && !instances_read) {
      instances_read = true;
      const base::MutexLock lock(mutex_);
      instances_read_ = true;
      changed_.NotifyAll();
    }
    AskTheGroup();
    if (open && loader.caught_up()) AdvertiseWhenDue();
  }
}

void Engine::AskTheGroup() {
  const std::chrono::nanoseconds now = clock_.Monotonic();
  const auto every = owners_wanted_ ? kAskEveryWhenWanted : kAskEvery;
  if (now - group_asked_ < every) return;
  group_asked_ = now;
  owners_wanted_ = false;
  auto group = clients_.admin().DescribeGroup(config_.application_id, kAskTimeout);
  if (group.ok()) {
    group_answered_ = now;
    instances_->Refresh(*group);
    if (group->stable) PlanStandbys();
    // Left to those who are waiting for these transactions' end.
    if (config_.threads == 0) return;
    departed_->Refresh(*group, now);
    EndTransactionsOfDeparted();
    return;
  }
  base::LogDebug("the group was not described", {{"why", group.status().message()}});
  if (now - group_answered_ >= kOwnersKept) instances_->Forget();
}

void Engine::PlanStandbys() {
  if (!standbys_.has_value()) return;
  const std::vector<std::string> members = instances_->Members();
  std::set<base::TaskId> wanted;
  for (int32_t subtopology = 0; subtopology < topology_.subtopology_count(); ++subtopology) {
    // A copy is made from a changelog.
    const std::vector<state::StoreSpec> stores = topology_.StoreSpecs(subtopology);
    if (std::none_of(stores.begin(), stores.end(),
                     [](const state::StoreSpec& store) { return store.changelog; })) {
      continue;
    }
    int32_t partitions = 0;
    for (const std::string& topic : topology_.SourceTopics(subtopology)) {
      partitions = std::max(partitions, PartitionCount(topic));
    }
    for (int32_t partition = 0; partition < partitions; ++partition) {
      const base::TaskId id{subtopology, base::Partition{partition}};
      const auto standbys =
          StandbyInstances(id.partition, partitions, members,
                           static_cast<size_t>(config_.standby_replicas));
      if (std::find(standbys.begin(), standbys.end(), instance_id_) != standbys.end()) {
        wanted.insert(id);
      }
    }
  }
  standbys_->Want(std::move(wanted));
}

std::optional<Instance> Engine::FindStandby(const base::TopicPartition& tp) const {
  if (!standbys_.has_value()) return std::nullopt;
  for (const std::string& id :
       StandbyInstances(tp.partition, PartitionCount(tp.topic), instances_->Members(),
                        static_cast<size_t>(config_.standby_replicas))) {
    Instance instance = instances_->Find(id);
    if (!instance.self && !instance.address.empty()) return instance;
  }
  return std::nullopt;
}

void Engine::RunStandbys(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    base::Status status;
    try {
      status = standbys_->RunOnce();
    } catch (const std::exception& exception) {
      status = base::Status::Internal(std::string("exception: ") + exception.what());
    }
    if (status.code() == base::StatusCode::kFatal) return Fail(status.WithContext("warm copies"));
    if (status.code() == base::StatusCode::kUnavailable) {
      base::LogDebug("warm copies wait for the cluster", {{"why", status.message()}});
      Pause(stop, kRetryWait);
    } else if (!status.ok()) {
      // They are copies: no reason to end what works.
      base::LogError("warm copies failed and are opened anew", {{"why", status.ToString()}});
      standbys_->StartOver();
      Pause(stop, kStandbysRestartWait);
    } else if (standbys_->Tasks().empty()) {
      Pause(stop, kNoStandbysWait);
    }
  }
}

void Engine::EndTransactionsOfDeparted() {
  if (config_.guarantee != Guarantee::kExactlyOnce) return;
  const auto ended = departed_->EndOne(clock_.Monotonic(), kEndTransactionsTimeout);
  if (!ended.ok()) {
    base::LogWarn("the transactions of a member that left are not ended yet, trying on",
                  {{"why", ended.status().message()}});
  } else if (!ended->empty()) {
    base::LogInfo("ended what a member that left may have had open", {{"member", *ended}});
  }
}

std::optional<std::string> Engine::FindNamesake() const {
  if (!addresses_.has_value()) return std::nullopt;
  InstanceRecord own;
  {
    const base::MutexLock lock(mutex_);
    if (advertiser_ == nullptr) return std::nullopt;
    own = advertised_;
  }
  const auto known = addresses_->Get(instance_id_);
  if (!known.ok() || *known == nullptr || (*known)->address == own.address) return std::nullopt;
  // Whole seconds are told. Of two that began within one the lower address stays.
  const int64_t own_second = own.started_ms / 1000;
  const int64_t other_second = (*known)->started_ms / 1000;
  const bool other_stays = other_second != own_second ? other_second > own_second
                                                      : (*known)->address < own.address;
  if (!other_stays) return std::nullopt;
  return (*known)->address;
}

/// Until it reads its own address back: the record may get lost on its way, or another process of
/// this name may have written its own.
void Engine::AdvertiseWhenDue() {
  const std::chrono::nanoseconds now = clock_.Monotonic();
  if (now - advertised_at_ < kAdvertiseEvery) return;
  AsyncProducer* producer = nullptr;
  InstanceRecord record;
  {
    const base::MutexLock lock(mutex_);
    producer = advertiser_;
    record = advertised_;
  }
  if (producer == nullptr) return;
  const auto known = addresses_->Get(instance_id_);
  if (known.ok() && *known != nullptr && (*known)->address == record.address) return;
  advertised_at_ = now;
  std::string value;
  Serde<InstanceRecord>().Encode(record, value);
  const std::string& topic = addresses_->topic();
  producer->Produce(topic, PartitionForKey(instance_id_, PartitionCount(topic)), instance_id_,
                    value, [](const base::Result<base::Offset>& outcome) {
                      if (outcome.ok()) return;
                      base::LogWarn("the address of this instance was not written, trying on",
                                    {{"why", outcome.status().message()}});
                    });
}

}  // namespace pipeline
