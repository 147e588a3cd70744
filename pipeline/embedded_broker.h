#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/status.h"

namespace pipeline {

/// A small Kafka broker inside this process, for trying Herald with nothing installed: librdkafka's
/// mock cluster, on a free port of 127.0.0.1. Other clients, kcat say, can connect to it.
///
/// What it is not: it keeps some 5 MiB or 100,000 batches a partition, in memory, and drops the
/// oldest; transactions and compaction only pretend; it knows no requests to create or describe
/// topics, and makes a topic with four partitions when a client asks for one that it does not have.
/// So: at_least_once, fresh state at each start, no changelog.
///
/// It serves until it is destroyed. Threads: any.
class EmbeddedBroker {
 public:
  /// Starts with these topics (name to partition count).
  /// Errors: Unavailable when no port can be had; InvalidArgument for a bad name or count.
  static base::Result<std::unique_ptr<EmbeddedBroker>> Start(
      const std::map<std::string, int32_t>& topics);
  ~EmbeddedBroker();
  EmbeddedBroker(const EmbeddedBroker&) = delete;
  EmbeddedBroker& operator=(const EmbeddedBroker&) = delete;

  /// "127.0.0.1:PORT", for clients to start from.
  const std::string& address() const;

  /// A topic that exists already is not an error; its partition count stays.
  base::Status CreateTopic(const std::string& name, int32_t partitions);

  /// Answers the next produce request that it is not the leader, and all requests so late that a
  /// second one is on its way by then.
  void RefuseNextProduceForTesting();

 private:
  struct Impl;
  explicit EmbeddedBroker(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace pipeline
