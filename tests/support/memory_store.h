#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"
#include "state/key_value_store.h"

namespace support {

/// A store that is a map: every write is seen at once. Counts what is read, for tests that limit
/// it.
class MemoryStore : public state::KeyValueStore {
 public:
  using Rows = std::map<std::string, std::string, std::less<>>;

  base::Result<std::optional<std::string>> Get(std::string_view key) const override {
    const auto it = rows.find(key);
    if (it == rows.end()) return std::optional<std::string>();
    return std::optional<std::string>(it->second);
  }

  base::Status Scan(std::string_view begin, std::string_view end,
                    const state::RowVisitor& visitor) const override {
    const auto last = end.empty() ? rows.end() : rows.lower_bound(end);
    for (auto it = rows.lower_bound(begin); it != last; ++it) {
      ++rows_visited;
      if (!visitor(it->first, it->second)) break;
    }
    return base::Status::Ok();
  }

  base::Status ScanReverse(std::string_view begin, std::string_view end,
                           const state::RowVisitor& visitor) const override {
    const auto first = rows.lower_bound(begin);
    for (auto it = end.empty() ? rows.end() : rows.lower_bound(end); it != first;) {
      --it;
      ++rows_visited;
      if (!visitor(it->first, it->second)) break;
    }
    return base::Status::Ok();
  }

  void Put(std::string_view key, std::string value) override {
    ++writes;
    rows.insert_or_assign(std::string(key), std::move(value));
  }

  void Delete(std::string_view key) override {
    ++writes;
    if (const auto it = rows.find(key); it != rows.end()) rows.erase(it);
  }

  Rows rows;
  /// Rows that scans have shown so far.
  mutable size_t rows_visited = 0;
  /// Put() and Delete() so far.
  size_t writes = 0;
};

}  // namespace support
