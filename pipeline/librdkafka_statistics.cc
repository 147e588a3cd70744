#include "pipeline/librdkafka_statistics.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/log.h"

namespace pipeline::rdkafka {
namespace {

using Json = nlohmann::json;

constexpr std::array<const char*, kClientKinds> kNames = {"consumer", "producer", "reader",
                                                          "api-producer"};
constexpr double kMicros = 1e-6;
constexpr const char* kOtherBrokers = "other";

/// Leaves out what there is for each partition, which is most of the text and shown nowhere.
bool KeepAllButTopics(int depth, Json::parse_event_t event, Json& parsed) {
  return !(depth == 1 && event == Json::parse_event_t::key &&
           (parsed == "topics" || parsed == "cgrp"));
}

double NumberOf(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number() ? found->get<double>() : 0;
}

uint64_t CountOf(const Json& object, const char* name) {
  return static_cast<uint64_t>(std::max(0.0, NumberOf(object, name)));
}

/// Counts what `now` has more than `last`, which becomes `now`. A producer that is made anew begins
/// with nothing.
void Add(const base::Counter& counter, uint64_t now, uint64_t& last) {
  if (now < last) last = 0;
  if (now > last) counter.Increment(static_cast<double>(now - last));
  last = now;
}

}  // namespace

void Statistics::Client::Put(std::string_view json) {
  const base::MutexLock lock(mutex_);
  fresh_ = json;
}

Statistics::Statistics(base::Metrics* metrics) : metrics_(metrics) {
  if (metrics == nullptr) return;
  for (size_t i = 0; i < kClientKinds; ++i) {
    const base::Labels labels = {{"client", kNames[i]}};
    Kind& kind = kinds_[i];
    kind.queue_records = metrics->AddGauge("herald_kafka_queue_records",
                                           "Records that wait in a client to be sent.", labels);
    kind.queue_bytes = metrics->AddGauge("herald_kafka_queue_bytes",
                                         "Bytes of records that wait in a client to be sent.",
                                         labels);
    kind.connected_brokers = metrics->AddGauge(
        "herald_kafka_connected_brokers", "Brokers that a client of this kind is connected to.",
        labels);
    kind.errors = metrics->AddCounter("herald_kafka_request_errors_total",
                                      "Requests to brokers that could not be sent, and answers that "
                                      "could not be read.",
                                      labels);
    kind.retries = metrics->AddCounter("herald_kafka_request_retries_total",
                                       "Requests to brokers that were sent again.", labels);
    kind.timeouts = metrics->AddCounter("herald_kafka_request_timeouts_total",
                                        "Requests that brokers did not answer in time.", labels);
    kind.disconnects = metrics->AddCounter("herald_kafka_disconnects_total",
                                           "Connections to brokers that ended.", labels);
  }
  round_trip_ = std::make_unique<base::ChangingGauges>(
      *metrics, "herald_kafka_broker_round_trip_seconds",
      "Mean time from a request to its answer; of consumers and readers with the broker's wait for "
      "records.");
  round_trip_p99_ = std::make_unique<base::ChangingGauges>(
      *metrics, "herald_kafka_broker_round_trip_p99_seconds",
      "99th percentile of the time from a request to its answer.");
  waiting_requests_ = std::make_unique<base::ChangingGauges>(
      *metrics, "herald_kafka_broker_waiting_requests",
      "Requests that are to be sent to a broker or not answered by it yet.");
}

Statistics::~Statistics() = default;

std::shared_ptr<Statistics::Client> Statistics::New(ClientKind kind) {
  auto client = std::make_shared<Client>(kind);
  const base::MutexLock lock(mutex_);
  std::erase_if(clients_, [](const auto& known) { return known.expired(); });
  clients_.push_back(client);
  return client;
}

void Statistics::Update() {
  if (metrics_ == nullptr) return;
  std::vector<std::shared_ptr<Client>> clients;
  {
    const base::MutexLock lock(mutex_);
    for (const auto& known : clients_) {
      if (auto client = known.lock()) clients.push_back(std::move(client));
    }
  }
  std::array<double, kClientKinds> records{};
  std::array<double, kClientKinds> bytes{};
  std::array<double, kClientKinds> connected{};
  std::map<std::pair<size_t, std::string>, Client::Broker> brokers;
  for (const auto& client : clients) {
    std::string json;
    {
      const base::MutexLock lock(client->mutex_);
      json.swap(client->fresh_);
    }
    if (!json.empty()) Read(*client, json);
    const auto kind = static_cast<size_t>(client->kind_);
    records[kind] += client->queue_records_;
    bytes[kind] += client->queue_bytes_;
    connected[kind] = std::max(connected[kind], client->connected_brokers_);
    for (const auto& [id, broker] : client->brokers_) {
      Client::Broker& worst = brokers[{kind, BrokerLabel(id)}];
      worst.round_trip_seconds = std::max(worst.round_trip_seconds, broker.round_trip_seconds);
      worst.round_trip_p99_seconds =
          std::max(worst.round_trip_p99_seconds, broker.round_trip_p99_seconds);
      worst.waiting_requests += broker.waiting_requests;
    }
  }
  for (size_t i = 0; i < kClientKinds; ++i) {
    kinds_[i].queue_records.Set(records[i]);
    kinds_[i].queue_bytes.Set(bytes[i]);
    kinds_[i].connected_brokers.Set(connected[i]);
  }
  for (const auto& [key, broker] : brokers) {
    const base::Labels labels = {{"client", kNames[key.first]}, {"broker", key.second}};
    round_trip_->Set(labels, broker.round_trip_seconds);
    round_trip_p99_->Set(labels, broker.round_trip_p99_seconds);
    waiting_requests_->Set(labels, broker.waiting_requests);
  }
  round_trip_->EndRound();
  round_trip_p99_->EndRound();
  waiting_requests_->EndRound();
}

void Statistics::Read(Client& client, const std::string& json) {
  const Json parsed = Json::parse(json, KeepAllButTopics, /*allow_exceptions=*/false);
  const auto brokers = parsed.find("brokers");
  if (!parsed.is_object() || brokers == parsed.end() || !brokers->is_object()) {
    base::LogDebug("statistics of librdkafka that cannot be read", {{"bytes", json.size()}});
    return;
  }
  const Kind& kind = kinds_[static_cast<size_t>(client.kind_)];
  client.queue_records_ = NumberOf(parsed, "msg_cnt");
  client.queue_bytes_ = NumberOf(parsed, "msg_size");
  client.brokers_.clear();
  for (const auto& [name, broker] : brokers->items()) {
    if (!broker.is_object()) continue;
    // Also of those that are known by their address only. A broker that coordinates something is there
    // a second time, as that.
    Client::Totals& totals = client.totals_[name];
    Add(kind.errors, CountOf(broker, "txerrs") + CountOf(broker, "rxerrs"), totals.errors);
    Add(kind.retries, CountOf(broker, "txretries"), totals.retries);
    Add(kind.timeouts, CountOf(broker, "req_timeouts"), totals.timeouts);
    Add(kind.disconnects, CountOf(broker, "disconnects"), totals.disconnects);

    const auto node = broker.find("nodeid");
    const auto state = broker.find("state");
    if (node == broker.end() || !node->is_number_integer() || node->get<int64_t>() < 0) continue;
    if (state == broker.end() || *state != "UP") continue;
    Client::Broker& figures = client.brokers_[std::to_string(node->get<int64_t>())];
    if (const auto trip = broker.find("rtt"); trip != broker.end() && trip->is_object()) {
      figures.round_trip_seconds =
          std::max(figures.round_trip_seconds, NumberOf(*trip, "avg") * kMicros);
      figures.round_trip_p99_seconds =
          std::max(figures.round_trip_p99_seconds, NumberOf(*trip, "p99") * kMicros);
    }
    figures.waiting_requests += NumberOf(broker, "outbuf_cnt") + NumberOf(broker, "waitresp_cnt");
  }
  client.connected_brokers_ = static_cast<double>(client.brokers_.size());
}

/// Ids come and go with brokers; the first so many keep a label of their own.
const std::string& Statistics::BrokerLabel(const std::string& id) {
  const auto [it, first] = broker_labels_.try_emplace(id);
  if (first) it->second = broker_labels_.size() <= kBrokersMax ? id : kOtherBrokers;
  return it->second;
}

}  // namespace pipeline::rdkafka
