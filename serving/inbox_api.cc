#include "serving/inbox_api.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <utility>

#include "serving/inbox_place.h"
#include "serving/inbox_replies.h"
#include "serving/problem.h"
#include "serving/router.h"
#include "serving/user_id.h"
#include "stages/event_kinds.h"
#include "stages/inbox_query.h"
#include "stages/inbox_rows.h"

namespace serving {
namespace {

/// Room for what stands around the items and the counts of a page, so that its body is written
/// without being moved.
constexpr size_t kPageFrameBytes = 256;

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

Problem BadStatus() {
  return {.status = 400, .detail = "status is unread, read or all.", .field = "status"};
}

Problem BadType() {
  std::string detail = "type is a list of kinds with commas between them, of these:";
  for (const stages::EventKind& kind : stages::EventKinds()) {
    detail.append(" ").append(kind.name).append(",");
  }
  detail.back() = '.';
  return {.status = 400, .detail = std::move(detail), .field = "type"};
}

/// Takes `status` and `type` out of the query; or says which of them is wrong.
std::optional<Problem> ReadFilter(const Request& request, stages::InboxFilter& filter) {
  const std::string_view status = request.Query("status").value_or("all");
  if (status == "unread") {
    filter.status = stages::InboxFilter::Status::kUnread;
  } else if (status == "read") {
    filter.status = stages::InboxFilter::Status::kRead;
  } else if (status != "all") {
    return BadStatus();
  }
  std::optional<std::string_view> types = request.Query("type");
  while (types.has_value()) {
    const size_t comma = types->find(',');
    const stages::EventKind* kind = stages::FindEventKind(types->substr(0, comma));
    if (kind == nullptr) return BadType();
    auto& kinds = filter.kinds;
    if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) kinds.push_back(kind);
    if (comma == std::string_view::npos) break;
    types->remove_prefix(comma + 1);
  }
  return std::nullopt;
}

}  // namespace

void InboxApi::AddRoutes(Router& router) {
  router.Add(
      "GET", "/v1/users/{user}/inbox",
      [this](const Request& request, const Respond& respond) { GetInbox(request, respond); });
  router.Add(
      "GET", "/v1/users/{user}/inbox/counts",
      [this](const Request& request, const Respond& respond) { GetCounts(request, respond); });
}

void InboxApi::GetInbox(const Request& request, Respond respond) const {
  const auto refuse = [&respond](const Problem& problem) { respond(ToResponse(problem)); };
  const std::string& user = request.PathParameter("user");
  if (const auto problem = CheckUserId(user)) return refuse(*problem);
  const auto limit = LimitOf(request);
  if (!limit.has_value()) {
    return refuse({.status = 400,
                   .detail = "limit is a number from 1 to " + std::to_string(kInboxLimitMax) + ".",
                   .field = "limit"});
  }
  stages::InboxFilter filter;
  if (const auto problem = ReadFilter(request, filter)) return refuse(*problem);
  const InboxView view = OpenInboxOrCopy(backend_, user, request, respond, Unavailable);
  if (view == nullptr) return;
  const state::ReadableStore& inbox = view->Store(stages::kInboxStore);
  const std::string_view cursor = request.Query("cursor").value_or("");
  // What is asked for most. A copy's view has no reader, for it is not asked twice.
  std::string key;
  if (cursor.empty() && filter.ShowsAll() && view->reader() != 0) {
    key = PageCache::Key(view->reader(), user, *limit);
    if (const auto kept = pages_.Find(key)) {
      const auto stamp = stages::ReadStamp(inbox, user);
      // Should the stamp be unreadable, then so is the page, which says why.
      if (stamp.ok() && *stamp == kept->stamp) return respond(JsonAnswer(kept->body));
    }
  }
  auto page = stages::ReadPage(inbox, view->Store(stages::kInboxUnreadStore), user, filter,
                               static_cast<size_t>(*limit), cursor);
  if (!page.ok()) {
    if (page.status().code() != base::StatusCode::kInvalidArgument) {
      return respond(Unavailable(ReportUnreadableInbox(page.status())));
    }
    return refuse({.status = 400, .detail = page.status().message(), .field = "cursor"});
  }
  const std::string counts = CountFields(page->counts);
  std::string body;
  body.reserve(page->items.size() + counts.size() + kPageFrameBytes);
  body.append("{\"items\":").append(page->items);
  // A cursor is of unreserved URL characters, so it needs no escapes here.
  if (page->next.has_value()) {
    body.append(",\"next\":\"").append(*page->next).append("\"");
  } else {
    body.append(",\"next\":null");
  }
  body.append(",\"counts\":{").append(counts);
  body.append("},\"version\":").append(std::to_string(page->counts.version)).append("}");
  // One that nobody wrote to is read fast, and there is no end to those.
  if (!key.empty() && !page->stamp.empty()) {
    pages_.Put(std::move(key), {std::move(page->stamp), body});
  }
  respond(JsonAnswer(std::move(body)));
}

void InboxApi::GetCounts(const Request& request, Respond respond) const {
  const std::string& user = request.PathParameter("user");
  if (const auto problem = CheckUserId(user)) return respond(ToResponse(*problem));
  const InboxView view = OpenInboxOrCopy(backend_, user, request, respond, Unavailable);
  if (view == nullptr) return;
  const auto counts = stages::ReadCounts(view->Store(stages::kInboxStore), user);
  if (!counts.ok()) return respond(Unavailable(ReportUnreadableInbox(counts.status())));
  respond(CountsAnswer(*counts));
}

}  // namespace serving
