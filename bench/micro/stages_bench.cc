// What one record costs in each of the stateless stages, and its codecs.

#include <benchmark/benchmark.h>

#include <string>
#include <utility>
#include <vector>

#include "bench/micro/inputs.h"
#include "stages/enrich_actor.h"
#include "stages/inbox_rows.h"
#include "stages/route_to_recipients.h"
#include "stages/user.h"
#include "stages/write_inbox.h"

namespace bench {
namespace {

void DecodeEvent(benchmark::State& state) {
  const std::vector<std::string> lines = Inputs().Lines(kBatchRecords);
  pipeline::Serde<stages::Event> serde;
  int64_t bytes = 0;
  size_t next = 0;
  for (auto _ : state) {
    const std::string& line = lines[next];
    benchmark::DoNotOptimize(serde.Decode(RawEvent(line, static_cast<int64_t>(next))));
    bytes += static_cast<int64_t>(line.size());
    if (++next == lines.size()) next = 0;
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(bytes);
}
BENCHMARK(DecodeEvent);

/// Runs `stage` over batches of copies of `inputs`; copying is not measured.
template <typename Stage, typename In, typename Out>
void RunStage(benchmark::State& state, Stage& stage,
              const std::vector<pipeline::Record<In>>& inputs, Collected<Out>& out) {
  for (auto _ : state) {
    state.PauseTiming();
    std::vector<pipeline::Record<In>> batch = inputs;
    out.records.clear();
    out.records.reserve(2 * inputs.size());
    state.ResumeTiming();
    for (pipeline::Record<In>& record : batch) Require(stage.Process(std::move(record), out));
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(inputs.size()));
}

/// The users that act in the inputs, in a table as the engine keeps it.
class UsersTable {
 public:
  explicit UsersTable(const std::vector<pipeline::Record<stages::Event>>& events)
      : rows_({{std::string(pipeline::GlobalTableBase::kStore), false}}), table_("users") {
    state::KeyValueStore& store = rows_->Store(pipeline::GlobalTableBase::kStore);
    for (const auto& event : events) {
      const std::string& id = event.value.actor;
      store.Put(id, PlainUserLine(std::stoul(id) - 1));
    }
    Require(rows_->Commit({}));
    table_.Attach(rows_->MakeReader());
  }
  ~UsersTable() { table_.Attach(nullptr); }
  UsersTable(const UsersTable&) = delete;
  UsersTable& operator=(const UsersTable&) = delete;

  const pipeline::GlobalTable<stages::User>& table() const { return table_; }

 private:
  ScratchState rows_;
  pipeline::GlobalTable<stages::User> table_;
};

void EnrichActor(benchmark::State& state) {
  const auto events = Inputs().Events(kBatchRecords);
  const UsersTable users(events);
  stages::EnrichActor stage(users.table(), {});
  Collected<stages::EnrichedEvent> out;
  RunStage(state, stage, events, out);
}
BENCHMARK(EnrichActor);

void RouteToRecipients(benchmark::State& state) {
  stages::RouteToRecipients stage;
  Collected<stages::Notification> out;
  RunStage(state, stage, Inputs().EnrichedEvents(kBatchRecords), out);
}
BENCHMARK(RouteToRecipients);

void EncodeNotification(benchmark::State& state) {
  const auto notifications = Inputs().Notifications(kBatchRecords);
  pipeline::Serde<stages::Notification> serde;
  std::string json;
  int64_t bytes = 0;
  size_t next = 0;
  for (auto _ : state) {
    json.clear();
    serde.Encode(notifications[next].value, json);
    benchmark::DoNotOptimize(json.data());
    bytes += static_cast<int64_t>(json.size());
    if (++next == notifications.size()) next = 0;
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(bytes);
}
BENCHMARK(EncodeNotification);

/// As the inbox reads it.
void DecodeNotification(benchmark::State& state) {
  const std::vector<NotificationText> texts = Inputs().NotificationTexts(kBatchRecords);
  pipeline::Serde<stages::WriteInbox::Input> serde;
  int64_t bytes = 0;
  size_t next = 0;
  for (auto _ : state) {
    auto decoded = serde.Decode(RawNotification(texts[next], static_cast<int64_t>(next)));
    if (!decoded.ok()) state.SkipWithError("a notification of our own is refused");
    benchmark::DoNotOptimize(decoded);
    bytes += static_cast<int64_t>(texts[next].value.size());
    if (++next == texts.size()) next = 0;
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(bytes);
}
BENCHMARK(DecodeNotification);

/// The four keys of a new item. One item is one notification.
void InboxKeysOfItem(benchmark::State& state) {
  const auto notifications = Inputs().Notifications(kBatchRecords);
  size_t next = 0;
  for (auto _ : state) {
    const stages::Notification& told = notifications[next].value;
    const stages::InboxKeys keys(told.recipient);
    benchmark::DoNotOptimize(keys.Head());
    benchmark::DoNotOptimize(keys.Item(told.time_ms, next));
    benchmark::DoNotOptimize(keys.IdentityRow(told.identity));
    benchmark::DoNotOptimize(keys.Unread(0, told.time_ms, next));
    if (++next == notifications.size()) next = 0;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(InboxKeysOfItem);

}  // namespace
}  // namespace bench
