#include "serving/events_api.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "serving/json_input.h"
#include "serving/problem.h"
#include "serving/produce_event.h"
#include "serving/request_trace.h"
#include "serving/router.h"
#include "serving/uuid.h"
#include "stages/event.h"

namespace serving {
namespace {

using nlohmann::ordered_json;

/// An event that has been found good, as it will be produced.
struct ReadyEvent {
  std::string key;
  std::string value;
};

/// The events of one request on their way to Kafka. Threads: any.
class Batch {
 public:
  Batch(std::vector<std::string> ids, bool is_array, Respond respond)
      : ids_(std::move(ids)),
        is_array_(is_array),
        respond_(std::move(respond)),
        waiting_(ids_.size()) {}

  void Delivered(size_t index, const base::Result<base::Offset>& outcome) {
    base::MutexLock lock(mutex_);
    if (!outcome.ok() && !failed_.has_value()) failed_ = {index, outcome.status()};
    if (--waiting_ > 0) return;
    const Response response = MakeResponse();
    lock.Unlock();
    respond_(response);
  }

 private:
  Response MakeResponse() const REQUIRES(mutex_) {
    if (!failed_.has_value()) {
      Response response;
      response.status = 202;
      response.content_type = "application/json";
      response.body = ordered_json{{"ids", ids_}}.dump();
      return response;
    }
    const auto& [index, status] = *failed_;
    if (status.code() == base::StatusCode::kInvalidArgument) {
      return ToResponse({.status = 400,
                         .detail = "Kafka does not take this event: " + status.message() +
                                   (is_array_ ? ". Other events may have been applied." : ""),
                         .index = is_array_ ? std::optional(index) : std::nullopt,
                         .ids = ids_});
    }
    return ToResponse({.status = 503,
                       .detail = "Kafka has not confirmed all events (" + status.message() +
                                 "). Some may have been applied: send them again with these ids.",
                       .ids = ids_,
                       .retry_after = std::chrono::seconds(1)});
  }

  const std::vector<std::string> ids_;
  const bool is_array_;
  const Respond respond_;
  base::Mutex mutex_;
  size_t waiting_ GUARDED_BY(mutex_);
  std::optional<std::pair<size_t, base::Status>> failed_ GUARDED_BY(mutex_);
};

/// The field that a decoder's message ("<code>: <field> ...") is about; empty when none.
std::string FieldOf(std::string_view message) {
  static constexpr std::array<std::string_view, 12> kFields = {
      "id",          "type",      "actor",        "target", "targets", "object",
      "object.type", "object.id", "object.title", "text",   "undo_of", "time"};
  const std::string_view word = message.substr(0, message.find(' '));
  return std::find(kFields.begin(), kFields.end(), word) == kFields.end() ? "" : std::string(word);
}

bool IsMissing(const ordered_json& event, const char* field) {
  const auto it = event.find(field);
  return it == event.end() || it->is_null() ||
         (it->is_string() && it->get_ref<const std::string&>().empty());
}

/// Makes `event` ready and adds its id to `ids`; or says what is wrong with it.
std::optional<Problem> Prepare(ordered_json& event, int64_t now_ms,
                               pipeline::Serde<stages::Event>& serde, ReadyEvent& ready,
                               std::vector<std::string>& ids) {
  if (!event.is_object()) return Problem{.status = 400, .detail = "The event is not an object."};
  if (IsMissing(event, "id")) event["id"] = MakeUuidV7(now_ms);
  ready.value = event.dump();
  // What is checked is what will be read: the stage's own decoder over the bytes to be produced.
  pipeline::RawRecord record;
  record.metadata.timestamp_ms = now_ms;
  record.value = ready.value;
  auto decoded = serde.Decode(record);
  if (!decoded.ok()) {
    std::string_view message = decoded.status().message();
    if (const size_t colon = message.find(": "); colon != std::string_view::npos) {
      message.remove_prefix(colon + 2);
    }
    return Problem{.status = 400, .detail = std::string(message) + ".", .field = FieldOf(message)};
  }
  ready.key = decoded->targets.front();
  ids.push_back(std::move(decoded->id));
  return std::nullopt;
}

}  // namespace

void EventsApi::AddRoutes(Router& router) {
  router.Add("POST", "/v1/events", [this](const Request& request, const Respond& respond) {
    PostEvents(request, respond);
  });
}

void EventsApi::PostEvents(const Request& request, const Respond& respond) const {
  const auto refuse = [&respond](const Problem& problem) { respond(ToResponse(problem)); };
  if (!backend_.takes_events) {
    return refuse({.status = 421, .detail = std::string(kTakesNoEventsDetail)});
  }
  ordered_json body;
  if (base::Status read = ReadJson(request.body, body); !read.ok()) {
    return refuse({.status = 400, .detail = read.message()});
  }
  const bool is_array = body.is_array();
  if (!is_array) {
    ordered_json alone = std::move(body);
    body = ordered_json::array();
    body.push_back(std::move(alone));
  }
  if (body.empty() || body.size() > kEventsMax) {
    return refuse({.status = 400,
                   .detail = "An array holds 1 to " + std::to_string(kEventsMax) + " events."});
  }

  std::vector<ReadyEvent> ready(body.size());
  std::vector<std::string> ids;
  ids.reserve(body.size());
  pipeline::Serde<stages::Event> serde;
  const int64_t now_ms = backend_.clock->NowMs();
  for (size_t i = 0; i < body.size(); ++i) {
    if (auto problem = Prepare(body[i], now_ms, serde, ready[i], ids)) {
      if (is_array) problem->index = i;
      return refuse(*problem);
    }
  }

  for (size_t i = 0; i < ready.size(); ++i) {
    if (!IsBacklogged(backend_, ready[i].key)) continue;
    return refuse({.status = 429,
                   .detail = std::string(kBackloggedDetail),
                   .index = is_array ? std::optional(i) : std::nullopt,
                   .retry_after = std::chrono::seconds(1)});
  }

  // All are good: from here on each is produced, whatever becomes of the others.
  const RequestTrace trace = TraceOf(request);
  const auto batch =
      std::make_shared<Batch>(std::move(ids), is_array, WithTraceResponse(trace, respond));
  for (size_t i = 0; i < ready.size(); ++i) {
    ProduceEvent(
        backend_, ready[i].key, ready[i].value, trace,
        [batch, i](const base::Result<base::Offset>& outcome) { batch->Delivered(i, outcome); });
  }
}

}  // namespace serving
