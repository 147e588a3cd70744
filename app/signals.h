#pragma once

#include <atomic>
#include <functional>
#include <thread>

namespace app {

/// Turns SIGTERM and SIGINT into a flag and a call, on a thread of its own.
///
/// Make it in main() before any other thread starts: it blocks both signals for all threads that
/// come after it. A second signal while stopping ends the process as if it had not been caught.
class Signals {
 public:
  /// `on_stop` is called once, on the signal thread.
  explicit Signals(std::function<void()> on_stop);
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  /// Set when a signal came.
  const std::atomic<bool>& stopping() const { return stopping_; }

 private:
  void Run();

  std::function<void()> on_stop_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> finished_{false};
  std::jthread thread_;
};

}  // namespace app
