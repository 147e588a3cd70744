#include "pipeline/store_registry.h"

namespace pipeline {

void StoreRegistry::Publish(std::string_view store, base::Partition partition,
                            std::shared_ptr<const state::TaskReader> reader, int slot) {
  const std::lock_guard lock(mutex_);
  stores_[{std::string(store), partition}] = {{StoreLookup::Where::kHere, std::move(reader)}, slot};
}

void StoreRegistry::PublishRestoring(std::string_view store, base::Partition partition, int slot) {
  const std::lock_guard lock(mutex_);
  stores_[{std::string(store), partition}] = {{StoreLookup::Where::kRestoring, nullptr}, slot};
}

void StoreRegistry::Unpublish(std::string_view store, base::Partition partition, int slot) {
  const std::lock_guard lock(mutex_);
  const auto it = stores_.find({std::string(store), partition});
  if (it != stores_.end() && it->second.slot == slot) stores_.erase(it);
}

StoreLookup StoreRegistry::Find(std::string_view store, base::Partition partition) const {
  const std::lock_guard lock(mutex_);
  const auto it = stores_.find({std::string(store), partition});
  return it == stores_.end() ? StoreLookup{} : it->second.found;
}

}  // namespace pipeline
