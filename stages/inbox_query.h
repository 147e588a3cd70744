#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
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
};

/// Up to `limit` rows behind `cursor` ("": from the newest). Reads no more than one row beyond.
/// Errors: InvalidArgument when the cursor is not one of ours; Corruption.
/// REQUIRES: limit > 0.
base::Result<InboxPage> ReadPage(const state::ReadableStore& inbox, std::string_view recipient,
                                 size_t limit, std::string_view cursor);

}  // namespace stages
