#include "pipeline/global_table.h"

namespace pipeline {

void GlobalTableBase::Attach(std::shared_ptr<const state::TaskReader> reader) {
  const base::MutexLock lock(mutex_);
  reader_ = std::move(reader);
  corrupt_ = false;
}

base::Offset GlobalTableBase::Position(base::Partition partition) const {
  const base::MutexLock lock(mutex_);
  const auto it = positions_.find(partition);
  return it == positions_.end() ? base::Offset{0} : it->second;
}

void GlobalTableBase::MovePosition(base::Partition partition, base::Offset position) {
  const base::MutexLock lock(mutex_);
  positions_[partition] = position;
}

base::Result<std::optional<std::string>> GlobalTableBase::GetBytes(std::string_view key) const {
  std::shared_ptr<const state::TaskReader> reader;
  {
    const base::MutexLock lock(mutex_);
    reader = reader_;
  }
  if (reader == nullptr) return std::optional<std::string>();
  auto bytes = reader->Snapshot()->Store(kStore).Get(key);
  if (bytes.status().code() == base::StatusCode::kCorruption) corrupt_ = true;
  return bytes;
}

}  // namespace pipeline
