#include "pipeline/librdkafka_handle.h"

#include <syslog.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <sstream>

#include "base/log.h"

namespace pipeline::rdkafka {
namespace {

constexpr size_t kReasonBytesMax = 512;

/// Herald's guarantees stand on these, so they are not for others to set.
constexpr std::array kReserved = {
    "bootstrap.servers",
    "metadata.broker.list",
    "group.id",
    "group.instance.id",
    "group.protocol",
    "partition.assignment.strategy",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "isolation.level",
    "auto.offset.reset",
    "enable.partition.eof",
    "transactional.id",
    "enable.idempotence",
    "acks",
    "request.required.acks",
    "session.timeout.ms",
    "transaction.timeout.ms",
    "test.mock.num.brokers",
};

base::LogLevel LevelOf(int syslog_level, std::string_view facility) {
  // A failed connection is reported at each attempt; OutageLog says it once.
  if (facility == "FAIL" || facility == "TERMINATE") return base::LogLevel::kDebug;
  // Waiting for the end of an earlier transaction of our id is what init_transactions is for.
  if (facility == "GETPID") return base::LogLevel::kDebug;
  // Whoever made the call gets the error and logs it; here it is only more about it.
  if (syslog_level <= LOG_WARNING) return base::LogLevel::kWarn;
  if (syslog_level <= LOG_INFO) return base::LogLevel::kInfo;
  return base::LogLevel::kDebug;
}

void OnLog(const rd_kafka_t* handle, int level, const char* facility, const char* text) {
  base::Log(LevelOf(level, facility), text,
            {{"client", handle == nullptr ? "" : rd_kafka_name(handle)}, {"facility", facility}});
}

/// Which clients know a property: 'P', 'C' or '*', from librdkafka's own table.
std::map<std::string, char> PropertyScopes() {
  char* text = nullptr;
  size_t size = 0;
  FILE* file = open_memstream(&text, &size);
  if (file == nullptr) return {};
  rd_kafka_conf_properties_show(file);
  fclose(file);
  std::istringstream lines(std::string(text, size));
  free(text);

  std::map<std::string, char> scopes;
  for (std::string line; std::getline(lines, line);) {
    const size_t bar = line.find('|');
    if (bar == std::string::npos || line.size() < bar + 5) continue;
    const std::string name = line.substr(0, line.find_first_of(" |"));
    const char scope = line[bar + 3];
    if (scope == 'P' || scope == 'C' || scope == '*') scopes.emplace(name, scope);
  }
  return scopes;
}

/// `reason` without `value`, which may be a secret. One of a few letters is none, and may stand in
/// the reason by chance.
std::string WithoutValue(std::string reason, const std::string& value) {
  constexpr size_t kSecretBytesMin = 4;
  constexpr std::string_view kHidden = "***";
  if (value.size() < kSecretBytesMin) return reason;
  for (size_t at = 0; (at = reason.find(value, at)) != std::string::npos; at += kHidden.size()) {
    reason.replace(at, value.size(), kHidden);
  }
  return reason;
}

base::Status Set(rd_kafka_conf_t* conf, const std::string& name, const std::string& value) {
  std::array<char, kReasonBytesMax> reason{};
  switch (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), reason.data(), reason.size())) {
    case RD_KAFKA_CONF_OK:
      return base::Status::Ok();
    case RD_KAFKA_CONF_UNKNOWN:
      return base::Status::InvalidArgument("librdkafka knows no property \"" + name + "\"");
    default:
      return base::Status::InvalidArgument("librdkafka property \"" + name +
                                           "\": " + WithoutValue(reason.data(), value));
  }
}

}  // namespace

void HandleDestroyer::operator()(rd_kafka_t* handle) const {
  rd_kafka_destroy_flags(handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

void OutageLog::Note(rd_kafka_resp_err_t error, std::string_view kind, std::string_view reason) {
  const bool refused = IsRefusal(error);
  if (!refused && error != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
    base::LogDebug(reason, {{"client", kind}});
  } else if (!down_.exchange(true)) {
    base::LogWarn(
        refused ? "Kafka refuses us; trying on" : "no Kafka broker can be reached; trying on",
        {{"client", kind}, {"reason", reason}});
  }
}

void OutageLog::LogReached() {
  if (down_.exchange(false)) base::LogInfo("Kafka can be reached again");
}

void BatchLimit::LowerTo(int64_t bytes) {
  bytes = std::max<int64_t>(bytes, 1);
  int64_t known = bytes_.load();
  while (bytes < known && !bytes_.compare_exchange_weak(known, bytes)) {
  }
}

base::Status SplitProperties(Shared* shared) {
  const std::map<std::string, std::string>& properties = shared->options.properties;
  if (properties.empty()) return base::Status::Ok();
  const std::map<std::string, char> scopes = PropertyScopes();
  const Conf scratch(rd_kafka_conf_new());
  for (const auto& [name, value] : properties) {
    if (std::find(kReserved.begin(), kReserved.end(), name) != kReserved.end()) {
      return base::Status::InvalidArgument("librdkafka property \"" + name +
                                           "\" is set by Herald and cannot be changed");
    }
    RETURN_IF_ERROR(Set(scratch.get(), name, value));
    const auto scope = scopes.find(name);
    const char known_to = scope == scopes.end() ? '*' : scope->second;
    if (name == "batch.size") {
      shared->batch_limit.LowerTo(std::stoll(value));
      continue;
    }
    if (known_to != 'C') shared->producer_properties.emplace_back(name, value);
    if (known_to != 'P') shared->consumer_properties.emplace_back(name, value);
  }
  return base::Status::Ok();
}

base::Result<Handle> NewHandle(const Shared& shared, rd_kafka_type_t type, const Settings& settings,
                               const Callbacks& callbacks) {
  Conf conf(rd_kafka_conf_new());
  const Settings common = {
      {"bootstrap.servers", shared.options.brokers},
      {"client.id", shared.options.client_id},
      {"log_level", std::to_string(LOG_INFO)},
      // Found again soon after a broker or the whole cluster was away.
      {"reconnect.backoff.ms", "50"},
      {"reconnect.backoff.max.ms", "1000"},
      {"socket.keepalive.enable", "true"},
      {"log.connection.close", "false"},
  };
  const bool tells = callbacks.statistics != nullptr && shared.statistics->enabled();
  const Settings statistics = {
      {"statistics.interval.ms", std::to_string(tells ? Statistics::kIntervalMs : 0)}};
  if (tells) rd_kafka_conf_set_stats_cb(conf.get(), callbacks.statistics);
  const Settings& properties =
      type == RD_KAFKA_PRODUCER ? shared.producer_properties : shared.consumer_properties;
  for (const Settings* part : {&common, &settings, &statistics, &properties}) {
    for (const auto& [name, value] : *part) RETURN_IF_ERROR(Set(conf.get(), name, value));
  }
  rd_kafka_conf_set_opaque(conf.get(), callbacks.opaque);
  rd_kafka_conf_set_log_cb(conf.get(), OnLog);
  rd_kafka_conf_set_error_cb(conf.get(), callbacks.error);
  if (callbacks.delivery != nullptr) rd_kafka_conf_set_dr_msg_cb(conf.get(), callbacks.delivery);
  if (callbacks.rebalance != nullptr) {
    rd_kafka_conf_set_rebalance_cb(conf.get(), callbacks.rebalance);
  }
  std::array<char, kReasonBytesMax> reason{};
  Handle handle(rd_kafka_new(type, conf.get(), reason.data(), reason.size()));
  if (handle == nullptr) {
    return base::Status::InvalidArgument(std::string("librdkafka: ") + reason.data());
  }
  static_cast<void>(conf.release());  // it is the handle's now
  return handle;
}

std::string ErrorText(rd_kafka_resp_err_t error) {
  return std::string(rd_kafka_err2str(error)) + " (" + rd_kafka_err2name(error) + ")";
}

bool IsRefusal(rd_kafka_resp_err_t error) {
  switch (error) {
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
    case RD_KAFKA_RESP_ERR_SECURITY_DISABLED:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION:
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
    case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
    case RD_KAFKA_RESP_ERR_INVALID_PARTITIONS:
    case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
    case RD_KAFKA_RESP_ERR_INVALID_REQUEST:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT:
    case RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT:
    case RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL:
    case RD_KAFKA_RESP_ERR_INVALID_GROUP_ID:
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
      return true;
    default:
      return false;
  }
}

base::Status FatalStatusOf(rd_kafka_resp_err_t error, std::string_view reason) {
  std::string text = std::string(reason) + " (" + rd_kafka_err2name(error) + ")";
  if (IsRefusal(error)) return base::Status::Fatal(std::move(text));
  return base::Status::Lost(std::move(text));
}

base::Status FatalStatus(rd_kafka_t* handle) {
  std::array<char, kReasonBytesMax> reason{};
  const rd_kafka_resp_err_t error = rd_kafka_fatal_error(handle, reason.data(), reason.size());
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return base::Status::Ok();
  return FatalStatusOf(error, reason.data());
}

base::Status RequestStatus(rd_kafka_resp_err_t error, std::string_view what) {
  std::string text = std::string(what) + ": " + ErrorText(error);
  if (IsRefusal(error)) return base::Status::Fatal(std::move(text));
  return base::Status::Unavailable(std::move(text));
}

PartitionList NewPartitionList(size_t size) {
  return PartitionList(rd_kafka_topic_partition_list_new(static_cast<int>(size)));
}

rd_kafka_topic_partition_t* Add(rd_kafka_topic_partition_list_t* list,
                                const base::TopicPartition& partition) {
  return rd_kafka_topic_partition_list_add(list, partition.topic.c_str(),
                                           partition.partition.value);
}

PartitionList ToList(const base::Positions& positions) {
  PartitionList list = NewPartitionList(positions.size());
  for (const auto& [partition, position] : positions) {
    Add(list.get(), partition)->offset = position.value;
  }
  return list;
}

base::TopicPartition ToTopicPartition(const rd_kafka_topic_partition_t& element) {
  return {element.topic, base::Partition{element.partition}};
}

int Deadline::remaining_ms() const {
  return static_cast<int>(std::min<int64_t>(remaining().count(), INT_MAX));
}

}  // namespace pipeline::rdkafka
