#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "state/task_state.h"

namespace simulation {

/// The task states of one process, whoever keeps them: shows each call to a hook as
/// "<call>.before" and "<call>.after", and fails it when that was ordered.
///
/// Calls have names: "state.open", "state.destroy", "state.commit", "state.restore", "state.note",
/// and "state.read" for a row that a stage reads, which the hook does not see. Threads: one.
class WatchedStates : public state::TaskStates {
 public:
  using StepHook = std::function<void(std::string_view step)>;

  /// `under` outlives this and all states opened. The hook may throw: the process is no more.
  WatchedStates(state::TaskStates& under, StepHook hook);

  /// The next call of this name answers `status` and does nothing.
  void FailNext(const std::string& call, const base::Status& status);
  /// No ordered failure is left.
  void FailNoMore();
  /// Failures that were taken, by call and code.
  const std::map<std::string, int>& failed() const { return watch_->failed; }

  base::Result<std::unique_ptr<state::TaskState>> Open(
      const state::TaskState::Options& options) override;
  base::Status Destroy(const std::filesystem::path& directory) override;

  /// What the states of one process share.
  struct Watch {
    StepHook hook;
    std::map<std::string, base::Status, std::less<>> failures;
    std::map<std::string, int> failed;

    base::Status TakeFailure(std::string_view call);
    template <typename Body>
    auto Call(const std::string& name, Body&& body) -> decltype(body()) {
      hook(name + ".before");
      if (base::Status failure = TakeFailure(name); !failure.ok()) return failure;
      auto result = body();
      hook(name + ".after");
      return result;
    }
  };

 private:
  state::TaskStates& under_;
  const std::shared_ptr<Watch> watch_;
};

}  // namespace simulation
