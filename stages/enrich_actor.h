#pragma once

#include <memory>

#include "base/metrics.h"
#include "pipeline/global_table.h"
#include "pipeline/processor.h"
#include "stages/event.h"
#include "stages/user.h"

namespace stages {

/// An event and who did it; nullptr for one who is not among the users.
struct EnrichedEvent {
  Event event;
  std::shared_ptr<const User> actor;
};

/// Looks up the actor in the users table. An actor who is not there is counted and goes on without
/// a name: the notification is still worth having.
class EnrichActor : public pipeline::Processor<Event, EnrichedEvent> {
 public:
  EnrichActor(const pipeline::GlobalTable<User>& users, base::Counter unknown_actors)
      : users_(users), unknown_actors_(unknown_actors) {}

  base::Status Process(pipeline::Record<Event> record,
                       pipeline::Context<EnrichedEvent>& context) override;

 private:
  const pipeline::GlobalTable<User>& users_;
  base::Counter unknown_actors_;
};

}  // namespace stages
