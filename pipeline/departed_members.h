#pragma once

#include <chrono>
#include <map>
#include <set>
#include <string>

#include "base/status.h"
#include "pipeline/engine_config.h"
#include "pipeline/kafka_client.h"

namespace pipeline {

/// Ends the transactions of members that are gone from the group (exactly_once).
///
/// A process that dies for good may leave a transaction open. Whoever takes over its partitions has
/// to wait for it, and so has everyone who reads behind it, until the brokers' time-out, a minute
/// or more: long, so that the loss of a broker does not cost live members theirs. But the group
/// says after the session time-out that the member is gone, and then nothing that it left open may
/// be committed any more. So each other instance asks for a producer of the same transactional id,
/// which aborts what is open. A process that lives all the same (it hung, it was cut off) is fenced
/// by that and starts again within itself, as it has to without its membership anyway.
///
/// Threads: one.
class DepartedMembers {
 public:
  /// Time that a member is left to come back before its transactions are ended. One that is
  /// restarted without --stay-on-stop is often back by then, and need not be fenced.
  static constexpr std::chrono::nanoseconds kAbsence = std::chrono::seconds(1);

  /// Members of `own_instance` are left alone: they look after their own. The references outlive
  /// this.
  DepartedMembers(KafkaClients& clients, const EngineConfig& config, std::string own_instance);

  /// Takes over who is in the group at `now`. In the middle of a rebalance that is not known.
  void Refresh(const GroupDescription& group, std::chrono::nanoseconds now);

  /// Ends the transactions of one member that is gone for long enough, if there is one; the name of
  /// the member, or "". Errors: those of the producer; the next call tries again.
  base::Result<std::string> EndOne(std::chrono::nanoseconds now, std::chrono::milliseconds timeout);

 private:
  KafkaClients& clients_;
  const EngineConfig& config_;
  const std::string own_instance_;
  /// Of other instances.
  std::set<std::string> present_;
  /// When they were first found missing.
  std::map<std::string, std::chrono::nanoseconds> gone_;
};

}  // namespace pipeline
