#include "app/signals.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <utility>

namespace app {
namespace {

sigset_t OurSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGUSR1);
  sigaddset(&signals, SIGUSR2);
  return signals;
}

}  // namespace

Signals::Signals(std::function<void()> on_stop, std::function<void()> on_user1,
                 std::function<void()> on_user2)
    : on_stop_(std::move(on_stop)),
      on_user1_(std::move(on_user1)),
      on_user2_(std::move(on_user2)) {
  const sigset_t signals = OurSignals();
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
  const sigset_t signals = OurSignals();
  int signal_number = 0;
  while (!finished_) {
    if (sigwait(&signals, &signal_number) != 0 || finished_) continue;
    if (signal_number == SIGUSR1 || signal_number == SIGUSR2) {
      (signal_number == SIGUSR1 ? on_user1_ : on_user2_)();
      continue;
    }
    if (stopping_.exchange(true)) {
      signal(signal_number, SIG_DFL);
      pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
      raise(signal_number);
    }
    on_stop_();
  }
}

}  // namespace app
