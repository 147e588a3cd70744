#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "serving/http_message.h"
#include "stages/inbox_query.h"

/// What several inbox routes answer.
namespace serving {

/// 200 with this JSON.
Response JsonAnswer(std::string body);

/// "total":3,"unread":2,"unseen":0
std::string CountFields(const stages::InboxCounts& counts);

/// 200 {"total":..,"unread":..,"unseen":..,"version":..}
Response CountsAnswer(const stages::InboxCounts& counts);

/// Logs that rows of an inbox cannot be read; what to tell people. The stream thread finds out too
/// and restores the task.
std::string_view ReportUnreadableInbox(const base::Status& status);

}  // namespace serving
