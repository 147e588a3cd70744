#pragma once

#include <cstdint>
#include <string>

#include "pipeline/processor.h"
#include "stages/inbox_editor.h"
#include "stages/inbox_limits.h"
#include "stages/received_notification.h"
#include "state/key_value_store.h"

namespace stages {

/// Keeps each recipient's inbox: one row for each identity that stands.
///
/// Events of one identity may arrive in any order. The one with the latest `time` decides whether
/// it stands, and at equal times an undo beats what it undoes. So:
///
///   | known of the identity  | a notification of time t     | a retraction of time t            |
///   |------------------------|------------------------------|-----------------------------------|
///   | nothing                | a row                        | a tombstone                       |
///   | a tombstone of time u  | t > u: a row; else nothing   | t > u: the tombstone's time is t  |
///   | a row of time r, last  | t > d: d becomes t, and its  | t >= d: a tombstone, no row;      |
///   | notification of time d | content is kept for later;   | r <= t < d: a new row with what   |
///   | (d >= r)               | else nothing                 | was kept; t < r: nothing          |
///
/// A new row is unread and has its own id (identity and time), also when it replaces another. The
/// head's version grows by one for each record that changed what a reader sees.
///
/// Inboxes are trimmed as rows arrive, and by Punctuate(), which goes round all recipients.
class WriteInbox : public pipeline::Processor<ReceivedNotification, pipeline::Nothing> {
 public:
  /// The stores are kInboxStore and kInboxUnreadStore.
  WriteInbox(state::KeyValueStore& inbox, state::KeyValueStore& unread, const InboxLimits& limits,
             const TrimCounters& trimmed = {});

  base::Status Process(pipeline::Record<ReceivedNotification> record,
                       pipeline::Context<pipeline::Nothing>& context) override;

  /// Trims the next recipients, where the last call stopped; a bounded number of rows.
  base::Status Punctuate(pipeline::Context<pipeline::Nothing>& context) override;

 private:
  base::Status ApplyNotification(const ReceivedNotification& notification);
  base::Status ApplyRetraction(const ReceivedNotification& notification, int64_t stamp_ms);
  /// Adds the row unless it is older than what the limits keep; false then.
  base::Result<bool> AddRow(const ReceivedNotification& notification);
  base::Status ReplaceRow(const Identity& identity, InboxIdentity row);
  base::Status AddTombstone(const ReceivedNotification& notification, int64_t stamp_ms);
  /// Items older than this go, by the wall clock.
  int64_t ItemCutoff() const;

  state::KeyValueStore& inbox_;
  InboxEditor editor_;
  const InboxLimits limits_;
  int64_t now_ms_ = 0;
  /// The latest record's timestamp: the clock by which tombstones age.
  int64_t stream_ms_;
  /// Where Punctuate() goes on.
  std::string sweep_from_;
};

}  // namespace stages
