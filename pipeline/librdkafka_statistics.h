#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/metrics.h"
#include "base/mutex.h"

namespace pipeline::rdkafka {

/// What a client is for: the `client` label of its metrics.
enum class ClientKind : uint8_t { kConsumer, kProducer, kReader, kApiProducer };
inline constexpr size_t kClientKinds = 4;

/// What librdkafka tells about its clients now and then, as metrics.
///
/// A client's thread leaves the text; whoever calls Update() reads it. A text that nobody came for is
/// replaced by the next, so none of them piles up.
///
/// Threads: New() and Client::Put() from any; Update() from one.
class Statistics {
 public:
  /// How often librdkafka tells.
  static constexpr int kIntervalMs = 5000;
  /// More brokers than this share the label "other".
  static constexpr size_t kBrokersMax = 32;

  /// One client, for as long as it lives.
  class Client {
   public:
    explicit Client(ClientKind kind) : kind_(kind) {}
    /// A text of librdkafka's, see its STATISTICS.md.
    void Put(std::string_view json);

   private:
    friend class Statistics;
    /// Of one broker, since the client began.
    struct Totals {
      uint64_t errors = 0;
      uint64_t retries = 0;
      uint64_t timeouts = 0;
      uint64_t disconnects = 0;
    };
    const ClientKind kind_;
    base::Mutex mutex_;
    std::string fresh_ GUARDED_BY(mutex_);

    // Of the thread that updates.
    std::map<std::string, Totals> totals_;
    double queue_records_ = 0;
    double queue_bytes_ = 0;
    double connected_brokers_ = 0;
    struct Broker {
      double round_trip_seconds = 0;
      double round_trip_p99_seconds = 0;
      double waiting_requests = 0;
    };
    std::map<std::string, Broker> brokers_;
  };

  /// `metrics` may be nullptr: then it counts nowhere.
  explicit Statistics(base::Metrics* metrics);
  ~Statistics();

  bool enabled() const { return metrics_ != nullptr; }
  std::shared_ptr<Client> New(ClientKind kind);

  /// Reads what clients told since the last call.
  void Update();

 private:
  struct Kind {
    base::Gauge queue_records;
    base::Gauge queue_bytes;
    base::Gauge connected_brokers;
    base::Counter errors;
    base::Counter retries;
    base::Counter timeouts;
    base::Counter disconnects;
  };

  void Read(Client& client, const std::string& json);
  const std::string& BrokerLabel(const std::string& id);

  base::Metrics* const metrics_;
  std::array<Kind, kClientKinds> kinds_;
  std::map<std::string, std::string> broker_labels_;
  std::unique_ptr<base::ChangingGauges> round_trip_;
  std::unique_ptr<base::ChangingGauges> round_trip_p99_;
  std::unique_ptr<base::ChangingGauges> waiting_requests_;

  base::Mutex mutex_;
  std::vector<std::weak_ptr<Client>> clients_ GUARDED_BY(mutex_);
};

}  // namespace pipeline::rdkafka
