#include "stages/apply_action.h"

#include <limits>

namespace stages {

base::Status ApplyAction::Process(pipeline::Record<InboxAction> record,
                                  pipeline::Context<pipeline::Nothing>&) {
  const InboxAction& action = record.value;
  const uint64_t up_to = action.up_to.value_or(std::numeric_limits<uint64_t>::max());
  RETURN_IF_ERROR(editor_.Open(InboxKeys(action.recipient)));
  switch (action.kind) {
    case InboxAction::Kind::kReadAll:
      RETURN_IF_ERROR(editor_.ReadUpTo(up_to));
      break;
    case InboxAction::Kind::kSeenAll:
      RETURN_IF_ERROR(editor_.SeeUpTo(up_to));
      break;
    default:
      RETURN_IF_ERROR(ApplyToOne(action, record.metadata.timestamp_ms));
  }
  editor_.Save();
  return base::Status::Ok();
}

base::Status ApplyAction::ApplyToOne(const InboxAction& action, int64_t stamp_ms) {
  const auto found = editor_.FindIdentity(action.identity);
  if (!found.ok()) return found.status();
  if (!found->has_value()) return base::Status::Ok();
  const InboxIdentity& known = **found;
  // Undone and done again meanwhile, it is another notification, with another time.
  if (!known.stands || known.item_ms != action.time_ms) return base::Status::Ok();
  switch (action.kind) {
    case InboxAction::Kind::kRead:
      return editor_.SetRead(known.item_ms, known.item_arrival, true);
    case InboxAction::Kind::kUnread:
      return editor_.SetRead(known.item_ms, known.item_arrival, false);
    case InboxAction::Kind::kSeen:
      return editor_.SetSeen(known.item_ms, known.item_arrival);
    case InboxAction::Kind::kDelete:
      return Delete(action.identity, known, stamp_ms);
    default:
      return base::Status::Ok();
  }
}

base::Status ApplyAction::Delete(const Identity& identity, const InboxIdentity& known,
                                 int64_t stamp_ms) {
  RETURN_IF_ERROR(editor_.RemoveItem(known.item_ms, known.item_arrival));
  editor_.AddTombstone(identity, known.decided_ms, stamp_ms);
  return editor_.LimitTombstones(stamp_ms);
}

}  // namespace stages
