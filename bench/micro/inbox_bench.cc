// What one notification costs on its way into an inbox, and one page on its way out.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bench/micro/inputs.h"
#include "bench/random_source.h"
#include "stages/inbox_query.h"
#include "stages/inbox_rows.h"
#include "stages/write_inbox.h"

namespace bench {
namespace {

constexpr int64_t kBatches = 50;
constexpr size_t kPageRows = 20;

class Inbox {
 public:
  Inbox()
      : rows_({{std::string(stages::kInboxStore), true},
               {std::string(stages::kInboxUnreadStore), false}}),
        stage_(rows_->Store(stages::kInboxStore), rows_->Store(stages::kInboxUnreadStore), {}) {}

  void DecodeAndWrite(const NotificationText& text) {
    const pipeline::RawRecord raw = RawNotification(text, position_);
    auto told = Require(serde_.Decode(raw));
    rows_->BeginRecord();
    Require(stage_.Process({text.key, std::move(told), raw.metadata}, nothing_));
  }
  void Commit() { Require(rows_->Commit({{{"notifications", {}}, base::Offset{++position_}}})); }

  state::TaskState& rows() const { return *rows_; }

 private:
  ScratchState rows_;
  stages::WriteInbox stage_;
  pipeline::Serde<stages::WriteInbox::Input> serde_;
  Collected<pipeline::Nothing> nothing_;
  int64_t position_ = 0;
};

/// Records that no inbox has seen, read from their JSON; the commit is included, and walking its
/// rows as for the changelog.
/// A fixed number of batches, since the database grows with each.
void WriteInbox(benchmark::State& state) {
  Inputs inputs;
  Inbox inbox;
  int64_t bytes = 0;
  for (auto _ : state) {
    state.PauseTiming();
    const std::vector<NotificationText> batch = inputs.NotificationTexts(kBatchRecords);
    state.ResumeTiming();
    for (const NotificationText& text : batch) inbox.DecodeAndWrite(text);
    Require(inbox.rows().VisitPending(
        [&](std::string_view, std::string_view key, std::optional<std::string_view> value) {
          bytes += static_cast<int64_t>(key.size() + value.value_or("").size());
          return base::Status::Ok();
        }));
    inbox.Commit();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kBatchRecords));
  state.SetBytesProcessed(bytes);
}
BENCHMARK(WriteInbox)->Iterations(kBatches)->Unit(benchmark::kMillisecond);

/// The newest page of an inbox of so many items, among others; as an HTTP request reads it.
void ReadPage(benchmark::State& state, stages::InboxFilter::Status status) {
  constexpr std::string_view kRecipient = "reader";
  Inputs inputs;
  Inbox inbox;
  for (auto& record : inputs.Notifications(static_cast<size_t>(state.range(0)))) {
    inbox.DecodeAndWrite(TextOf(record.value));
    record.value.recipient = kRecipient;
    inbox.DecodeAndWrite(TextOf(record.value));
  }
  inbox.Commit();
  stages::InboxFilter filter;
  filter.status = status;
  const auto reader = inbox.rows().MakeReader();
  int64_t bytes = 0;
  for (auto _ : state) {
    const auto view = reader->Snapshot();
    const auto page =
        stages::ReadPage(view->Store(stages::kInboxStore), view->Store(stages::kInboxUnreadStore),
                         kRecipient, filter, kPageRows, "");
    if (!page.ok() || page->item_count != kPageRows) state.SkipWithError("not a whole page");
    bytes += static_cast<int64_t>(page->items.size());
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(bytes);
}
BENCHMARK_CAPTURE(ReadPage, all, stages::InboxFilter::Status::kAll)->Arg(200)->Arg(20'000);
BENCHMARK_CAPTURE(ReadPage, unread, stages::InboxFilter::Status::kUnread)->Arg(200)->Arg(20'000);

/// The newest pages of many inboxes in turns, whose rows came mixed with many more and lie in
/// several table files, as suite `query` has them.
void ReadPageOfMany(benchmark::State& state) {
  constexpr size_t kInboxes = 2'000;
  // Of each inbox's rows, one after the other, so many rows of others.
  constexpr size_t kOthers = 3;
  Inputs inputs;
  Inbox inbox;
  RandomSource random(1);
  std::vector<std::string> recipients;
  for (size_t i = 0; i < kInboxes * kPageRows; ++i) {
    recipients.push_back("small-" + std::to_string(i % kInboxes));
    for (size_t other = 0; other < kOthers; ++other) recipients.emplace_back("large");
  }
  random.Shuffle(recipients);
  for (size_t at = 0; at < recipients.size(); at += kBatchRecords) {
    auto records = inputs.Notifications(std::min(kBatchRecords, recipients.size() - at));
    for (size_t i = 0; i < std::min(kBatchRecords, recipients.size() - at); ++i) {
      records[i].value.recipient = recipients[at + i];
      inbox.DecodeAndWrite(TextOf(records[i].value));
    }
    inbox.Commit();
  }
  const auto reader = inbox.rows().MakeReader();
  int64_t bytes = 0;
  size_t next = 0;
  for (auto _ : state) {
    const auto view = reader->Snapshot();
    const auto page =
        stages::ReadPage(view->Store(stages::kInboxStore), view->Store(stages::kInboxUnreadStore),
                         "small-" + std::to_string(next), {}, kPageRows, "");
    if (!page.ok() || page->item_count == 0) state.SkipWithError("no page");
    bytes += static_cast<int64_t>(page->items.size());
    next = (next + 7) % kInboxes;
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(bytes);
}
BENCHMARK(ReadPageOfMany);

}  // namespace
}  // namespace bench
