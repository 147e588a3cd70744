#pragma once

#include <memory>
#include <string_view>

#include "serving/backend.h"
#include "serving/http_message.h"
#include "state/task_state.h"

namespace serving {

/// A user's inbox at one moment; in it the stores kInboxStore and kInboxUnreadStore.
using InboxView = std::unique_ptr<state::TaskReader::View>;

/// Makes a route's answer when it cannot have the inbox now: 503 with Retry-After, in its own form.
using UnavailableAnswer = Response (*)(std::string_view detail);

/// The inbox, when this instance has it; else nullptr, and the request is taken care of: it goes to
/// the instance that has the inbox, or is answered with `unavailable` when the inbox is being
/// restored, when nobody is known to have it, or when another instance has sent the request here.
/// The one place that knows where inboxes are: every route that needs one begins with it or with
/// the next. Threads: any.
InboxView OpenInbox(const Backend& backend, std::string_view user, const Request& request,
                    const Respond& respond, UnavailableAnswer unavailable);

/// The same for a read that may be a little old: while the owner is gone a warm copy answers, this
/// instance's own or, through the forwarder, another's. `respond` then marks the answer with
/// Herald-Stale.
InboxView OpenInboxOrCopy(const Backend& backend, std::string_view user, const Request& request,
                          Respond& respond, UnavailableAnswer unavailable);

/// The inbox when this instance has it, else nullptr; for another look at one that was here.
InboxView OpenInboxHere(const Backend& backend, std::string_view user);

}  // namespace serving
