#pragma once

#include "base/metrics.h"
#include "pipeline/topology.h"
#include "stages/inbox_editor.h"
#include "stages/inbox_limits.h"
#include "stages/topics.h"

namespace stages {

/// What the stages count beside what each stage is counted anyway. Default-made: nowhere.
struct NotificationCounters {
  /// Events whose actor is not among the users.
  base::Counter unknown_actors;
  TrimCounters trimmed;
};

/// The counters in `metrics`; the reasons for which the stages refuse records are there with 0 then,
/// too.
NotificationCounters CountIn(base::Metrics& metrics);

/// The whole product: from raw events to inboxes.
pipeline::Topology BuildNotificationTopology(const Topics& topics, const InboxLimits& limits,
                                             const NotificationCounters& counters = {});

}  // namespace stages
