#include "state/pending_writes.h"

namespace state {
namespace {

size_t BytesOf(const PendingWrites::Value& value) { return value ? value->size() : 0; }

}  // namespace

const PendingWrites::Value* PendingWrites::Find(std::string_view key) const {
  const auto it = map_.find(key);
  return it == map_.end() ? nullptr : &it->second;
}

void PendingWrites::Write(std::string_view key, Value value) {
  const auto it = map_.lower_bound(key);
  bytes_ += BytesOf(value);
  if (it != map_.end() && it->first == key) {
    bytes_ -= BytesOf(it->second);
    undo_.push_back({it, std::move(it->second)});
    it->second = std::move(value);
    return;
  }
  bytes_ += key.size();
  undo_.push_back({map_.emplace_hint(it, key, std::move(value)), std::nullopt});
}

void PendingWrites::RollbackRecord() {
  // Backwards, so that a key written twice ends with its oldest value.
  while (!undo_.empty()) {
    Undo& undo = undo_.back();
    bytes_ -= BytesOf(undo.entry->second);
    if (undo.before) {
      bytes_ += BytesOf(*undo.before);
      undo.entry->second = std::move(*undo.before);
    } else {
      bytes_ -= undo.entry->first.size();
      map_.erase(undo.entry);
    }
    undo_.pop_back();
  }
}

void PendingWrites::Clear() {
  map_.clear();
  undo_.clear();
  bytes_ = 0;
}

std::pair<PendingWrites::Iterator, PendingWrites::Iterator> PendingWrites::Range(
    std::string_view begin, std::string_view end) const {
  if (!end.empty() && begin >= end) return {map_.end(), map_.end()};
  return {map_.lower_bound(begin), end.empty() ? map_.end() : map_.lower_bound(end)};
}

}  // namespace state
