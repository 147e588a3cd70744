#pragma once

#include <librdkafka/rdkafka.h>

#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "pipeline/kafka_client.h"

namespace pipeline {

/// Takes over `messages`, none of them an error. Topic names are kept in `topic_names`, which
/// outlives the batch; `live` counts the batches there are.
std::unique_ptr<RecordBatch> NewLibrdkafkaBatch(std::vector<rd_kafka_message_t*> messages,
                                                std::set<std::string, std::less<>>* topic_names,
                                                std::shared_ptr<std::atomic<int>> live);

}  // namespace pipeline
