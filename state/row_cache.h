#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace state {

/// Committed rows of one store that its task reads again and again, such as counters: a read from
/// RocksDB's memtable costs some 2 µs, one from here a tenth.
///
/// Two generations: when the young one is full it becomes the old one and what the old one still
/// held is forgotten; a row found among the old ones is young again. So rows that are used stay,
/// without a list to keep in order.
///
/// Threads: one.
class RowCache {
 public:
  /// `bytes_max`: of keys and values in both generations.
  explicit RowCache(size_t bytes_max) : generation_bytes_max_(bytes_max / 2) {}

  /// The value under `key`, or nullptr. Valid until the next call.
  const std::string* Find(std::string_view key);

  /// Takes a row in.
  void Add(std::string_view key, std::string value);
  /// Replaces the value of a row that is here; does nothing about others.
  void Update(std::string_view key, const std::string& value);
  void Erase(std::string_view key);
  void Clear();

  bool empty() const { return young_.rows.empty() && old_.rows.empty(); }
  size_t bytes() const { return young_.bytes + old_.bytes; }

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view key) const { return std::hash<std::string_view>()(key); }
  };
  using Rows = boost::unordered_flat_map<std::string, std::string, Hash, std::equal_to<>>;
  struct Generation {
    Rows rows;
    size_t bytes = 0;

    void Erase(Rows::iterator row);
    void Clear();
  };

  const size_t generation_bytes_max_;
  Generation young_;
  Generation old_;
};

}  // namespace state
