#pragma once

#include <librdkafka/rdkafka.h>

#include <optional>
#include <string_view>

#include "base/ids.h"
#include "pipeline/record.h"

namespace pipeline::rdkafka {

/// A record as librdkafka's producers take it. All is borrowed for the call.
struct Enqueued {
  rd_kafka_topic_t* topic = nullptr;
  base::Partition partition;
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  /// nullptr or empty: none.
  const Headers* headers = nullptr;
  /// Comes back with the delivery report.
  void* opaque = nullptr;
};

/// Puts a copy into the producer's queue. Threads: any.
rd_kafka_resp_err_t Enqueue(rd_kafka_t* producer, const Enqueued& record);

}  // namespace pipeline::rdkafka
