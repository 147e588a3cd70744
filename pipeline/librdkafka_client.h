#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "base/metrics.h"
#include "base/status.h"
#include "pipeline/kafka_client.h"

namespace pipeline {

class EmbeddedBroker;

struct LibrdkafkaOptions {
  /// "host:port,host:port"
  std::string brokers;
  std::string client_id = "herald";
  /// librdkafka's own settings, applied last, each to the kind of client that knows it.
  std::map<std::string, std::string> properties;
  /// How long a transaction of a process that died for good blocks readers; must outlast a broker's
  /// fail-over, or the loss of a broker fences us.
  milliseconds transaction_timeout{60000};
  /// How long AsyncProducer tries to deliver a record.
  milliseconds delivery_timeout{5000};
  /// How often AsyncProducer sends a record again within that time. At least 1: an idempotent
  /// producer cannot do without.
  int delivery_retries = 2'147'483'647;
  /// When the cluster is the embedded broker: topics are created on it, since it has no such
  /// request. Borrowed, outlives the clients.
  EmbeddedBroker* embedded_broker = nullptr;
  /// Borrowed, outlives the clients; nullptr: what librdkafka tells of its clients is not asked for.
  base::Metrics* metrics = nullptr;
};

/// Clients of a real cluster, over librdkafka. Nothing is connected yet when it returns.
/// Errors: InvalidArgument for a property that librdkafka does not know, does not take, or that
/// Herald sets itself because its guarantees stand on it; the message names it.
base::Result<std::unique_ptr<KafkaClients>> NewLibrdkafkaClients(const LibrdkafkaOptions& options);

/// The version of librdkafka that this process runs with, e.g. "2.8.0".
std::string LibrdkafkaVersion();

}  // namespace pipeline
