#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "base/mutex.h"
#include "base/status.h"
#include "tests/support/fake_broker.h"
#include "tests/support/fake_kafka.h"

namespace support {

/// What the clients of one process incarnation share: the hook and the failures to come.
/// Threads: any.
struct Incarnation {
  Incarnation(FakeBroker& shared_broker, const FakeClients::Options& client_options)
      : broker(shared_broker), options(client_options) {}

  /// Runs `body(fault)` as the client call `name`; `fault` is the failure that was ordered for it.
  /// `body` returns a Status or a Result; it locks the broker where it needs to.
  template <typename Body>
  auto Call(const std::string& name, Body&& body) -> decltype(body(base::Status::Ok())) {
    if (dead) return base::Status::Lost("this process has crashed");
    Step(name + ".before");
    if (dead) return base::Status::Lost("this process has crashed");
    {
      const base::MutexLock lock(broker.mutex);
      broker.Tick();
    }
    auto result = body(TakeFailure(name));
    Step(name + ".after");
    return result;
  }

  /// Lets the hook see a step; an exception of its kills the incarnation.
  void Step(const std::string& step) {
    FakeClients::StepHook current;
    {
      const base::MutexLock lock(mutex);
      current = hook;
    }
    if (!current) return;
    try {
      current(step);
    } catch (...) {
      dead = true;
      throw;
    }
  }

  base::Status TakeFailure(const std::string& name) {
    const base::MutexLock lock(mutex);
    const auto waiting = failures.find(name);
    if (waiting == failures.end() || waiting->second.empty()) return base::Status::Ok();
    base::Status status = waiting->second.front();
    waiting->second.pop_front();
    return status;
  }

  base::Status TakeLostAnswer(const std::string& name) {
    const base::MutexLock lock(mutex);
    const auto waiting = lost_answers.find(name);
    if (waiting == lost_answers.end()) return base::Status::Ok();
    base::Status status = std::move(waiting->second);
    lost_answers.erase(waiting);
    return status;
  }

  bool TakeLateCommit() {
    const base::MutexLock lock(mutex);
    if (lost_commit != LostCommit::kLate) return false;
    lost_commit.reset();
    return true;
  }

  std::optional<LostCommit> TakeLostCommit() {
    const base::MutexLock lock(mutex);
    return std::exchange(lost_commit, std::nullopt);
  }

  std::optional<std::string> TakeRefusal(const std::string& topic) {
    const base::MutexLock lock(mutex);
    const auto refusal = refusals.find(topic);
    if (refusal == refusals.end()) return std::nullopt;
    std::string reason = std::move(refusal->second);
    refusals.erase(refusal);
    return reason;
  }

  FakeBroker& broker;
  const FakeClients::Options options;
  std::atomic<bool> dead = false;
  base::Mutex mutex;
  FakeClients::StepHook hook GUARDED_BY(mutex);
  std::map<std::string, std::deque<base::Status>> failures GUARDED_BY(mutex);
  std::map<std::string, base::Status> lost_answers GUARDED_BY(mutex);
  std::optional<LostCommit> lost_commit GUARDED_BY(mutex);
  std::map<std::string, std::string> refusals GUARDED_BY(mutex);
};

}  // namespace support
