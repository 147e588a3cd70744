#include "serving/inbox_actions_api.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "pipeline/partitioner.h"
#include "serving/inbox_place.h"
#include "serving/inbox_replies.h"
#include "serving/json_input.h"
#include "serving/problem.h"
#include "serving/router.h"
#include "serving/user_id.h"
#include "stages/inbox_query.h"
#include "stages/inbox_rows.h"
#include "stages/notification.h"

namespace serving {
namespace {

using Kind = stages::InboxAction::Kind;
using Outcome = pipeline::PositionWatch::Outcome;

constexpr std::chrono::milliseconds kAtOnce{0};

/// An action that Kafka or the task has not confirmed yet. Kept by whoever will call back.
struct WaitingAction {
  WaitingAction(std::string user_in, base::TopicPartition actions_in, Respond respond_in)
      : user(std::move(user_in)), actions(std::move(actions_in)), respond(std::move(respond_in)) {}

  const std::string user;
  const base::TopicPartition actions;
  const Respond respond;
  /// The number of the wait for the task, once there is one.
  std::atomic<uint64_t> wait{0};
  /// The time is over. Set before `wait` is looked at by whoever sets it, and the other way round,
  /// so that one of the two cancels.
  std::atomic<bool> late{false};
};

/// The counts after the action. Runs on a server thread.
void Answer(const Backend& backend, const WaitingAction& action, Outcome outcome) {
  const InboxView view =
      outcome == Outcome::kPassed ? OpenInboxHere(backend, action.user) : nullptr;
  if (view == nullptr) {
    return action.respond(MayHaveBeenApplied("The partition of this inbox has moved meanwhile."));
  }
  const auto counts = stages::ReadCounts(view->Store(stages::kInboxStore), action.user);
  if (!counts.ok()) {
    return action.respond(MayHaveBeenApplied(ReportUnreadableInbox(counts.status())));
  }
  action.respond(CountsAnswer(*counts));
}

/// Kafka has the action at `offset`. Runs on a server thread.
void WaitForTask(const Backend& backend, const std::shared_ptr<Timers>& timers,
                 const std::shared_ptr<WaitingAction>& action, base::Offset offset) {
  if (action->late) return;
  const uint64_t wait =
      backend.positions->Wait(action->actions, offset, [&backend, timers, action](Outcome outcome) {
        // A stream thread has better things to do than to read stores for us.
        timers->After(kAtOnce, [&backend, action, outcome] { Answer(backend, *action, outcome); });
      });
  if (wait == 0) {
    return action->respond(MayHaveBeenApplied("Too many changes are waiting on this instance."));
  }
  action->wait = wait;
  if (action->late) backend.positions->Cancel(wait);
}

/// The time of `action` is over. Runs on a server thread.
void GiveUp(const Backend& backend, WaitingAction& action) {
  action.late = true;
  if (const uint64_t wait = action.wait; wait != 0) backend.positions->Cancel(wait);
  action.respond(MayHaveBeenApplied("The change was not confirmed in time."));
}

Problem BadUpTo(std::string detail) {
  return {.status = 400, .detail = std::move(detail), .field = "up_to"};
}

/// Takes `up_to` out of the body; or says what is wrong with it.
std::optional<Problem> ReadUpTo(const std::string& body, std::optional<uint64_t>& up_to) {
  if (body.empty()) return std::nullopt;
  nlohmann::ordered_json json;
  if (const base::Status read = ReadJson(body, json); !read.ok()) {
    return Problem{.status = 400, .detail = read.message()};
  }
  if (!json.is_object()) {
    return Problem{.status = 400, .detail = "The body is an object, or empty."};
  }
  const auto field = json.find("up_to");
  if (field == json.end() || field->is_null()) return std::nullopt;
  if (!field->is_number_unsigned()) {
    return BadUpTo("up_to is a version of this inbox: an integer from 0.");
  }
  up_to = field->get<uint64_t>();
  return std::nullopt;
}

}  // namespace

void InboxActionsApi::AddRoutes(Router& router) {
  const auto one = [&](std::string_view method, std::string_view pattern, Kind kind) {
    router.Add(method, pattern, [this, kind](const Request& request, const Respond& respond) {
      ChangeOne(kind, request, respond);
    });
  };
  const auto all = [&](std::string_view pattern, Kind kind) {
    router.Add("POST", pattern, [this, kind](const Request& request, const Respond& respond) {
      ChangeAll(kind, request, respond);
    });
  };
  one("POST", "/v1/users/{user}/inbox/{id}/read", Kind::kRead);
  one("POST", "/v1/users/{user}/inbox/{id}/unread", Kind::kUnread);
  one("POST", "/v1/users/{user}/inbox/{id}/seen", Kind::kSeen);
  one("DELETE", "/v1/users/{user}/inbox/{id}", Kind::kDelete);
  all("/v1/users/{user}/inbox/read-all", Kind::kReadAll);
  all("/v1/users/{user}/inbox/seen-all", Kind::kSeenAll);
}

void InboxActionsApi::ChangeOne(Kind kind, const Request& request, const Respond& respond) const {
  stages::InboxAction action;
  action.kind = kind;
  action.recipient = request.PathParameter("user");
  if (const auto problem = CheckUserId(action.recipient)) return respond(ToResponse(*problem));
  const InboxView view = OpenInbox(backend_, action.recipient, request, respond, Unavailable);
  if (view == nullptr) return;
  const std::string& id = request.PathParameter("id");
  const auto is_there =
      stages::HasNotification(view->Store(stages::kInboxStore), action.recipient, id);
  if (!is_there.ok()) {
    return respond(Unavailable(ReportUnreadableInbox(is_there.status())));
  }
  if (!*is_there || !stages::ParseNotificationId(id, action.identity, action.time_ms)) {
    return respond(
        ToResponse({.status = 404, .detail = "There is no notification of this id in the inbox."}));
  }
  Apply(action, TraceOf(request), respond);
}

void InboxActionsApi::ChangeAll(Kind kind, const Request& request, const Respond& respond) const {
  stages::InboxAction action;
  action.kind = kind;
  action.recipient = request.PathParameter("user");
  if (const auto problem = CheckUserId(action.recipient)) return respond(ToResponse(*problem));
  if (const auto problem = ReadUpTo(request.body, action.up_to)) {
    return respond(ToResponse(*problem));
  }
  const InboxView view = OpenInbox(backend_, action.recipient, request, respond, Unavailable);
  if (view == nullptr) return;
  if (action.up_to.has_value()) {
    const auto counts = stages::ReadCounts(view->Store(stages::kInboxStore), action.recipient);
    if (!counts.ok()) return respond(Unavailable(ReportUnreadableInbox(counts.status())));
    if (*action.up_to > counts->version) {
      return respond(ToResponse(BadUpTo("up_to is above the version of this inbox, " +
                                        std::to_string(counts->version) + ".")));
    }
  }
  Apply(action, TraceOf(request), respond);
}

void InboxActionsApi::Apply(const stages::InboxAction& action, const RequestTrace& trace,
                            const Respond& respond) const {
  const base::TopicPartition actions{
      backend_.topics.inbox_actions,
      pipeline::PartitionForKey(action.recipient, backend_.notifications_partitions)};
  std::string value;
  pipeline::Serde<stages::InboxAction>().Encode(action, value);
  const auto waiting = std::make_shared<WaitingAction>(action.recipient, actions,
                                                       WithTraceResponse(trace, respond));
  // Weak: what was answered in time is forgotten then, not when its time is over.
  timers_->After(backend_.action_timeout,
                 [&backend = backend_, weak = std::weak_ptr<WaitingAction>(waiting)] {
                   if (const auto late = weak.lock()) GiveUp(backend, *late);
                 });
  backend_.producer->Produce(
      actions.topic, actions.partition, action.recipient, value, trace.headers,
      [&backend = backend_, timers = timers_, waiting](const base::Result<base::Offset>& outcome) {
        // The producer may outlive the backend: only the server's own threads touch that.
        if (!outcome.ok()) {
          const std::string& why = outcome.status().message();
          if (outcome.status().code() == base::StatusCode::kInvalidArgument) {
            return waiting->respond(ToResponse(
                {.status = 400, .detail = "Kafka does not take this change: " + why + "."}));
          }
          return waiting->respond(
              MayHaveBeenApplied("Kafka has not confirmed the change (" + why + ")."));
        }
        timers->After(kAtOnce, [&backend, timers, waiting, offset = *outcome] {
          WaitForTask(backend, timers, waiting, offset);
        });
      });
}

}  // namespace serving
