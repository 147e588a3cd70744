#include "state/pending_writes.h"

#include <algorithm>
#include <cstring>

namespace state {
namespace {

using Entry = PendingWrites::Entry;
using Ordered = PendingWrites::Ordered;

constexpr size_t kArenaBlockBytes = size_t{64} << 10;
constexpr size_t kArenaBlocksKept = 64;
/// A scan looks through a tail up to this long, and merges a longer one.
constexpr size_t kTailEntriesMax = 128;

size_t BytesOf(const std::optional<std::string>& value) { return value ? value->size() : 0; }

/// The first eight bytes as a number that orders like them.
uint64_t BeginOf(std::string_view key) {
  unsigned char bytes[8] = {};
  std::memcpy(bytes, key.data(), std::min(key.size(), sizeof(bytes)));
  uint64_t begin = 0;
  for (const unsigned char byte : bytes) begin = (begin << 8) | byte;
  return begin;
}

Ordered MakeOrdered(const Entry& entry) { return {BeginOf(entry.key), &entry}; }

bool Less(const Ordered& a, const Ordered& b) {
  return a.begin != b.begin ? a.begin < b.begin : a.entry->key < b.entry->key;
}

bool KeyLess(const Ordered& a, std::string_view key) { return a.entry->key < key; }

}  // namespace

std::string_view KeyArena::Add(std::string_view key) {
  if (key.empty()) return {};
  if (key.size() > kArenaBlockBytes - used_bytes_ || used_blocks_ == 0) {
    if (used_blocks_ == blocks_.size()) {
      blocks_.push_back(std::make_unique<char[]>(kArenaBlockBytes));
    }
    ++used_blocks_;
    used_bytes_ = 0;
  }
  char* const copy = blocks_[used_blocks_ - 1].get() + used_bytes_;
  std::memcpy(copy, key.data(), key.size());
  used_bytes_ += key.size();
  return {copy, key.size()};
}

void KeyArena::Clear() {
  if (blocks_.size() > kArenaBlocksKept) blocks_.resize(kArenaBlocksKept);
  used_blocks_ = 0;
  used_bytes_ = 0;
}

bool PendingWrites::Cursor::FromTail() const {
  if (tail_.empty()) return false;
  if (sorted_.empty()) return true;
  return Less(Next(tail_), Next(sorted_)) != reverse_;
}

void PendingWrites::Cursor::Advance() {
  std::span<const Ordered>& part = FromTail() ? tail_ : sorted_;
  part = reverse_ ? part.first(part.size() - 1) : part.subspan(1);
}

const Entry* PendingWrites::Find(std::string_view key) const {
  const auto it = table_.find(key);
  return it == table_.end() ? nullptr : it->second;
}

void PendingWrites::Write(std::string_view key, std::optional<std::string> value) {
  bytes_ += BytesOf(value);
  const auto it = table_.find(key);
  if (it != table_.end()) {
    Entry* const entry = it->second;
    bytes_ -= BytesOf(entry->value);
    undo_.push_back({entry, true, std::move(entry->value)});
    entry->value = std::move(value);
    return;
  }
  bytes_ += key.size();
  Entry& entry = entries_.emplace_back(Entry{keys_.Add(key), std::move(value)});
  table_.emplace(entry.key, &entry);
  undo_.push_back({&entry, false, std::nullopt});
}

void PendingWrites::RollbackRecord() {
  // Backwards, so that a key written twice ends with its oldest value, and so that a new entry is
  // the last one when it goes.
  for (; !undo_.empty(); undo_.pop_back()) {
    Undo& undo = undo_.back();
    bytes_ -= BytesOf(undo.entry->value);
    if (undo.existed) {
      bytes_ += BytesOf(undo.before);
      undo.entry->value = std::move(undo.before);
      continue;
    }
    // A scan within the record has put it in order.
    if (sorted_.size() == entries_.size()) {
      std::erase_if(sorted_, [&](const Ordered& each) { return each.entry == undo.entry; });
    }
    bytes_ -= undo.entry->key.size();
    table_.erase(undo.entry->key);
    entries_.pop_back();
  }
}

void PendingWrites::Clear() {
  table_.clear();
  sorted_.clear();
  undo_.clear();
  entries_.clear();
  keys_.Clear();
  bytes_ = 0;
}

void PendingWrites::MergeTail() const {
  const auto middle = static_cast<std::ptrdiff_t>(sorted_.size());
  if (sorted_.size() == entries_.size()) return;
  sorted_.reserve(entries_.size());
  for (size_t i = sorted_.size(); i < entries_.size(); ++i) {
    sorted_.push_back(MakeOrdered(entries_[i]));
  }
  std::sort(sorted_.begin() + middle, sorted_.end(), Less);
  std::inplace_merge(sorted_.begin(), sorted_.begin() + middle, sorted_.end(), Less);
}

std::span<const Ordered> PendingWrites::Sorted() const {
  MergeTail();
  return sorted_;
}

std::unique_ptr<PendingWrites::Cursor> PendingWrites::Range(std::string_view begin,
                                                            std::string_view end,
                                                            bool reverse) const {
  if (entries_.size() - sorted_.size() > kTailEntriesMax) MergeTail();
  auto cursor = std::make_unique<Cursor>();
  cursor->reverse_ = reverse;
  if (!end.empty() && begin >= end) return cursor;

  const auto first = std::lower_bound(sorted_.begin(), sorted_.end(), begin, KeyLess);
  const auto last =
      end.empty() ? sorted_.end() : std::lower_bound(first, sorted_.end(), end, KeyLess);
  cursor->sorted_ = {first, last};
  for (size_t i = sorted_.size(); i < entries_.size(); ++i) {
    const Entry& entry = entries_[i];
    if (entry.key < begin || (!end.empty() && entry.key >= end)) continue;
    cursor->tail_entries_.push_back(MakeOrdered(entry));
  }
  std::sort(cursor->tail_entries_.begin(), cursor->tail_entries_.end(), Less);
  cursor->tail_ = cursor->tail_entries_;
  return cursor;
}

}  // namespace state
