#include "serving/inbox_replies.h"

#include <utility>

#include "base/log.h"

namespace serving {

Response JsonAnswer(std::string body) {
  Response response;
  response.content_type = "application/json";
  response.body = std::move(body);
  return response;
}

std::string CountFields(const stages::InboxCounts& counts) {
  return "\"total\":" + std::to_string(counts.total) +
         ",\"unread\":" + std::to_string(counts.unread) +
         ",\"unseen\":" + std::to_string(counts.unseen);
}

Response CountsAnswer(const stages::InboxCounts& counts) {
  return JsonAnswer("{" + CountFields(counts) + ",\"version\":" + std::to_string(counts.version) +
                    "}");
}

std::string_view ReportUnreadableInbox(const base::Status& status) {
  base::LogError("inbox cannot be read", {{"why", status.ToString()}});
  return "This inbox cannot be read at the moment.";
}

}  // namespace serving
