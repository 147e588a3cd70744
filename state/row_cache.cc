#include "state/row_cache.h"

#include <utility>

namespace state {

void RowCache::Generation::Erase(Rows::iterator row) {
  bytes -= row->first.size() + row->second.size();
  rows.erase(row);
}

void RowCache::Generation::Clear() {
  rows.clear();
  bytes = 0;
}

const std::string* RowCache::Find(std::string_view key) {
  const auto young = young_.rows.find(key);
  if (young != young_.rows.end()) return &young->second;
  const auto old = old_.rows.find(key);
  if (old == old_.rows.end()) return nullptr;
  std::string value = old->second;
  old_.Erase(old);
  Add(key, std::move(value));
  return &young_.rows.find(key)->second;
}

void RowCache::Add(std::string_view key, std::string value) {
  Erase(key);
  const size_t bytes = key.size() + value.size();
  if (bytes > generation_bytes_max_) return;
  if (young_.bytes + bytes > generation_bytes_max_) {
    std::swap(young_, old_);
    young_.Clear();
  }
  young_.bytes += bytes;
  young_.rows.emplace(key, std::move(value));
}

void RowCache::Update(std::string_view key, const std::string& value) {
  for (Generation* generation : {&young_, &old_}) {
    const auto row = generation->rows.find(key);
    if (row == generation->rows.end()) continue;
    if (value.size() > row->second.size()) {
      // It may no longer fit.
      generation->Erase(row);
      Add(key, value);
    } else {
      generation->bytes -= row->second.size() - value.size();
      row->second = value;
    }
    return;
  }
}

void RowCache::Erase(std::string_view key) {
  for (Generation* generation : {&young_, &old_}) {
    const auto row = generation->rows.find(key);
    if (row != generation->rows.end()) generation->Erase(row);
  }
}

void RowCache::Clear() {
  young_.Clear();
  old_.Clear();
}

}  // namespace state
