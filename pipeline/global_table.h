#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/ids.h"
#include "base/mutex.h"
#include "base/status.h"
#include "pipeline/record.h"
#include "pipeline/serde.h"
#include "state/task_state.h"

namespace pipeline {

/// Decoded values kept in memory by all tables of one type at most, in entries.
inline constexpr size_t kGlobalTableCacheEntries = 65536;

/// A table that every instance holds whole, from a compacted topic; the untyped half that the
/// engine's global thread writes.
///
/// Threads: Attach(), Applied() and MovePosition() from the global thread, reads from any.
class GlobalTableBase {
 public:
  explicit GlobalTableBase(std::string topic) : topic_(std::move(topic)) {}
  virtual ~GlobalTableBase() = default;

  const std::string& topic() const { return topic_; }

  /// Refuses a value that cannot be decoded (InvalidArgument), before it is stored.
  virtual base::Status Validate(const RawRecord& record) = 0;

  /// From now on reads come from `reader`, store kStore; nullptr: the table is empty.
  void Attach(std::shared_ptr<const state::TaskReader> reader);

  /// `key` was changed by a commit that readers see now.
  virtual void Applied(std::string_view key) = 0;

  /// The stored bytes under `key`; nullopt also before Attach().
  base::Result<std::optional<std::string>> GetBytes(std::string_view key) const;

  /// A look-up found a row that cannot be read; until the next Attach().
  bool corrupt() const { return corrupt_; }

  /// Everything of the topic's partition before this position can be read from the table.
  base::Offset Position(base::Partition partition) const;
  /// REQUIRES: the rows are committed and Applied() was called for each of them.
  void MovePosition(base::Partition partition, base::Offset position);

  static constexpr std::string_view kStore = "global";

 private:
  const std::string topic_;
  mutable base::Mutex mutex_;
  std::map<base::Partition, base::Offset> positions_ GUARDED_BY(mutex_);
  std::shared_ptr<const state::TaskReader> reader_ GUARDED_BY(mutex_);
  mutable std::atomic<bool> corrupt_{false};
};

/// A global table with decoded, cached values.
template <Decodable T>
class GlobalTable : public GlobalTableBase {
 public:
  using GlobalTableBase::GlobalTableBase;

  /// The value under `key`, or nullptr when there is none. Threads: any.
  /// Errors: Corruption when the row cannot be read back.
  base::Result<std::shared_ptr<const T>> Get(std::string_view key) const {
    Shard& shard = ShardOf(key);
    uint64_t changes = 0;
    {
      const base::MutexLock lock(shard.mutex);
      if (const auto it = shard.values.find(key); it != shard.values.end()) return it->second;
      changes = shard.changes;
    }
    auto bytes = GetBytes(key);
    if (!bytes.ok()) return bytes.status();
    std::shared_ptr<const T> value;
    if (bytes->has_value()) {
      RawRecord record;
      record.key = key;
      record.value = **bytes;
      auto decoded = Serde<T>().Decode(record);
      if (!decoded.ok()) return base::Status::Corruption("global table " + topic() + ": " +
                                                         decoded.status().message());
      value = std::make_shared<const T>(std::move(*decoded));
    }
    const base::MutexLock lock(shard.mutex);
    // A change between the read and now would make this value stale for good: do not keep it then.
    if (shard.changes == changes) {
      if (shard.values.size() >= kGlobalTableCacheEntries / kShards) shard.values.clear();
      shard.values.emplace(std::string(key), value);
    }
    return value;
  }

  base::Status Validate(const RawRecord& record) override {
    if (!record.value.has_value()) return base::Status::Ok();
    return validator_.Decode(record).status();
  }

  void Applied(std::string_view key) override {
    Shard& shard = ShardOf(key);
    const base::MutexLock lock(shard.mutex);
    ++shard.changes;
    if (const auto it = shard.values.find(key); it != shard.values.end()) shard.values.erase(it);
  }

 private:
  static constexpr size_t kShards = 16;
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  struct Shard {
    base::Mutex mutex;
    std::unordered_map<std::string, std::shared_ptr<const T>, Hash, std::equal_to<>> values
        GUARDED_BY(mutex);
    uint64_t changes GUARDED_BY(mutex) = 0;
  };

  Shard& ShardOf(std::string_view key) const {
    return shards_[std::hash<std::string_view>()(key) % kShards];
  }

  mutable std::array<Shard, kShards> shards_;
  Serde<T> validator_;
};

}  // namespace pipeline
