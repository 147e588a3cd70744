#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace state {

/// The writes of one store that wait for a commit, ordered by key, with an undo log of the writes
/// of the current record.
///
/// Threads: one.
class PendingWrites {
 public:
  /// A nullopt value is a delete.
  using Value = std::optional<std::string>;
  using Map = std::map<std::string, Value, std::less<>>;
  using Iterator = Map::const_iterator;

  PendingWrites() = default;
  PendingWrites(const PendingWrites&) = delete;
  PendingWrites& operator=(const PendingWrites&) = delete;

  /// The pending value under `key`, or nullptr when nothing is pending there.
  const Value* Find(std::string_view key) const;

  void Write(std::string_view key, Value value);

  /// Writes after this can be taken back by RollbackRecord(), those before no more.
  void BeginRecord() { undo_.clear(); }
  void RollbackRecord();

  void Clear();

  bool empty() const { return map_.empty(); }
  size_t size() const { return map_.size(); }
  /// Of keys and values.
  size_t bytes() const { return bytes_; }

  Iterator begin() const { return map_.begin(); }
  Iterator end() const { return map_.end(); }
  /// Those with begin <= key < end; an empty `end` means no upper bound.
  std::pair<Iterator, Iterator> Range(std::string_view begin, std::string_view end) const;

 private:
  struct Undo {
    Map::iterator entry;
    /// What was pending before; nullopt when nothing was.
    std::optional<Value> before;
  };

  Map map_;
  std::vector<Undo> undo_;
  size_t bytes_ = 0;
};

}  // namespace state
