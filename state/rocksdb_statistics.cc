#include "state/rocksdb_statistics.h"

namespace state {

EventCounts::Totals EventCounts::Read() const {
  Totals totals;
  totals.block_cache_hits = block_cache_hits_;
  totals.block_cache_misses = block_cache_misses_;
  totals.stall_micros = stall_micros_;
  totals.flush_bytes = flush_bytes_;
  totals.compaction_read_bytes = compaction_read_bytes_;
  totals.compaction_write_bytes = compaction_write_bytes_;
  return totals;
}

uint64_t EventCounts::getTickerCount(uint32_t ticker) const {
  const std::atomic<uint64_t>* const counter = const_cast<EventCounts*>(this)->Find(ticker);
  return counter == nullptr ? 0 : counter->load();
}

void EventCounts::setTickerCount(uint32_t ticker, uint64_t count) {
  if (std::atomic<uint64_t>* const counter = Find(ticker)) *counter = count;
}

uint64_t EventCounts::getAndResetTickerCount(uint32_t ticker) {
  std::atomic<uint64_t>* const counter = Find(ticker);
  return counter == nullptr ? 0 : counter->exchange(0);
}

}  // namespace state
