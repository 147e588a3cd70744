#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/status.h"
#include "state/task_state.h"

namespace support {

/// Task states in memory, with the contract of those in RocksDB: a stand-in for a machine's disk
/// where thousands of processes live and die in a second. Outlives the processes.
///
/// A database is named by its directory; nothing is made in the file system. Each write to it is
/// one batch, and those since it was opened last can still be lost from the end, as RocksDB's
/// write-ahead log can.
///
/// Threads: any. The troubles are for while no process has the databases open.
class MemoryTaskStates : public state::TaskStates {
 public:
  MemoryTaskStates() = default;
  MemoryTaskStates(const MemoryTaskStates&) = delete;
  MemoryTaskStates& operator=(const MemoryTaskStates&) = delete;
  ~MemoryTaskStates() override;

  base::Result<std::unique_ptr<state::TaskState>> Open(
      const state::TaskState::Options& options) override;
  base::Status Destroy(const std::filesystem::path& directory) override;

  /// The directories of all databases there are.
  std::vector<std::filesystem::path> Databases() const;
  /// Writes that LoseTail() can take back.
  size_t TailBatches(const std::filesystem::path& directory) const;
  /// The newest batches are lost. REQUIRES: batches <= TailBatches().
  void LoseTail(const std::filesystem::path& directory, size_t batches);
  /// Open() finds the rows unreadable, until Destroy().
  void Spoil(const std::filesystem::path& directory);
  /// Another machine: no database is there.
  void Lose();

  /// Keeps a copy of all databases, for PutBack().
  void Remember();
  /// What was remembered; empty when nothing is.
  std::vector<std::filesystem::path> Remembered() const;
  /// One database is again as it was remembered.
  void PutBack(const std::filesystem::path& directory);
  /// All are; those that came later are gone.
  void PutBackAll();

  struct Database;

 private:
  using ByDirectory = std::map<std::filesystem::path, std::shared_ptr<Database>>;

  Database* Find(const std::filesystem::path& directory) const;

  mutable std::mutex mutex_;
  ByDirectory databases_;
  ByDirectory remembered_;
};

}  // namespace support
