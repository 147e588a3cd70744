#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/status.h"

namespace pipeline {

/// The directory in which one instance keeps its tasks, its identity, and what it must remember
/// about the cluster it belongs to. One process at a time: the directory is locked while open.
///
///   LOCK          flock()ed
///   INSTANCE      lines of `name=value`: instance id, highest slot, cluster id, topic ids
///   tasks/1_3/    RocksDB of task 1_3
///   global/users/ RocksDB of a global table
///
/// Threads: the engine's, before its threads start; TaskDirectory() and GlobalDirectory() any.
class StateDirectory {
 public:
  /// Before the name of a changelog: the value is the id of the topic that the rows belong to.
  static constexpr std::string_view kTopicIdName = "topic-id:";

  /// Whether there is a state directory, opened by whomever.
  static bool IsThere(const std::filesystem::path& path);

  /// Creates the directory when it is missing and locks it.
  /// Errors: Fatal when it is in use by another process, or cannot be written; both name the path.
  static base::Result<StateDirectory> Open(const std::filesystem::path& path);

  StateDirectory(StateDirectory&& other) noexcept;
  StateDirectory& operator=(StateDirectory&&) = delete;
  ~StateDirectory();

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path TaskDirectory(const base::TaskId& task) const;
  std::filesystem::path GlobalDirectory(const std::string& topic) const;

  /// A remembered value; empty when there is none.
  std::string Get(const std::string& name) const;
  /// Remembers it for good (write, fsync, rename).
  base::Status Set(const std::string& name, const std::string& value);

  /// Moves tasks, global tables and remembered values (but the instance id) into a sub-directory
  /// `aside-<n>` and starts empty.
  base::Status MoveAside();

  /// Deletes tasks and global tables.
  base::Status Clear();

  /// The tasks that have a directory, by its name.
  std::vector<std::string> Tasks() const;
  /// The changelogs that the rows belong to; empty when there never were any.
  std::vector<std::string> Changelogs() const;
  /// Deletes the tasks and forgets which changelogs they belonged to; global tables stay.
  base::Status ForgetTasks();

 private:
  StateDirectory(std::filesystem::path path, int lock) : path_(std::move(path)), lock_(lock) {}
  base::Status Load();
  base::Status Save() const;
  /// Deletes what is in this sub-directory.
  base::Status Empty(const char* part);

  std::filesystem::path path_;
  int lock_ = -1;
  std::map<std::string, std::string> values_;
};

}  // namespace pipeline
