#include "app/signals.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <utility>

namespace app {
namespace {

sigset_t StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

}  // namespace

Signals::Signals(std::function<void()> on_stop) : on_stop_(std::move(on_stop)) {
  const sigset_t signals = StopSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  // A client that hangs up while we write is an error of that write, not the end of the process.
  signal(SIGPIPE, SIG_IGN);
  thread_ = std::jthread([this] { Run(); });
}

Signals::~Signals() {
  finished_ = true;
  // Wakes sigwait() when no signal ever came.
  pthread_kill(thread_.native_handle(), SIGTERM);
  thread_.join();
}

void Signals::Run() {
  const sigset_t signals = StopSignals();
  int signal_number = 0;
  while (!finished_) {
    if (sigwait(&signals, &signal_number) != 0 || finished_) continue;
    if (stopping_.exchange(true)) {
      signal(signal_number, SIG_DFL);
      pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
      raise(signal_number);
    }
    on_stop_();
  }
}

}  // namespace app
