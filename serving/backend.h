#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/ids.h"
#include "base/metrics.h"
#include "base/status.h"
#include "pipeline/instance.h"
#include "pipeline/kafka_client.h"
#include "pipeline/position_watch.h"
#include "pipeline/store_registry.h"
#include "serving/http_message.h"
#include "stages/topics.h"
#include "stages/user.h"

namespace serving {

class Forwarder;

/// What the HTTP routes need of the rest of the process; app/ fills it in. All of it is set, may be
/// used from any thread, and outlives the InboxService.
struct Backend {
  /// Where inboxes are read.
  const pipeline::StoreRegistry* stores = nullptr;
  stages::Topics topics;
  /// Partition counts of the topics of these names.
  int32_t events_partitions = 0;
  int32_t users_partitions = 0;
  int32_t notifications_partitions = 0;
  /// Writes events, users and inbox actions. Its callbacks come within its delivery time-out.
  pipeline::AsyncProducer* producer = nullptr;

  /// Looks up a user in this instance's table; nullptr: not there.
  std::function<base::Result<std::shared_ptr<const stages::User>>(std::string_view id)> find_user;
  /// Everything of `users` before this position is in the table.
  std::function<base::Offset(base::Partition)> users_position;
  /// How long PUT and DELETE of a user wait for the table, from the request on.
  std::chrono::milliseconds users_timeout{5000};

  /// How far the tasks of this instance have committed.
  pipeline::PositionWatch* positions = nullptr;
  /// How long a change of an inbox waits for its task, from the request on.
  std::chrono::milliseconds action_timeout{5000};
  /// Which instance has the inboxes of this partition of `notifications`, by what the group says;
  /// nullopt while nobody is known to (a rebalance, an instance that has just come).
  std::function<std::optional<pipeline::Instance>(base::Partition)> find_owner;
  /// Another instance that keeps a warm copy of these inboxes; unset: nobody does.
  std::function<std::optional<pipeline::Instance>(base::Partition)> find_standby = {};
  /// Takes a request as if it had just come in; set by InboxService.
  std::function<void(Request, Respond)> take_again = {};
  /// "<application id>/<instance id>": what a request that is forwarded to this instance has in its
  /// header.
  std::string instance_name;
  /// Takes requests to the instances that find_owner names; nullptr: they are answered 503.
  Forwarder* forwarder = nullptr;
  /// False: POST of new events is refused, for this instance only keeps and serves inboxes.
  bool takes_events = true;
  /// True: so much of this partition of `events` is unread that more might push it out (embedded
  /// broker). Unset: never.
  std::function<bool(base::Partition)> events_backlogged = {};

  /// The body of GET /v1/status.
  std::function<std::string()> status_json;
  /// Ok when ready; else Unavailable with what is being waited for.
  std::function<base::Status()> readiness;

  /// What answers that are kept for the next GET may take; 0: none is kept.
  size_t kept_pages_bytes_max = 0;
  /// Is told how many of these bytes are in use at most, when that changes. May be unset.
  std::function<void(size_t)> kept_pages_bytes = {};

  base::Metrics* metrics = nullptr;
  const base::Clock* clock = nullptr;
};

}  // namespace serving
