#pragma once

#include <librdkafka/rdkafka.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/status.h"
#include "pipeline/librdkafka_client.h"
#include "pipeline/librdkafka_statistics.h"

/// What the librdkafka_* files share: owners of its objects, settings, errors, log. Included by
/// those files alone.
namespace pipeline::rdkafka {

/// Owners of librdkafka's objects: Owned<rd_kafka_queue_t, rd_kafka_queue_destroy>.
template <auto destroy>
struct Destroyer {
  template <typename T>
  void operator()(T* object) const {
    destroy(object);
  }
};
template <typename T, auto destroy>
using Owned = std::unique_ptr<T, Destroyer<destroy>>;

using Conf = Owned<rd_kafka_conf_t, rd_kafka_conf_destroy>;
using Queue = Owned<rd_kafka_queue_t, rd_kafka_queue_destroy>;
using Event = Owned<rd_kafka_event_t, rd_kafka_event_destroy>;
using Error = Owned<rd_kafka_error_t, rd_kafka_error_destroy>;
using PartitionList = Owned<rd_kafka_topic_partition_list_t, rd_kafka_topic_partition_list_destroy>;
using AdminOptions = Owned<rd_kafka_AdminOptions_t, rd_kafka_AdminOptions_destroy>;
using Topic = Owned<rd_kafka_topic_t, rd_kafka_topic_destroy>;

/// Destroys as a crash would: leaves no group, flushes nothing.
struct HandleDestroyer {
  void operator()(rd_kafka_t* handle) const;
};
using Handle = std::unique_ptr<rd_kafka_t, HandleDestroyer>;

using Settings = std::vector<std::pair<std::string, std::string>>;

/// Says once that no broker can be reached or that they refuse us, and once that it is over,
/// however many clients of the process notice and however often. Threads: any.
class OutageLog {
 public:
  /// An error that librdkafka tells of its own accord; `kind` is the client's, for the log.
  void Note(rd_kafka_resp_err_t error, std::string_view kind, std::string_view reason);
  void Reached() {
    if (down_.load(std::memory_order_relaxed)) LogReached();
  }

 private:
  void LogReached();
  std::atomic<bool> down_{false};
};

/// How many bytes one batch of records may have, so that every topic takes it: a broker refuses a
/// batch that is larger than the topic's max.message.bytes, and does not say for which record's
/// sake. Only ever lowered. Threads: any.
class BatchLimit {
 public:
  /// librdkafka's own default.
  static constexpr int64_t kBytesDefault = 1000000;

  int64_t bytes() const { return bytes_.load(); }
  void LowerTo(int64_t bytes);

 private:
  std::atomic<int64_t> bytes_{kBytesDefault};
};

/// What the clients of one cluster have in common. Threads: any; unchanged once made, but for
/// `outage`, `batch_limit` and `statistics`.
struct Shared {
  LibrdkafkaOptions options;
  /// Of options.properties, those for producers and those for consumers.
  Settings producer_properties;
  Settings consumer_properties;
  OutageLog outage;
  BatchLimit batch_limit;
  /// What the clients tell about themselves.
  std::unique_ptr<Statistics> statistics;
  /// Borrowed; lives as long as the clients do.
  Admin* admin = nullptr;
};

/// Splits shared->options.properties into those for producers and those for consumers. A batch.size
/// becomes the batch limit.
/// Errors: InvalidArgument, naming the property.
base::Status SplitProperties(Shared* shared);

/// Callbacks that a client wants; `opaque` comes back in each.
struct Callbacks {
  void* opaque = nullptr;
  void (*error)(rd_kafka_t*, int error, const char* reason, void* opaque) = nullptr;
  void (*delivery)(rd_kafka_t*, const rd_kafka_message_t*, void* opaque) = nullptr;
  void (*rebalance)(rd_kafka_t*, rd_kafka_resp_err_t, rd_kafka_topic_partition_list_t*,
                    void* opaque) = nullptr;
  /// Whoever sets it serves the client's events again and again, also while nothing goes on: what is
  /// not fetched piles up in librdkafka.
  int (*statistics)(rd_kafka_t*, char* json, size_t size, void* opaque) = nullptr;
};

/// Errors: InvalidArgument when librdkafka takes a setting not, or not in this combination.
base::Result<Handle> NewHandle(const Shared& shared, rd_kafka_type_t type, const Settings& settings,
                               const Callbacks& callbacks);

/// Why a delivery report without an error and without an offset is none. librdkafka takes a batch
/// as written when a later one of its partition was, even if the broker refused it outright (it was
/// not the leader yet). A broker that knows nothing of the producer yet lets the later one pass, so
/// the record is missing, in transactions too.
inline constexpr std::string_view kNoOffset =
    "acknowledged without an offset, so it may be missing";

/// "Broker: Not coordinator (NOT_COORDINATOR)"
std::string ErrorText(rd_kafka_resp_err_t error);

/// The reason of the handle's fatal error, if it has one.
/// Errors: Fatal when we may not do what we try, or another process has our identity; else Lost.
base::Status FatalStatus(rd_kafka_t* handle);
/// As FatalStatus() for a known code and reason.
base::Status FatalStatusOf(rd_kafka_resp_err_t error, std::string_view reason);

/// True when asking again cannot help: authorisation, authentication, an unsupported request.
bool IsRefusal(rd_kafka_resp_err_t error);

/// What to do about a failed request that is neither fatal nor of a transaction: Fatal if
/// IsRefusal(), else Unavailable.
base::Status RequestStatus(rd_kafka_resp_err_t error, std::string_view what);

/// A new list with room for `size`.
PartitionList NewPartitionList(size_t size);
rd_kafka_topic_partition_t* Add(rd_kafka_topic_partition_list_t* list,
                                const base::TopicPartition& partition);
PartitionList ToList(const base::Positions& positions);
base::TopicPartition ToTopicPartition(const rd_kafka_topic_partition_t& element);

/// A point in time until which one call may take.
class Deadline {
 public:
  explicit Deadline(milliseconds timeout) : end_(Now() + timeout) {}
  milliseconds remaining() const {
    const auto left = std::chrono::ceil<milliseconds>(end_ - Now());
    return left.count() > 0 ? left : milliseconds(0);
  }
  int remaining_ms() const;
  bool passed() const { return Now() >= end_; }

 private:
  static std::chrono::nanoseconds Now() { return base::SystemClock::Instance().Monotonic(); }

  std::chrono::nanoseconds end_;
};

}  // namespace pipeline::rdkafka
