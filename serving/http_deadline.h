#pragma once

#include <boost/system/error_code.hpp>
#include <chrono>
#include <memory>

#include "serving/http_loop.h"
#include "serving/pending_reply.h"

// Of the HTTP server's own files; nobody else includes this.
namespace serving {

/// Closes a socket when a moment has passed, unless it is put off before.
///
/// Each request moves it a few times and hardly any lets it pass. So a move sets a timer only when
/// that has to ring earlier than it is set for; one that rings too early is set anew. Used on the
/// loop's thread.
class Deadline {
 public:
  Deadline(Loop& loop, LoopSocket& socket) : watch_(std::make_shared<Watch>(loop, socket)) {}
  ~Deadline() {
    watch_->socket = nullptr;
    watch_->timer.cancel();
  }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

  void SetAfter(std::chrono::milliseconds time) {
    watch_->at = Moment::clock::now() + time;
    if (watch_->at < watch_->rings_at) Watch::Arm(watch_);
  }

  void PutOff() { watch_->at = Moment::max(); }

 private:
  using Moment = std::chrono::steady_clock::time_point;

  /// Outlives the Deadline when the timer has rung already.
  struct Watch {
    Watch(Loop& loop, LoopSocket& socket_in) : timer(loop.context), socket(&socket_in) {}

    static void Arm(const std::shared_ptr<Watch>& self) {
      self->rings_at = self->at;
      self->timer.expires_at(self->at);
      self->timer.async_wait([self](const boost::system::error_code& error) {
        if (!error && self->socket != nullptr) Ring(self);
      });
    }

    static void Ring(const std::shared_ptr<Watch>& self) {
      self->rings_at = Moment::max();
      if (self->at == Moment::max()) return;
      if (Moment::clock::now() < self->at) return Arm(self);
      boost::system::error_code ignored;
      self->socket->close(ignored);
    }

    LoopTimer timer;
    LoopSocket* socket;
    Moment at = Moment::max();
    Moment rings_at = Moment::max();
  };

  const std::shared_ptr<Watch> watch_;
};

}  // namespace serving
