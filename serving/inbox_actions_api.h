#pragma once

#include <memory>
#include <string>
#include <utility>

#include "serving/backend.h"
#include "serving/http_message.h"
#include "serving/request_trace.h"
#include "serving/timers.h"
#include "stages/inbox_action.h"

namespace serving {

class Router;

/// Changes inboxes: reads, unreads, sees, deletes.
///
/// A change goes to topic `inbox-actions` and is answered with the counts as they are when the
/// inbox's task has committed it, so that a read behind the answer, on any instance, sees it. All
/// changes may be repeated. Threads: any.
class InboxActionsApi {
 public:
  /// `backend` outlives this.
  InboxActionsApi(const Backend& backend, std::shared_ptr<Timers> timers)
      : backend_(backend), timers_(std::move(timers)) {}

  void AddRoutes(Router& router);

 private:
  /// A change of the notification that the path names.
  void ChangeOne(stages::InboxAction::Kind kind, const Request& request,
                 const Respond& respond) const;
  /// A change of all notifications, or of those up to a version that the body names.
  void ChangeAll(stages::InboxAction::Kind kind, const Request& request,
                 const Respond& respond) const;

  /// Produces the action and responds when it is in the inbox, or when its time is over.
  void Apply(const stages::InboxAction& action, const RequestTrace& trace,
             const Respond& respond) const;

  const Backend& backend_;
  const std::shared_ptr<Timers> timers_;
};

}  // namespace serving
