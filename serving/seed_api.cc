#include "serving/seed_api.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/log.h"
#include "serving/form_body.h"
#include "serving/go_text.h"
#include "serving/inbox_place.h"
#include "serving/inbox_replies.h"
#include "serving/problem.h"
#include "serving/produce_event.h"
#include "serving/request_trace.h"
#include "serving/router.h"
#include "serving/uuid.h"
#include "stages/event.h"
#include "stages/inbox_query.h"
#include "stages/inbox_rows.h"
#include "stages/json_reader.h"
#include "stages/json_text.h"

namespace serving {
namespace {

/// Bytes of one row in an answer, about, and of memory taken for an answer in advance at most.
constexpr size_t kRowBytesTypical = 128;
constexpr size_t kReserveBytesMax = size_t{32} << 20;

constexpr std::string_view kNoNotifications =
    R"({"message":"No notifications found for user","notifications":[]})";

Response Json(int status, std::string body) {
  Response response;
  response.status = status;
  response.content_type = "application/json; charset=utf-8";
  response.body = std::move(body);
  return response;
}

/// {"message":"..."}
Response Message(int status, std::string_view text) {
  std::string body = R"({"message":)";
  AppendGoJsonString(body, text);
  body += '}';
  return Json(status, std::move(body));
}

Response ComeAgain(int status, std::string_view text) {
  Response response = Message(status, text);
  response.headers.emplace_back("Retry-After", "1");
  return response;
}

Response UnavailableMessage(std::string_view detail) { return ComeAgain(503, detail); }

/// Problems of those who forward requests, in the form of these routes.
Respond WithoutProblems(const Respond& respond) {
  return [respond](Response response) {
    if (response.content_type == "application/problem+json") {
      const auto json = nlohmann::json::parse(response.body, nullptr, false);
      const auto detail = json.is_object() ? json.find("detail") : json.end();
      const bool has_detail = detail != json.end() && detail->is_string();
      Response message = Message(
          response.status, has_detail ? detail->get<std::string>() : ReasonPhrase(response.status));
      message.headers = std::move(response.headers);
      response = std::move(message);
    }
    respond(std::move(response));
  };
}

/// Takes an id out of a form; or the answer that says what is wrong with it.
std::optional<Response> TakeId(const FormBody& form, std::string_view name, std::string& id) {
  const auto number = GoAtoi(form.Field(name));
  if (const auto* error = std::get_if<std::string>(&number)) {
    return Message(400, "failed to parse ID from form value " + std::string(name) + ": " + *error);
  }
  id = std::to_string(std::get<int64_t>(number));
  return std::nullopt;
}

/// The number, when all of `text` is one that fits.
std::optional<int64_t> ToNumber(std::string_view text) {
  int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || rest != end) return std::nullopt;
  return number;
}

void AppendUser(std::string& out, int64_t id, std::string_view name) {
  out += R"({"id":)";
  stages::AppendDecimal(out, id);
  out += R"(,"name":)";
  AppendGoJsonString(out, name);
  out += '}';
}

/// Writes notifications, as they are stored, in the form of these routes.
class RowWriter {
 public:
  RowWriter(std::string& out, std::string to) : out_(out), to_(std::move(to)) {}

  base::Status Append(std::string_view stored) {
    stages::JsonValue actor;
    stages::JsonValue actor_id;
    stages::JsonValue actor_name;
    stages::JsonValue message;
    const stages::JsonField actor_fields[] = {{"id", &actor_id}, {"name", &actor_name}};
    const stages::JsonField fields[] = {{"actor", &actor, nullptr, actor_fields},
                                        {"message", &message}};
    if (base::Status read = reader_.Read(stored, fields); !read.ok()) {
      return base::Status::Corruption("a notification cannot be read: " + read.message());
    }
    out_ += any_ ? R"(,{"from":)" : R"({"from":)";
    any_ = true;
    AppendUser(out_, ToNumber(actor_id.text).value_or(0), TextOf(actor_name));
    out_ += R"(,"to":)";
    out_ += to_;
    out_ += R"(,"message":)";
    AppendGoJsonString(out_, TextOf(message));
    out_ += '}';
    return base::Status::Ok();
  }

  bool any() const { return any_; }

 private:
  static std::string_view TextOf(const stages::JsonValue& value) {
    return value.kind == stages::JsonValue::Kind::kString ? value.text : std::string_view();
  }

  std::string& out_;
  /// The same in every row.
  const std::string to_;
  stages::JsonReader reader_;
  bool any_ = false;
};

/// As gin does: to the same path without the slash at its end.
Response RedirectFrom(const Request& request, std::string_view path) {
  std::string to = GoEscapePath(path);
  if (const size_t question = request.target.find('?'); question != std::string::npos) {
    to += request.target.substr(question);
  }
  Response response;
  if (request.method == "GET") {
    response.status = 301;
    response.content_type = "text/html; charset=utf-8";
    response.body = "<a href=\"" + GoEscapeHtml(to) + "\">Moved Permanently</a>.\n\n";
  } else {
    response.status = 307;
  }
  response.headers.emplace_back("Location", std::move(to));
  return response;
}

}  // namespace

void SeedApi::AddRoutes(Router& router) {
  // The Router hands HEAD to GET routes; kafka-notify knows no HEAD.
  const auto get_only = [](auto handle) {
    return [handle](const Request& request, const Respond& respond) {
      if (request.method != "GET") return respond(PlainNotFound());
      handle(request, respond);
    };
  };
  router.Add("POST", "/send", [this](const Request& request, const Respond& respond) {
    PostSend(request, respond);
  });
  router.Add("POST", "/send/", [](const Request& request, const Respond& respond) {
    respond(RedirectFrom(request, "/send"));
  });
  router.Add("GET", "/notifications/{userID}",
             get_only([this](const Request& request, const Respond& respond) {
               GetNotifications(request, respond);
             }));
  router.Add("GET", "/notifications/{userID}/",
             get_only([](const Request& request, const Respond& respond) {
               respond(RedirectFrom(request, "/notifications/" + request.PathParameter("userID")));
             }));
}

std::optional<Response> SeedApi::CheckUsers(const std::string& from, const std::string& to) const {
  for (const std::string& id : {from, to}) {
    const auto user = backend_.find_user(id);
    if (!user.ok()) {
      base::LogError("users table cannot be read", {{"why", user.status().ToString()}});
      return Message(500, "The users table cannot be read at the moment.");
    }
    if (*user != nullptr) continue;
    // A table that is still being read does not know who is not there.
    if (const base::Status ready = backend_.readiness(); !ready.ok()) {
      return Message(500, "This instance is not ready: " + ready.message() + ".");
    }
    return Message(404, "User not found");
  }
  return std::nullopt;
}

void SeedApi::PostSend(const Request& request, const Respond& respond) const {
  if (!backend_.takes_events) return respond(Message(421, kTakesNoEventsDetail));
  const FormBody form(request);
  std::string from;
  std::string to;
  if (auto wrong = TakeId(form, "fromID", from)) return respond(std::move(*wrong));
  if (auto wrong = TakeId(form, "toID", to)) return respond(std::move(*wrong));
  if (auto missing = CheckUsers(from, to)) return respond(std::move(*missing));
  const std::string text = ReplaceInvalidUtf8(form.Field("message"));
  if (text.size() > stages::kTextBytesMax) {
    return respond(
        Message(400, "message is longer than " + std::to_string(stages::kTextBytesMax) + " bytes"));
  }
  if (IsBacklogged(backend_, to)) return respond(ComeAgain(429, kBackloggedDetail));

  // Ids are digits and perhaps a sign, so they need no escapes.
  std::string event = R"({"id":")" + MakeUuidV7(backend_.clock->NowMs());
  event += R"(","type":"message","actor":")" + from + R"(","target":")" + to + R"(","text":)";
  stages::AppendJsonString(event, std::string_view(text));
  event += '}';
  // The answer is kafka-notify's, header for header, so it does not tell the trace.
  ProduceEvent(backend_, to, event, TraceOf(request),
               [respond](const base::Result<base::Offset>& outcome) {
                 if (!outcome.ok()) return respond(Message(500, outcome.status().message()));
                 respond(Message(200, "Notification sent successfully!"));
               });
}

void SeedApi::GetNotifications(const Request& request, const Respond& respond) const {
  const std::string& user = request.PathParameter("userID");
  const auto number = ToNumber(user);
  // That system knows numbers only, each by one spelling.
  if (!number.has_value() || std::to_string(*number) != user) {
    return respond(Json(200, std::string(kNoNotifications)));
  }
  // No copies: its clients know of no header that says "a little old".
  const InboxView view =
      OpenInbox(backend_, user, request, WithoutProblems(respond), UnavailableMessage);
  if (view == nullptr) return;
  const state::ReadableStore& inbox = view->Store(stages::kInboxStore);
  const auto counts = stages::ReadCounts(inbox, user);
  if (!counts.ok()) return respond(UnavailableMessage(ReportUnreadableInbox(counts.status())));
  if (counts->total == 0) return respond(Json(200, std::string(kNoNotifications)));

  const auto known = backend_.find_user(user);
  if (!known.ok()) {
    base::LogError("users table cannot be read", {{"why", known.status().ToString()}});
    return respond(UnavailableMessage("The users table cannot be read at the moment."));
  }
  std::string to;
  AppendUser(to, *number, *known == nullptr ? "" : (*known)->name.value_or(""));

  std::string body;
  body.reserve(std::min<size_t>(counts->total * (kRowBytesTypical + to.size()), kReserveBytesMax));
  body += R"({"notifications":[)";
  RowWriter rows(body, std::move(to));
  base::Status written;
  base::Status read = stages::VisitOldestFirst(inbox, user, [&](std::string_view stored) {
    written = rows.Append(stored);
    return written.ok();
  });
  if (read.ok()) read = written;
  if (!read.ok()) return respond(UnavailableMessage(ReportUnreadableInbox(read)));
  body += "]}";
  respond(Json(200, std::move(body)));
}

}  // namespace serving
