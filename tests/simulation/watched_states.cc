#include "tests/simulation/watched_states.h"

#include <deque>
#include <optional>
#include <span>
#include <utility>

namespace simulation {
namespace {

using base::Offset;
using base::Positions;
using base::Result;
using base::Status;
using base::TopicPartition;
using state::RowVisitor;
using Watch = WatchedStates::Watch;

class WatchedStore final : public state::KeyValueStore {
 public:
  WatchedStore(state::KeyValueStore& under, Watch& watch) : under_(under), watch_(watch) {}

  Result<std::optional<std::string>> Get(std::string_view key) const override {
    RETURN_IF_ERROR(watch_.TakeFailure("state.read"));
    return under_.Get(key);
  }
  Status Scan(std::string_view begin, std::string_view end,
              const RowVisitor& visitor) const override {
    RETURN_IF_ERROR(watch_.TakeFailure("state.read"));
    return under_.Scan(begin, end, visitor);
  }
  Status ScanReverse(std::string_view begin, std::string_view end,
                     const RowVisitor& visitor) const override {
    RETURN_IF_ERROR(watch_.TakeFailure("state.read"));
    return under_.ScanReverse(begin, end, visitor);
  }
  void Put(std::string_view key, std::string value) override { under_.Put(key, std::move(value)); }
  void Delete(std::string_view key) override { under_.Delete(key); }

 private:
  state::KeyValueStore& under_;
  Watch& watch_;
};

class WatchedState final : public state::TaskState {
 public:
  WatchedState(std::unique_ptr<state::TaskState> under, std::shared_ptr<Watch> watch)
      : under_(std::move(under)), watch_(std::move(watch)) {}

  state::KeyValueStore& Store(std::string_view name) override {
    const auto known = stores_.find(name);
    if (known != stores_.end()) return known->second;
    return stores_.try_emplace(std::string(name), under_->Store(name), *watch_).first->second;
  }

  void BeginRecord() override { under_->BeginRecord(); }
  void RollbackRecord() override { under_->RollbackRecord(); }
  size_t pending_bytes() const override { return under_->pending_bytes(); }
  bool has_pending() const override { return under_->has_pending(); }
  Status VisitPending(const PendingVisitor& visitor) const override {
    return under_->VisitPending(visitor);
  }
  void DropPending() override { under_->DropPending(); }

  Status Commit(const Positions& positions) override {
    return watch_->Call("state.commit", [&] { return under_->Commit(positions); });
  }
  Status ApplyRestored(std::string_view store, std::span<const state::RestoredRow> rows,
                       const TopicPartition& changelog, Offset position) override {
    return watch_->Call("state.restore",
                        [&] { return under_->ApplyRestored(store, rows, changelog, position); });
  }
  Status PutNote(std::string_view name, std::string_view value) override {
    return watch_->Call("state.note", [&] { return under_->PutNote(name, value); });
  }

  std::optional<Offset> Position(const TopicPartition& tp) const override {
    return under_->Position(tp);
  }
  Positions AllPositions() const override { return under_->AllPositions(); }
  std::optional<std::string> Note(std::string_view name) const override {
    return under_->Note(name);
  }
  std::shared_ptr<const state::TaskReader> MakeReader() const override {
    return under_->MakeReader();
  }

 private:
  const std::unique_ptr<state::TaskState> under_;
  const std::shared_ptr<Watch> watch_;
  std::map<std::string, WatchedStore, std::less<>> stores_;
};

}  // namespace

base::Status WatchedStates::Watch::TakeFailure(std::string_view call) {
  if (failures.empty()) return Status::Ok();
  const auto waiting = failures.find(call);
  if (waiting == failures.end()) return Status::Ok();
  Status status = std::move(waiting->second);
  failures.erase(waiting);
  ++failed[std::string(call) + " fails: " + std::string(base::StatusCodeName(status.code()))];
  return status;
}

WatchedStates::WatchedStates(state::TaskStates& under, StepHook hook)
    : under_(under), watch_(std::make_shared<Watch>()) {
  watch_->hook = std::move(hook);
}

void WatchedStates::FailNext(const std::string& call, const Status& status) {
  watch_->failures.insert_or_assign(call, status);
}

void WatchedStates::FailNoMore() { watch_->failures.clear(); }

Result<std::unique_ptr<state::TaskState>> WatchedStates::Open(
    const state::TaskState::Options& options) {
  return watch_->Call("state.open", [&]() -> Result<std::unique_ptr<state::TaskState>> {
    auto opened = under_.Open(options);
    if (!opened.ok()) return opened.status();
    return std::unique_ptr<state::TaskState>(
        std::make_unique<WatchedState>(std::move(*opened), watch_));
  });
}

Status WatchedStates::Destroy(const std::filesystem::path& directory) {
  return watch_->Call("state.destroy", [&] { return under_.Destroy(directory); });
}

}  // namespace simulation
