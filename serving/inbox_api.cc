#include "serving/inbox_api.h"

#include <charconv>
#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "base/log.h"
#include "pipeline/partitioner.h"
#include "serving/problem.h"
#include "serving/router.h"
#include "serving/user_id.h"
#include "stages/inbox_query.h"
#include "stages/inbox_rows.h"
#include "state/task_state.h"

namespace serving {
namespace {

Response Json(std::string body) {
  Response response;
  response.content_type = "application/json";
  response.body = std::move(body);
  return response;
}

/// The task that has the user's inbox, at one moment; or why it cannot be read here and now.
struct Place {
  std::unique_ptr<state::TaskReader::View> view;
  Response refusal;
};

Place Locate(const Backend& backend, std::string_view user) {
  const base::Partition partition =
      pipeline::PartitionForKey(user, backend.notifications_partitions);
  const pipeline::StoreLookup found = backend.stores->Find(stages::kInboxStore, partition);
  switch (found.where) {
    case pipeline::StoreLookup::Where::kHere:
      return {found.reader->Snapshot(), {}};
    case pipeline::StoreLookup::Where::kRestoring:
      return {nullptr, ToResponse({.status = 503,
                                   .detail = "The partition of this inbox is being restored.",
                                   .retry_after = std::chrono::seconds(1)})};
    case pipeline::StoreLookup::Where::kNotHere:
      break;
  }
  return {nullptr, ToResponse({.status = 503,
                               .detail = "The partition of this inbox is not on this instance.",
                               .retry_after = std::chrono::seconds(1)})};
}

/// The row cannot be read; the stream thread finds out too and restores the task.
Response Unreadable(const base::Status& status) {
  base::LogError("inbox cannot be read", {{"why", status.ToString()}});
  return ToResponse({.status = 503,
                     .detail = "This inbox cannot be read at the moment.",
                     .retry_after = std::chrono::seconds(1)});
}

/// 1 to kInboxLimitMax, kInboxLimitDefault when the request has none; nullopt: anything else.
std::optional<int> LimitOf(const Request& request) {
  const auto text = request.Query("limit");
  if (!text.has_value()) return kInboxLimitDefault;
  int limit = 0;
  const auto [rest, error] = std::from_chars(text->data(), text->data() + text->size(), limit);
  if (error != std::errc() || rest != text->data() + text->size()) return std::nullopt;
  if (limit < 1 || limit > kInboxLimitMax) return std::nullopt;
  return limit;
}

std::string CountFields(const stages::InboxCounts& counts) {
  return "\"total\":" + std::to_string(counts.total) +
         ",\"unread\":" + std::to_string(counts.unread) +
         ",\"unseen\":" + std::to_string(counts.unseen);
}

}  // namespace

void InboxApi::AddRoutes(Router& router) {
  router.Add(
      "GET", "/v1/users/{user}/inbox",
      [this](const Request& request, const Respond& respond) { respond(GetInbox(request)); });
  router.Add(
      "GET", "/v1/users/{user}/inbox/counts",
      [this](const Request& request, const Respond& respond) { respond(GetCounts(request)); });
}

Response InboxApi::GetInbox(const Request& request) const {
  const std::string& user = request.PathParameter("user");
  if (const auto problem = CheckUserId(user)) return ToResponse(*problem);
  const auto limit = LimitOf(request);
  if (!limit.has_value()) {
    return ToResponse(
        {.status = 400,
         .detail = "limit is a number from 1 to " + std::to_string(kInboxLimitMax) + ".",
         .field = "limit"});
  }
  const Place place = Locate(backend_, user);
  if (place.view == nullptr) return place.refusal;
  const auto page =
      stages::ReadPage(place.view->Store(stages::kInboxStore), user, static_cast<size_t>(*limit),
                       request.Query("cursor").value_or(""));
  if (!page.ok()) {
    if (page.status().code() != base::StatusCode::kInvalidArgument) {
      return Unreadable(page.status());
    }
    return ToResponse({.status = 400, .detail = page.status().message(), .field = "cursor"});
  }
  std::string body = "{\"items\":" + page->items;
  // A cursor is of unreserved URL characters, so it needs no escapes here.
  body += page->next.has_value() ? ",\"next\":\"" + *page->next + "\"" : ",\"next\":null";
  body += ",\"counts\":{" + CountFields(page->counts) +
          "},\"version\":" + std::to_string(page->counts.version) + "}";
  return Json(std::move(body));
}

Response InboxApi::GetCounts(const Request& request) const {
  const std::string& user = request.PathParameter("user");
  if (const auto problem = CheckUserId(user)) return ToResponse(*problem);
  const Place place = Locate(backend_, user);
  if (place.view == nullptr) return place.refusal;
  const auto counts = stages::ReadCounts(place.view->Store(stages::kInboxStore), user);
  if (!counts.ok()) return Unreadable(counts.status());
  return Json("{" + CountFields(*counts) + ",\"version\":" + std::to_string(counts->version) + "}");
}

}  // namespace serving
