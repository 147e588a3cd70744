#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace state {

/// The bytes of many keys, freed together.
class KeyArena {
 public:
  /// A copy of `key` that stays until Clear().
  std::string_view Add(std::string_view key);
  void Clear();

 private:
  std::vector<std::unique_ptr<char[]>> blocks_;
  size_t used_blocks_ = 0;
  size_t used_bytes_ = 0;  // Of the last used block.
};

/// The writes of one store that wait for a commit, with an undo log of the writes of the current
/// record.
///
/// A hash table, put in order only when somebody asks for it: three times as fast as an ordered
/// map for what stages do (a few reads and writes an event, two walks a commit). Writes since the
/// last walk stand in a tail; a scan sorts what it needs of a short tail and merges a long one in,
/// so that a scan after each write stays cheap.
///
/// Threads: one.
class PendingWrites {
 public:
  struct Entry {
    std::string_view key;
    /// nullopt is a delete.
    std::optional<std::string> value;
  };

  /// An entry with the first bytes of its key, which decide most comparisons.
  struct Ordered {
    uint64_t begin = 0;
    const Entry* entry = nullptr;
  };

  /// Walks the entries of a range in one direction. Valid until the next write.
  class Cursor {
   public:
    bool Valid() const { return !sorted_.empty() || !tail_.empty(); }
    const Entry& entry() const { return *(FromTail() ? Next(tail_) : Next(sorted_)).entry; }
    void Advance();

   private:
    friend class PendingWrites;
    const Ordered& Next(std::span<const Ordered> part) const {
      return reverse_ ? part.back() : part.front();
    }
    bool FromTail() const;

    std::span<const Ordered> sorted_;
    std::span<const Ordered> tail_;
    std::vector<Ordered> tail_entries_;
    bool reverse_ = false;
  };

  PendingWrites() = default;
  PendingWrites(const PendingWrites&) = delete;
  PendingWrites& operator=(const PendingWrites&) = delete;

  /// The write that waits under `key`, or nullptr. Valid until the next write.
  const Entry* Find(std::string_view key) const;

  /// Puts `value` under `key`, or deletes what is there when it is nullopt.
  void Write(std::string_view key, std::optional<std::string> value);

  /// Writes after this can be taken back by RollbackRecord(), those before no more.
  void BeginRecord() { undo_.clear(); }
  void RollbackRecord();

  void Clear();

  bool empty() const { return entries_.empty(); }
  /// Of keys and values.
  size_t bytes() const { return bytes_; }

  /// All entries, ascending. Valid until the next write.
  std::span<const Ordered> Sorted() const;

  /// The entries with begin <= key < end (an empty `end`: no upper bound), from the first on or,
  /// with `reverse`, from the last back. The cursor does not move: it points into itself.
  std::unique_ptr<Cursor> Range(std::string_view begin, std::string_view end, bool reverse) const;

 private:
  struct Undo {
    Entry* entry = nullptr;
    /// False when nothing was pending under the key before.
    bool existed = false;
    std::optional<std::string> before;
  };

  void MergeTail() const;

  // The table and the order point into the deque, whose elements stay where they are.
  std::deque<Entry> entries_;
  boost::unordered_flat_map<std::string_view, Entry*> table_;
  KeyArena keys_;
  std::vector<Undo> undo_;
  size_t bytes_ = 0;

  /// The first sorted_.size() entries, ordered; those after them are the tail.
  mutable std::vector<Ordered> sorted_;
};

}  // namespace state
