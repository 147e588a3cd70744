#pragma once

#include <atomic>
#include <functional>
#include <thread>

namespace app {

/// Turns SIGTERM and SIGINT into a flag and a call, SIGUSR1 and SIGUSR2 into a call, on a thread of
/// its own.
///
/// Make it in main() before any other thread starts: it blocks these signals for all threads that
/// come after it. A second stop signal while stopping ends the process as if it were not caught.
class Signals {
 public:
  /// All are called on the signal thread; `on_stop` once.
  Signals(std::function<void()> on_stop, std::function<void()> on_user1,
          std::function<void()> on_user2);
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  /// Set when a stop signal came.
  const std::atomic<bool>& stopping() const { return stopping_; }

 private:
  void Run();

  const std::function<void()> on_stop_;
  const std::function<void()> on_user1_;
  const std::function<void()> on_user2_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> finished_{false};
  std::jthread thread_;
};

}  // namespace app
