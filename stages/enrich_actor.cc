#include "stages/enrich_actor.h"

#include <string>
#include <utility>

namespace stages {

base::Status EnrichActor::Process(pipeline::Record<Event> record,
                                  pipeline::Context<EnrichedEvent>& context) {
  auto actor = users_.Get(record.value.actor);
  if (!actor.ok()) return actor.status();
  if (*actor == nullptr) unknown_actors_.Increment();
  return context.Forward(
      {std::move(record.key), {std::move(record.value), std::move(*actor)}, record.metadata});
}

}  // namespace stages
