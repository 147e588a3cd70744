#pragma once

#include <string_view>

#include "base/status.h"
#include "stages/inbox_rows.h"
#include "state/key_value_store.h"

namespace stages {

/// Makes one recipient's rows agree with each other after some of them came back from the
/// changelog; `group` is its RecipientGroupOf(). The index of unread rows is built anew, for it has
/// no changelog.
///
/// Rows that were committed together come back together, and then nothing else changes. A commit
/// that was torn (at least once) may bring back only some of its rows; its records will be
/// processed again, so whatever is half there goes: an item that its identity does not name, an
/// identity whose item is missing, a tombstone without its place in the order (and the other way
/// round). Then the head is counted anew.
///
/// Errors: Corruption when a row cannot be read.
base::Status RebuildUnread(std::string_view group, state::KeyValueStore& inbox,
                           state::KeyValueStore& unread);

}  // namespace stages
