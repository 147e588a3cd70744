#pragma once

#include <chrono>
#include <functional>

namespace serving {

/// Runs functions later, on a server thread: how a handler waits without blocking. Threads: any.
class Timers {
 public:
  virtual ~Timers() = default;

  /// Calls `call` once after `delay`, or never when the server stops before. `call` must not block.
  virtual void After(std::chrono::milliseconds delay, std::function<void()> call) = 0;
};

}  // namespace serving
