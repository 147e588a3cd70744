#pragma once

#include <atomic>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"

namespace serving {

/// The answers to GETs of first pages as they were given last: an inbox is asked for more often
/// than it changes, and reading 20 rows out of several table files is a good part of a GET.
///
/// It knows nothing of when a page is out of date: whoever asks reads the inbox's stamp
/// (stages::ReadStamp()) through the same reader and compares it with the page's. Keys name the
/// reader, since stamps of two readers say nothing about each other.
///
/// Bounded by bytes; what was not used for longest goes first. Threads: any.
class PageCache {
 public:
  struct Page {
    std::string stamp;
    std::string body;
  };

  /// A larger page is not kept, so that a few of those do not push out all others.
  static constexpr size_t kPageBytesMax = size_t{64} << 10;

  /// `bytes_max` is of pages and keys, and what keeps them in order; 0: nothing is kept. `taken` is
  /// told of each change, in steps of kStepBytes, how many of these bytes are in use at most.
  explicit PageCache(size_t bytes_max, std::function<void(size_t)> taken = nullptr);

  /// For the page of `limit` items of `user` as read through the reader of this number.
  static std::string Key(uint64_t reader, std::string_view user, int limit);

  /// What was put last under `key`; nullptr: nothing, or it is forgotten.
  std::shared_ptr<const Page> Find(std::string_view key);
  void Put(std::string key, Page page);

  /// In use.
  size_t bytes() const { return bytes_; }

  static constexpr size_t kStepBytes = size_t{1} << 20;

 private:
  struct Entry {
    std::string key;
    std::shared_ptr<const Page> page;
    size_t bytes = 0;
  };
  /// The keys are views into the entries.
  using Places = boost::unordered_flat_map<std::string_view, std::list<Entry>::iterator,
                                           std::hash<std::string_view>>;
  struct Shard {
    base::Mutex mutex;
    /// The one used last comes first.
    std::list<Entry> entries GUARDED_BY(mutex);
    Places places GUARDED_BY(mutex);
    size_t bytes GUARDED_BY(mutex) = 0;
  };

  static constexpr size_t kShards = 8;

  Shard& ShardOf(std::string_view key);
  void Tell();

  const size_t shard_bytes_max_;
  const std::function<void(size_t)> taken_;
  std::vector<Shard> shards_;
  std::atomic<size_t> bytes_{0};
  std::atomic<size_t> steps_told_{0};
  base::Mutex telling_;
};

}  // namespace serving
