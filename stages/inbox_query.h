#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "stages/event_kinds.h"
#include "state/key_value_store.h"

/// Reads inboxes out of store kInboxStore, for HTTP. Read one answer through one
/// TaskReader::View, so that counts and rows are of the same moment. Threads: any.
namespace stages {

struct InboxCounts {
  uint64_t total = 0;
  uint64_t unread = 0;
  uint64_t unseen = 0;
  /// Grows with every visible change.
  uint64_t version = 0;
};

/// All zero for somebody whom nobody wrote to.
/// Errors: Corruption.
base::Result<InboxCounts> ReadCounts(const state::ReadableStore& inbox, std::string_view recipient);

struct InboxPage {
  InboxCounts counts;
  /// A JSON array of notifications with "read" and "seen", newest first.
  std::string items;
  size_t item_count = 0;
  /// Where the next page starts; nullopt when this one ends the inbox. Of unreserved URL
  /// characters, and good for ever: rows that come or go meanwhile do not move it.
  std::optional<std::string> next;
  /// As ReadStamp().
  std::string stamp;
};

/// Changes with every visible change of the inbox and never comes back: two pages that were read
/// with the same recipient, filter, limit and cursor, through one reader (View::reader() tells)
/// and at the same stamp, are the same. Empty for somebody whom nobody wrote to.
base::Result<std::string> ReadStamp(const state::ReadableStore& inbox, std::string_view recipient);

/// Which rows a page shows.
struct InboxFilter {
  enum class Status { kAll, kUnread, kRead };
  Status status = Status::kAll;
  /// Only these kinds; empty: all.
  std::vector<const EventKind*> kinds;

  bool ShowsAll() const { return status == Status::kAll && kinds.empty(); }
};

/// Rows that one page looks at at most, shown or not. A page of unread rows looks at unread ones
/// only; others look at what their filter leaves out, too.
inline constexpr size_t kPageRowsLookedAtMax = 2'000;

/// Up to `limit` rows behind `cursor` ("": from the newest), newest first. With a filter a page may
/// have fewer rows than `limit`, even none, and a next page all the same.
/// Errors: InvalidArgument when the cursor is not one of ours; Corruption.
/// REQUIRES: limit > 0; `inbox` and `unread` are of one TaskReader::View.
base::Result<InboxPage> ReadPage(const state::ReadableStore& inbox,
                                 const state::ReadableStore& unread, std::string_view recipient,
                                 const InboxFilter& filter, size_t limit, std::string_view cursor);

/// Whether the notification of this id is in the inbox. False also when `id` is malformed.
/// Errors: Corruption.
base::Result<bool> HasNotification(const state::ReadableStore& inbox, std::string_view recipient,
                                   std::string_view id);

/// Visits the notifications as they are stored (JSON without "read" and "seen"), oldest first,
/// until `visitor` returns false. The view is good for the call only.
/// Errors: Corruption.
base::Status VisitOldestFirst(const state::ReadableStore& inbox, std::string_view recipient,
                              const std::function<bool(std::string_view json)>& visitor);

}  // namespace stages
