#pragma once

#include <cstdint>

#include "pipeline/processor.h"
#include "stages/inbox_action.h"
#include "stages/inbox_editor.h"
#include "state/key_value_store.h"

namespace stages {

/// Does to an inbox what its reader asked for. An action on a notification that is not there, or
/// not any more, changes nothing; nor does one that has been applied before.
///
/// A deleted notification leaves a tombstone, so that a late duplicate of its event does not bring
/// it back; a later repeat of the event does, as a new row.
class ApplyAction : public pipeline::Processor<InboxAction, pipeline::Nothing> {
 public:
  /// The stores are kInboxStore and kInboxUnreadStore.
  ApplyAction(state::KeyValueStore& inbox, state::KeyValueStore& unread,
              const TrimCounters& trimmed = {})
      : editor_(inbox, unread, trimmed) {}

  base::Status Process(pipeline::Record<InboxAction> record,
                       pipeline::Context<pipeline::Nothing>& context) override;

 private:
  base::Status ApplyToOne(const InboxAction& action, int64_t stamp_ms);
  base::Status Delete(const Identity& identity, const InboxIdentity& known, int64_t stamp_ms);

  InboxEditor editor_;
};

}  // namespace stages
