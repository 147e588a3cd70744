#include "bench/floor_kafka.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace bench {
namespace {

using Error = Owned<rd_kafka_error_t, rd_kafka_error_destroy>;

rd_kafka_conf_t* NewConf(const Settings& settings, void* opaque) {
  std::array<char, 512> reason{};
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  for (const auto& [name, value] : settings) {
    if (rd_kafka_conf_set(conf, name, value.c_str(), reason.data(), reason.size()) !=
        RD_KAFKA_CONF_OK) {
      Die(name, reason.data());
    }
  }
  rd_kafka_conf_set_opaque(conf, opaque);
  return conf;
}

Handle NewHandle(rd_kafka_type_t type, rd_kafka_conf_t* conf) {
  std::array<char, 512> reason{};
  Handle handle(rd_kafka_new(type, conf, reason.data(), reason.size()));
  if (handle == nullptr) Die("librdkafka", reason.data());
  return handle;
}

}  // namespace

void Die(std::string_view what, std::string_view why) {
  std::fprintf(stderr, "%s: %.*s: %.*s\n", program_invocation_short_name,
               static_cast<int>(what.size()), what.data(), static_cast<int>(why.size()),
               why.data());
  std::exit(1);
}

Handle NewProducer(const Settings& settings, void* opaque, OnDelivery on_delivery) {
  rd_kafka_conf_t* conf = NewConf(settings, opaque);
  rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
  return NewHandle(RD_KAFKA_PRODUCER, conf);
}

Handle NewConsumer(const Settings& settings, void* opaque, OnRebalance on_rebalance) {
  rd_kafka_conf_t* conf = NewConf(settings, opaque);
  if (on_rebalance != nullptr) rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
  return NewHandle(RD_KAFKA_CONSUMER, conf);
}

void Check(rd_kafka_error_t* error, std::string_view what) {
  if (const Error owned(error); owned != nullptr) Die(what, rd_kafka_error_string(owned.get()));
}

void Check(rd_kafka_resp_err_t error, std::string_view what) {
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) Die(what, rd_kafka_err2str(error));
}

}  // namespace bench
