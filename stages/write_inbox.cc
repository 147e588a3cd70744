#include "stages/write_inbox.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "base/check.h"

namespace stages {
namespace {

/// Rows that one record removes at most beside its own change; Punctuate() does the rest.
constexpr size_t kTrimmedByRecordMax = 64;
/// Work of one Punctuate().
constexpr size_t kSweptRecipientsMax = 256;
constexpr size_t kSweptRowsMax = 1'000;

constexpr int64_t kNever = std::numeric_limits<int64_t>::min();
constexpr uint64_t kAnyNumber = std::numeric_limits<uint64_t>::max();

}  // namespace

WriteInbox::WriteInbox(state::KeyValueStore& inbox, state::KeyValueStore& unread,
                       const InboxLimits& limits, const TrimCounters& trimmed)
    : inbox_(inbox), editor_(inbox, unread, trimmed), limits_(limits), stream_ms_(kNever) {
  CHECK(limits.items_max > 0, "an inbox of no rows");
}

int64_t WriteInbox::ItemCutoff() const {
  return limits_.age_max_ms > 0 ? now_ms_ - limits_.age_max_ms : kNever;
}

base::Status WriteInbox::Process(pipeline::Record<ReceivedNotification> record,
                                 pipeline::Context<pipeline::Nothing>& context) {
  now_ms_ = context.NowMs();
  stream_ms_ = std::max(stream_ms_, record.metadata.timestamp_ms);
  RETURN_IF_ERROR(editor_.Open(InboxKeys(record.value.recipient)));
  RETURN_IF_ERROR(record.value.retracted
                      ? ApplyRetraction(record.value, record.metadata.timestamp_ms)
                      : ApplyNotification(record.value));
  editor_.Save();
  return base::Status::Ok();
}

base::Status WriteInbox::ApplyNotification(const ReceivedNotification& notification) {
  auto found = editor_.FindIdentity(notification.identity);
  if (!found.ok()) return found.status();
  if (!found->has_value()) return AddRow(notification).status();
  InboxIdentity& known = **found;
  if (notification.time_ms <= known.decided_ms) return base::Status::Ok();
  if (known.stands) {
    known.decided_ms = notification.time_ms;
    known.later_json = notification.json;
    editor_.PutIdentity(notification.identity, known);
    return base::Status::Ok();
  }
  const base::Result<bool> added = AddRow(notification);
  if (added.ok() && *added) editor_.RemoveTombstone(notification.identity, known.stamp_ms);
  return added.status();
}

base::Result<bool> WriteInbox::AddRow(const ReceivedNotification& notification) {
  const int64_t cutoff_ms = ItemCutoff();
  if (notification.time_ms < cutoff_ms) return false;
  if (editor_.head().total >= limits_.items_max) {
    const auto room =
        editor_.Trim({limits_.items_max - 1, cutoff_ms, notification.time_ms}, kTrimmedByRecordMax);
    if (!room.ok()) return room.status();
    if (*room == 0) return false;
  }
  InboxIdentity row;
  row.stands = true;
  row.decided_ms = notification.time_ms;
  row.item_ms = notification.time_ms;
  row.item_arrival =
      editor_.AddItem(notification.identity, notification.time_ms, notification.json);
  editor_.PutIdentity(notification.identity, row);
  // What is too old and was not in the way; a full inbox has room by now, but for a limit that was
  // made smaller, and then Punctuate() does the rest.
  const auto trimmed = editor_.Trim({kAnyNumber, cutoff_ms}, kTrimmedByRecordMax);
  if (!trimmed.ok()) return trimmed.status();
  return true;
}

base::Status WriteInbox::ApplyRetraction(const ReceivedNotification& retraction, int64_t stamp_ms) {
  auto found = editor_.FindIdentity(retraction.identity);
  if (!found.ok()) return found.status();
  if (!found->has_value()) return AddTombstone(retraction, stamp_ms);
  const InboxIdentity& known = **found;
  if (!known.stands) {
    if (retraction.time_ms <= known.decided_ms) return base::Status::Ok();
    editor_.RemoveTombstone(retraction.identity, known.stamp_ms);
    return AddTombstone(retraction, stamp_ms);
  }
  if (retraction.time_ms < known.item_ms) return base::Status::Ok();
  RETURN_IF_ERROR(editor_.RemoveItem(known.item_ms, known.item_arrival));
  if (retraction.time_ms >= known.decided_ms) return AddTombstone(retraction, stamp_ms);
  return ReplaceRow(retraction.identity, std::move(**found));
}

base::Status WriteInbox::ReplaceRow(const Identity& identity, InboxIdentity row) {
  row.item_ms = row.decided_ms;
  row.item_arrival = editor_.AddItem(identity, row.item_ms, row.later_json);
  row.later_json.clear();
  editor_.PutIdentity(identity, row);
  return base::Status::Ok();
}

base::Status WriteInbox::AddTombstone(const ReceivedNotification& retraction, int64_t stamp_ms) {
  editor_.AddTombstone(retraction.identity, retraction.time_ms, stamp_ms);
  return editor_.LimitTombstones(stream_ms_);
}

base::Status WriteInbox::Punctuate(pipeline::Context<pipeline::Nothing>& context) {
  now_ms_ = context.NowMs();
  // Without a record the age of a tombstone is not known: the clock may be far ahead of a backlog.
  const int64_t tombstone_cutoff_ms =
      stream_ms_ == kNever ? kNever : stream_ms_ - kTombstoneAgeMsMax;
  size_t rows = 0;
  for (size_t recipients = 0; recipients < kSweptRecipientsMax; ++recipients) {
    std::optional<std::string> group;
    RETURN_IF_ERROR(inbox_.Scan(sweep_from_, "", [&](std::string_view key, std::string_view) {
      group = RecipientGroupOf(key);
      return false;
    }));
    if (!group) {
      sweep_from_.clear();
      break;
    }
    RETURN_IF_ERROR(editor_.Open(InboxKeys::OfGroup(*group)));
    const auto trimmed = editor_.Trim({limits_.items_max, ItemCutoff()}, kSweptRowsMax - rows);
    if (!trimmed.ok()) return trimmed.status();
    rows += *trimmed;
    const auto evicted =
        editor_.EvictTombstones(kAnyNumber, tombstone_cutoff_ms, kSweptRowsMax - rows);
    if (!evicted.ok()) return evicted.status();
    rows += *evicted;
    const auto swept = editor_.SweepUnread(kSweptRowsMax - rows);
    if (!swept.ok()) return swept.status();
    rows += *swept;
    editor_.Save();
    // What is left of this recipient waits for the next round: one inbox must not hold up all
    // others.
    sweep_from_ = editor_.keys().GroupEnd();
    if (rows >= kSweptRowsMax) break;
  }
  return base::Status::Ok();
}

}  // namespace stages
