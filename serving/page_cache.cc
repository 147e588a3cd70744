#include "serving/page_cache.h"

#include <iterator>
#include <utility>

namespace serving {
namespace {

/// Of an entry beside its strings: nodes of list and map, the shared page, malloc's own.
constexpr size_t kEntryOverheadBytes = 256;

}  // namespace

PageCache::PageCache(size_t bytes_max, std::function<void(size_t)> taken)
    : shard_bytes_max_(bytes_max / kShards), taken_(std::move(taken)), shards_(kShards) {}

std::string PageCache::Key(uint64_t reader, std::string_view user, int limit) {
  std::string key;
  key.reserve(sizeof(reader) + 1 + user.size());
  for (size_t shift = 0; shift < 64; shift += 8) key += static_cast<char>(reader >> shift);
  key += static_cast<char>(limit);
  key += user;
  return key;
}

PageCache::Shard& PageCache::ShardOf(std::string_view key) {
  // Not the bits that the shard's own map goes by.
  return shards_[(std::hash<std::string_view>()(key) >> 16) % kShards];
}

std::shared_ptr<const PageCache::Page> PageCache::Find(std::string_view key) {
  Shard& shard = ShardOf(key);
  const base::MutexLock lock(shard.mutex);
  const auto place = shard.places.find(key);
  if (place == shard.places.end()) return nullptr;
  shard.entries.splice(shard.entries.begin(), shard.entries, place->second);
  return place->second->page;
}

void PageCache::Put(std::string key, Page page) {
  const size_t bytes =
      kEntryOverheadBytes + key.capacity() + page.stamp.capacity() + page.body.capacity();
  Shard& shard = ShardOf(key);
  auto shared = std::make_shared<const Page>(std::move(page));
  // What goes is freed after the lock.
  std::list<Entry> gone;
  {
    const base::MutexLock lock(shard.mutex);
    const auto take_out = [&](std::list<Entry>::iterator entry) REQUIRES(shard.mutex) {
      shard.places.erase(entry->key);
      shard.bytes -= entry->bytes;
      bytes_ -= entry->bytes;
      gone.splice(gone.begin(), shard.entries, entry);
    };
    if (const auto known = shard.places.find(key); known != shard.places.end()) {
      take_out(known->second);
    }
    if (bytes <= kPageBytesMax && bytes <= shard_bytes_max_) {
      while (shard.bytes + bytes > shard_bytes_max_) take_out(std::prev(shard.entries.end()));
      shard.entries.push_front({std::move(key), std::move(shared), bytes});
      shard.places.emplace(shard.entries.front().key, shard.entries.begin());
      shard.bytes += bytes;
      bytes_ += bytes;
    }
  }
  Tell();
}

void PageCache::Tell() {
  const auto steps = [this] { return (bytes_ + kStepBytes - 1) / kStepBytes; };
  if (taken_ == nullptr || steps() == steps_told_) return;
  const base::MutexLock lock(telling_);
  const size_t now = steps();
  if (steps_told_.exchange(now) != now) taken_(now * kStepBytes);
}

}  // namespace serving
