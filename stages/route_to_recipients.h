#pragma once

#include <string_view>

#include "pipeline/processor.h"
#include "stages/enrich_actor.h"
#include "stages/identity.h"
#include "stages/notification.h"

namespace stages {

/// Makes one Notification for each recipient of an event, keyed by the recipient.
///
/// Each target counts once, in the order of first mention; the actor is left out unless the kind is
/// delivered to the actor too. An event that nobody is to be told of has no output.
class RouteToRecipients : public pipeline::Processor<EnrichedEvent, Notification> {
 public:
  base::Status Process(pipeline::Record<EnrichedEvent> record,
                       pipeline::Context<Notification>& context) override;

 private:
  /// Hashes all of the identity but the recipient.
  void StartIdentity(const Event& event);

  FieldHash identity_;
};

}  // namespace stages
