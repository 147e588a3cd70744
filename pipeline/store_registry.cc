#include "pipeline/store_registry.h"

namespace pipeline {

void StoreRegistry::Publish(std::string_view store, base::Partition partition,
                            std::shared_ptr<const state::TaskReader> reader, int slot) {
  const base::MutexLock lock(mutex_);
  stores_[{std::string(store), partition}] = {{StoreLookup::Where::kHere, std::move(reader)}, slot};
}

void StoreRegistry::PublishRestoring(std::string_view store, base::Partition partition, int slot) {
  const base::MutexLock lock(mutex_);
  stores_[{std::string(store), partition}] = {{StoreLookup::Where::kRestoring, nullptr}, slot};
}

void StoreRegistry::Unpublish(std::string_view store, base::Partition partition, int slot) {
  const base::MutexLock lock(mutex_);
  const auto it = stores_.find({std::string(store), partition});
  if (it != stores_.end() && it->second.slot == slot) stores_.erase(it);
}

StoreLookup StoreRegistry::Find(std::string_view store, base::Partition partition) const {
  const base::MutexLock lock(mutex_);
  const auto it = stores_.find({std::string(store), partition});
  if (it == stores_.end()) return {};
  const Entry& entry = it->second;
  if (entry.found.where == StoreLookup::Where::kHere &&
      ((pulse_ != nullptr && pulse_->Stale()) || Overdue(entry.slot))) {
    return {StoreLookup::Where::kRestoring, nullptr};
  }
  return entry.found;
}

void StoreRegistry::PublishStandby(std::string_view store, base::Partition partition,
                                   Standby standby) {
  const base::MutexLock lock(mutex_);
  standbys_[{std::string(store), partition}] = std::move(standby);
}

void StoreRegistry::SetStandbyLag(std::string_view store, base::Partition partition, int64_t lag) {
  const base::MutexLock lock(mutex_);
  const auto it = standbys_.find({std::string(store), partition});
  if (it != standbys_.end()) it->second.lag = lag;
}

void StoreRegistry::UnpublishStandby(std::string_view store, base::Partition partition) {
  const base::MutexLock lock(mutex_);
  standbys_.erase({std::string(store), partition});
}

StoreRegistry::Standby StoreRegistry::FindStandby(std::string_view store,
                                                  base::Partition partition) const {
  const base::MutexLock lock(mutex_);
  const auto it = standbys_.find({std::string(store), partition});
  return it == standbys_.end() ? Standby{} : it->second;
}

void StoreRegistry::Watch(const Pulse& pulse, const base::Clock& clock,
                          std::chrono::nanoseconds turn_max) {
  pulse_ = &pulse;
  clock_ = &clock;
  turn_max_ = turn_max;
}

void StoreRegistry::TurnBegins(int slot) {
  if (clock_ == nullptr || slot >= kSlotsMax) return;
  turns_ns_[static_cast<size_t>(slot)] = clock_->Monotonic().count();
}

bool StoreRegistry::Overdue(int slot) const {
  if (clock_ == nullptr || slot >= kSlotsMax) return false;
  const int64_t began = turns_ns_[static_cast<size_t>(slot)];
  return began != 0 && clock_->Monotonic().count() - began > turn_max_.count();
}

void StoreRegistry::WithdrawAll() {
  const base::MutexLock lock(mutex_);
  for (auto& [key, entry] : stores_) {
    if (entry.found.where != StoreLookup::Where::kHere) continue;
    entry.found = {StoreLookup::Where::kRestoring, nullptr};
  }
}

}  // namespace pipeline
