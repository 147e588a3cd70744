#pragma once

#include "serving/backend.h"
#include "serving/http_message.h"
#include "serving/page_cache.h"

namespace serving {

class Router;

/// Notifications of a page when the request does not say, and at most.
inline constexpr int kInboxLimitDefault = 20;
inline constexpr int kInboxLimitMax = 100;

/// Reads inboxes: a page of notifications, all or those that a filter lets through, or the counts
/// alone. Threads: any.
class InboxApi {
 public:
  /// `backend` outlives this.
  explicit InboxApi(const Backend& backend)
      : backend_(backend), pages_(backend.kept_pages_bytes_max, backend.kept_pages_bytes) {}

  void AddRoutes(Router& router);

 private:
  void GetInbox(const Request& request, Respond respond) const;
  void GetCounts(const Request& request, Respond respond) const;

  const Backend& backend_;
  /// First pages without a filter.
  mutable PageCache pages_;
};

}  // namespace serving
