#pragma once

#include <rocksdb/listener.h>
#include <rocksdb/statistics.h>

#include <atomic>
#include <cstdint>
#include <string>

namespace state {

/// Counts the few of RocksDB's events that metrics show, over all databases of a process.
///
/// RocksDB's own object counts some two hundred events and histograms, and asks for the CPU's number at
/// each. This one passes over what nobody reads. Threads: any.
class EventCounts final : public rocksdb::Statistics {
 public:
  EventCounts() { set_stats_level(rocksdb::kExceptHistogramOrTimers); }

  struct Totals {
    uint64_t block_cache_hits = 0;
    uint64_t block_cache_misses = 0;
    uint64_t stall_micros = 0;
    uint64_t flush_bytes = 0;
    uint64_t compaction_read_bytes = 0;
    uint64_t compaction_write_bytes = 0;
  };
  Totals Read() const;

  const char* Name() const override { return "HeraldEventCounts"; }
  void recordTick(uint32_t ticker, uint64_t count) override {
    if (std::atomic<uint64_t>* const counter = Find(ticker)) {
      counter->fetch_add(count, std::memory_order_relaxed);
    }
  }
  uint64_t getTickerCount(uint32_t ticker) const override;
  void setTickerCount(uint32_t ticker, uint64_t count) override;
  uint64_t getAndResetTickerCount(uint32_t ticker) override;
  void histogramData(uint32_t, rocksdb::HistogramData* data) const override { *data = {}; }
  void recordInHistogram(uint32_t, uint64_t) override {}
  bool HistEnabledForType(uint32_t) const override { return false; }

 private:
  /// nullptr: nobody reads it.
  std::atomic<uint64_t>* Find(uint32_t ticker) {
    switch (ticker) {
      case rocksdb::BLOCK_CACHE_HIT:
        return &block_cache_hits_;
      case rocksdb::BLOCK_CACHE_MISS:
        return &block_cache_misses_;
      case rocksdb::STALL_MICROS:
        return &stall_micros_;
      case rocksdb::FLUSH_WRITE_BYTES:
        return &flush_bytes_;
      case rocksdb::COMPACT_READ_BYTES:
        return &compaction_read_bytes_;
      case rocksdb::COMPACT_WRITE_BYTES:
        return &compaction_write_bytes_;
      default:
        return nullptr;
    }
  }

  std::atomic<uint64_t> block_cache_hits_{0};
  std::atomic<uint64_t> block_cache_misses_{0};
  std::atomic<uint64_t> stall_micros_{0};
  std::atomic<uint64_t> flush_bytes_{0};
  std::atomic<uint64_t> compaction_read_bytes_{0};
  std::atomic<uint64_t> compaction_write_bytes_{0};
};

/// Counts flushes and compactions that failed. Threads: any.
class BackgroundErrors final : public rocksdb::EventListener {
 public:
  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status*) override { ++count_; }
  uint64_t count() const { return count_; }

 private:
  std::atomic<uint64_t> count_{0};
};

}  // namespace state
