// A task's store on RocksDB without the stages: rows as large as an inbox's items.

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "bench/micro/inputs.h"
#include "bench/random_source.h"
#include "state/key_encoding.h"

namespace bench {
namespace {

constexpr size_t kRows = 100'000;
constexpr size_t kCommitRows = 10'000;
constexpr size_t kValueBytes = 400;
constexpr size_t kPageRows = 20;
constexpr char kStoreName[] = "rows";

std::string KeyOf(uint64_t recipient, uint64_t item) {
  std::string key;
  state::AppendString(key, std::to_string(recipient));
  state::AppendUint64Descending(key, item);
  return key;
}

/// Keys in no order; 100 rows for each recipient.
std::vector<std::string> Keys(size_t count) {
  std::vector<std::string> keys;
  keys.reserve(count);
  for (size_t i = 0; i < count; ++i) keys.push_back(KeyOf(i / 100, i));
  RandomSource random(1);
  random.Shuffle(keys);
  return keys;
}

/// A store with kRows committed rows.
class FullStore {
 public:
  FullStore() : state_({{kStoreName, true}}), keys_(Keys(kRows)) {
    for (const std::string& key : keys_) store().Put(key, std::string(kValueBytes, 'x'));
    Require(state_->Commit({}));
  }
  state::KeyValueStore& store() { return state_->Store(kStoreName); }
  state::TaskState& state() { return *state_; }
  const std::vector<std::string>& keys() const { return keys_; }

 private:
  ScratchState state_;
  const std::vector<std::string> keys_;
};

void StorePut(benchmark::State& state) {
  ScratchState rows({{kStoreName, true}});
  state::KeyValueStore& store = rows->Store(kStoreName);
  const std::vector<std::string> keys = Keys(kBatchRecords);
  const std::string value(kValueBytes, 'x');
  for (auto _ : state) {
    for (const std::string& key : keys) {
      rows->BeginRecord();
      store.Put(key, value);
    }
    state.PauseTiming();
    rows->DropPending();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(keys.size()));
  state.SetBytesProcessed(state.items_processed() * static_cast<int64_t>(kValueBytes));
}
BENCHMARK(StorePut);

/// Committed rows of which the cache holds a tenth.
void StoreGet(benchmark::State& state) {
  FullStore rows;
  size_t next = 0;
  for (auto _ : state) {
    const auto row = rows.store().Get(rows.keys()[next]);
    if (!row.ok() || !row->has_value()) state.SkipWithError("a row is not there");
    if (++next == kRows) next = 0;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(StoreGet);

/// What a new row asks first: is there one already?
void StoreGetMissing(benchmark::State& state) {
  FullStore rows;
  std::vector<std::string> keys = rows.keys();
  for (std::string& key : keys) key += '!';
  size_t next = 0;
  for (auto _ : state) {
    const auto row = rows.store().Get(keys[next]);
    if (!row.ok() || row->has_value()) state.SkipWithError("a row that nobody wrote");
    if (++next == kRows) next = 0;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(StoreGetMissing);

/// Twenty rows from some place on. One item is one scan.
void StoreScanPage(benchmark::State& state) {
  FullStore rows;
  size_t next = 0;
  for (auto _ : state) {
    size_t seen = 0;
    int64_t bytes = 0;
    Require(rows.store().Scan(rows.keys()[next], "", [&](std::string_view, std::string_view value) {
      bytes += static_cast<int64_t>(value.size());
      return ++seen < kPageRows;
    }));
    benchmark::DoNotOptimize(bytes);
    if (++next == kRows) next = 0;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(StoreScanPage);

/// New rows in no order; putting them is not measured. One item is one row.
void CommitRows(benchmark::State& state) {
  ScratchState rows({{kStoreName, true}});
  state::KeyValueStore& store = rows->Store(kStoreName);
  RandomSource random(1);
  int64_t position = 0;
  for (auto _ : state) {
    state.PauseTiming();
    for (size_t i = 0; i < kCommitRows; ++i) {
      store.Put(KeyOf(random.Below(kRows), random.Next()), std::string(kValueBytes, 'x'));
    }
    state.ResumeTiming();
    Require(rows->Commit({{{"events", {}}, base::Offset{++position}}}));
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kCommitRows));
  state.SetBytesProcessed(state.items_processed() * static_cast<int64_t>(kValueBytes));
}
BENCHMARK(CommitRows)->Iterations(30)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace bench
