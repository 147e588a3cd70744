#include "pipeline/embedded_broker.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <array>
#include <utility>

#include "base/log.h"

namespace pipeline {
namespace {

constexpr int kBrokers = 1;
constexpr int kReplicas = 1;
constexpr int kRebalanceDelayMs = 0;
constexpr int32_t kPartitionsMax = 1000;

void OnLog(const rd_kafka_t*, int, const char* facility, const char* text) {
  base::LogDebug(text, {{"client", "embedded-broker"}, {"facility", facility}});
}

}  // namespace

struct EmbeddedBroker::Impl {
  ~Impl() {
    if (cluster != nullptr) rd_kafka_mock_cluster_destroy(cluster);
    if (handle != nullptr) rd_kafka_destroy(handle);
  }

  /// librdkafka's mock needs a client to live in; it connects to nothing.
  rd_kafka_t* handle = nullptr;
  rd_kafka_mock_cluster_t* cluster = nullptr;
  std::string address;
};

EmbeddedBroker::EmbeddedBroker(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
EmbeddedBroker::~EmbeddedBroker() = default;

base::Result<std::unique_ptr<EmbeddedBroker>> EmbeddedBroker::Start(
    const std::map<std::string, int32_t>& topics) {
  auto impl = std::make_unique<Impl>();
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  rd_kafka_conf_set_log_cb(conf, OnLog);
  std::array<char, 256> reason{};
  rd_kafka_conf_set(conf, "client.id", "embedded-broker", reason.data(), reason.size());
  rd_kafka_conf_set(conf, "enable.metrics.push", "false", reason.data(), reason.size());
  impl->handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason.data(), reason.size());
  if (impl->handle == nullptr) {
    rd_kafka_conf_destroy(conf);
    return base::Status::Unavailable(std::string("embedded broker: ") + reason.data());
  }
  impl->cluster = rd_kafka_mock_cluster_new(impl->handle, kBrokers);
  if (impl->cluster == nullptr) {
    return base::Status::Unavailable("embedded broker: no port of 127.0.0.1 can be had");
  }
  rd_kafka_mock_group_initial_rebalance_delay_ms(impl->cluster, kRebalanceDelayMs);
  impl->address = rd_kafka_mock_cluster_bootstraps(impl->cluster);
  auto broker = std::unique_ptr<EmbeddedBroker>(new EmbeddedBroker(std::move(impl)));
  for (const auto& [name, partitions] : topics) {
    RETURN_IF_ERROR(broker->CreateTopic(name, partitions));
  }
  return broker;
}

const std::string& EmbeddedBroker::address() const { return impl_->address; }

base::Status EmbeddedBroker::CreateTopic(const std::string& name, int32_t partitions) {
  if (name.empty() || partitions < 1 || partitions > kPartitionsMax) {
    return base::Status::InvalidArgument("embedded broker: topic \"" + name + "\" with " +
                                         std::to_string(partitions) + " partitions");
  }
  const rd_kafka_resp_err_t error =
      rd_kafka_mock_topic_create(impl_->cluster, name.c_str(), partitions, kReplicas);
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR || error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
    return base::Status::Ok();
  }
  return base::Status::InvalidArgument("embedded broker: topic \"" + name +
                                       "\": " + rd_kafka_err2str(error));
}

void EmbeddedBroker::RefuseNextProduceForTesting() {
  constexpr int16_t kProduceRequest = 0;
  constexpr int kRoundTripMs = 200;
  constexpr int32_t kBroker = 1;
  rd_kafka_mock_broker_set_rtt(impl_->cluster, kBroker, kRoundTripMs);
  rd_kafka_mock_push_request_errors(impl_->cluster, kProduceRequest, 1,
                                    RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION);
}

}  // namespace pipeline
