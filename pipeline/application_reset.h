#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/status.h"
#include "pipeline/kafka_client.h"
#include "pipeline/topology.h"

namespace pipeline {

/// Where an application that was reset starts to read.
enum class ResetTo {
  /// Nothing is committed any more: at the earliest record there is when it starts.
  kStart,
  /// At the earliest record there is now.
  kEarliest,
  /// Behind the last record there is now.
  kLatest,
  /// At the first record whose timestamp is `time_ms` or later; without one, as kLatest.
  kTime,
};

struct ResetOptions {
  std::string application_id;
  std::string topic_prefix;
  ResetTo to = ResetTo::kStart;
  int64_t time_ms = 0;
  /// One request to the cluster.
  std::chrono::milliseconds request_timeout{5000};
};

/// What a reset does, in this order.
struct ResetPlan {
  struct Input {
    base::TopicPartition partition;
    /// What the group has committed.
    std::optional<base::Offset> from;
    /// What is committed afterwards.
    std::optional<base::Offset> to;
  };

  /// The group that is deleted; what it has committed on whatever topic goes with it.
  std::string group;
  /// The internal topics that exist and are deleted.
  std::vector<std::string> topics;
  /// Each partition of the topology's inputs.
  std::vector<Input> inputs;
};

/// Makes an application forget what it has done: its group's positions and its internal topics go,
/// so that it starts anew. The local rows of its instances are not touched; without them going too
/// an engine refuses to start, because its changelog is another.
///
/// Nothing is remembered between the steps. A reset that ends half-way is completed by doing it
/// again; an application that is started in between reads its inputs from the start on top of what
/// its changelog still has.
///
/// Threads: one.
class ApplicationReset {
 public:
  enum class Step { kGroupDeleted, kTopicsDeleted, kPositionsSet };

  /// All arguments outlive this.
  ApplicationReset(Admin& admin, const Topology& topology, ResetOptions options);

  /// Looks, and changes nothing.
  /// Errors: InvalidArgument when it must not be done now: an input does not exist, the group has
  /// members (they are named), an open transaction holds positions; else as Admin.
  base::Result<ResetPlan> Plan();

  /// Does it; `done` is called after each step. The broker refuses the first step when a member has
  /// joined since Plan(), and then nothing has changed.
  /// Errors: as Plan().
  base::Status CarryOut(const ResetPlan& plan, const std::function<void(Step)>& done);

  /// "<prefix><application id>-<store>-changelog" of each store, whether they exist or not.
  std::vector<std::string> Changelogs() const;

 private:
  base::Status CheckMembers();
  base::Result<std::vector<base::TopicPartition>> InputPartitions();
  base::Result<Positions> Targets(const std::vector<base::TopicPartition>& inputs);

  Admin& admin_;
  const Topology& topology_;
  const ResetOptions options_;
};

}  // namespace pipeline
