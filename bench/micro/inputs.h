#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "bench/plain_events.h"
#include "pipeline/processor.h"
#include "pipeline/record.h"
#include "stages/enrich_actor.h"
#include "stages/event.h"
#include "stages/notification.h"
#include "state/task_state.h"

/// What the micro benchmarks work on: the events of bench/plain_events.h on their way through the
/// stages. The same for each run.
namespace bench {

/// The records between two commits of a busy task, about.
inline constexpr size_t kBatchRecords = 2000;

/// Ends the program when something fails that must not.
void Require(const base::Status& status);
template <typename T>
T Require(base::Result<T> result) {
  Require(result.status());
  return std::move(result).value();
}

/// Keeps what a stage forwards.
template <typename T>
class Collected : public pipeline::Context<T> {
 public:
  base::Status Forward(pipeline::Record<T> record) override {
    records.push_back(std::move(record));
    return base::Status::Ok();
  }
  int64_t NowMs() const override { return kNowMs; }

  static constexpr int64_t kNowMs = 1'795'237'200'000;
  std::vector<pipeline::Record<T>> records;
};

/// A record of topic `notifications`.
struct NotificationText {
  std::string key;
  std::string value;
};

NotificationText TextOf(const stages::Notification& notification);

/// `text` as the record at `offset`. The views are into `text`.
pipeline::RawRecord RawNotification(const NotificationText& text, int64_t offset);

/// An endless stream of events and of what becomes of them.
class Inputs {
 public:
  Inputs();

  std::vector<std::string> Lines(size_t count);
  std::vector<pipeline::Record<stages::Event>> Events(size_t count);
  std::vector<pipeline::Record<stages::EnrichedEvent>> EnrichedEvents(size_t count);
  std::vector<pipeline::Record<stages::Notification>> Notifications(size_t count);
  std::vector<NotificationText> NotificationTexts(size_t count);

 private:
  PlainEvents events_;
  int64_t offset_ = 0;
};

/// `line` as the record at `offset` of topic "events".
pipeline::RawRecord RawEvent(std::string_view line, int64_t offset);

/// A new task state on disk in a directory of its own, which goes with it.
class ScratchState {
 public:
  explicit ScratchState(const std::vector<state::StoreSpec>& stores);
  ~ScratchState();
  ScratchState(const ScratchState&) = delete;
  ScratchState& operator=(const ScratchState&) = delete;

  state::TaskState& operator*() const { return *state_; }
  state::TaskState* operator->() const { return state_.get(); }

 private:
  state::SharedMemory memory_;
  std::filesystem::path directory_;
  std::unique_ptr<state::TaskState> state_;
};

}  // namespace bench
