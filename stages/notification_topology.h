#pragma once

#include "base/metrics.h"
#include "pipeline/topology.h"
#include "stages/inbox_limits.h"
#include "stages/topics.h"

namespace stages {

/// The whole product: from raw events to inboxes. `unknown_actors` counts the events whose actor is
/// not among the users.
pipeline::Topology BuildNotificationTopology(const Topics& topics, const InboxLimits& limits,
                                             base::Counter unknown_actors = {});

}  // namespace stages
