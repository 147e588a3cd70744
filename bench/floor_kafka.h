#pragma once

#include <librdkafka/rdkafka.h>

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

/// librdkafka for bare_loop and floor_rows: handles that close themselves, calls that end the process when they
/// fail.
namespace bench {

inline constexpr int kCallTimeoutMs = 30'000;

[[noreturn]] void Die(std::string_view what, std::string_view why);

template <auto Destroy>
struct Deleter {
  template <typename T>
  void operator()(T* object) const {
    Destroy(object);
  }
};
template <typename T, auto Destroy>
using Owned = std::unique_ptr<T, Deleter<Destroy>>;
using Handle = Owned<rd_kafka_t, rd_kafka_destroy>;
using TopicHandle = Owned<rd_kafka_topic_t, rd_kafka_topic_destroy>;
using Queue = Owned<rd_kafka_queue_t, rd_kafka_queue_destroy>;
using PartitionList = Owned<rd_kafka_topic_partition_list_t, rd_kafka_topic_partition_list_destroy>;
using GroupMetadata =
    Owned<rd_kafka_consumer_group_metadata_t, rd_kafka_consumer_group_metadata_destroy>;

using Settings = std::initializer_list<std::pair<const char*, std::string>>;
using OnRebalance = void (*)(rd_kafka_t*, rd_kafka_resp_err_t, rd_kafka_topic_partition_list_t*,
                             void*);
using OnDelivery = void (*)(rd_kafka_t*, const rd_kafka_message_t*, void*);

Handle NewProducer(const Settings& settings, void* opaque, OnDelivery on_delivery);
Handle NewConsumer(const Settings& settings, void* opaque, OnRebalance on_rebalance);

void Check(rd_kafka_error_t* error, std::string_view what);
void Check(rd_kafka_resp_err_t error, std::string_view what);

inline std::string_view Key(const rd_kafka_message_t& message) {
  return {static_cast<const char*>(message.key), message.key_len};
}
inline std::string_view Value(const rd_kafka_message_t& message) {
  return {static_cast<const char*>(message.payload), message.len};
}

}  // namespace bench
