#include "serving/pending_reply.h"

#include <boost/asio/post.hpp>
#include <utility>

namespace serving {

void PendingReply::Deliver(Response response) {
  const base::MutexLock lock(mutex_);
  if (answered_) return;
  answered_ = true;
  response_ = std::move(response);
  // Posting under the mutex: the connection cannot leave, so its loop lives.
  if (timer_ == nullptr) return;
  boost::asio::post(timer_->get_executor(), [self = shared_from_this()] {
    const base::MutexLock waiting_lock(self->mutex_);
    if (self->timer_ != nullptr) self->timer_->cancel();
  });
}

std::optional<Response> PendingReply::TakeOrWait(LoopTimer* timer) {
  const base::MutexLock lock(mutex_);
  if (!answered_) {
    timer_ = timer;
    return std::nullopt;
  }
  return std::exchange(response_, std::nullopt);
}

std::optional<Response> PendingReply::Take() {
  const base::MutexLock lock(mutex_);
  timer_ = nullptr;
  // Whoever responds now is too late.
  answered_ = true;
  return std::exchange(response_, std::nullopt);
}

}  // namespace serving
