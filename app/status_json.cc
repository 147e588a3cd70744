#include "app/status_json.h"

#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/metrics.h"
#include "stages/iso_time.h"

namespace app {

std::string StatusJson(const pipeline::EngineStatus& status, Role role,
                       pipeline::Guarantee guarantee, const std::string& brokers,
                       int64_t started_ms) {
  using Json = nlohmann::ordered_json;
  Json tasks = Json::array();
  for (const pipeline::TaskReport& report : status.tasks) {
    Json inputs = Json::array();
    for (const auto& [tp, position] : report.inputs) {
      Json input = {{"topic", tp.topic}, {"partition", tp.partition.value}};
      input["position"] = position.has_value() ? Json(position->value) : Json(nullptr);
      const auto lag = status.lag.find(tp);
      input["lag"] = lag == status.lag.end() ? Json(nullptr) : Json(lag->second);
      inputs.push_back(std::move(input));
    }
    Json restoring = Json::object();
    for (const auto& [store, records] : report.restore_remaining) restoring[store] = records;
    tasks.push_back({{"id", report.id.ToString()},
                     {"thread", report.thread},
                     {"state", std::string(pipeline::TaskPhaseName(report.phase))},
                     {"inputs", std::move(inputs)},
                     {"restore_remaining", std::move(restoring)}});
  }
  Json instances = Json::array();
  for (const pipeline::InstanceShare& share : status.instances) {
    std::map<std::string, std::vector<int32_t>> partitions;
    for (const base::TopicPartition& tp : share.partitions) {
      partitions[tp.topic].push_back(tp.partition.value);
    }
    instances.push_back(
        {{"id", share.instance.id},
         {"address",
          share.instance.address.empty() ? Json(nullptr) : Json(share.instance.address)},
         {"self", share.instance.self},
         {"partitions", partitions}});
  }
  std::string started;
  stages::AppendIsoTime(started, started_ms);
  Json standbys = Json::array();
  for (const base::TaskId& id : status.standbys) standbys.push_back(id.ToString());
  const Json body = {
      {"version", std::string(base::BuildVersion())},
      {"started", started},
      {"instance", status.instance_id},
      {"role", RoleName(role)},
      {"cluster", status.cluster_id},
      {"brokers", brokers},
      {"guarantee",
       guarantee == pipeline::Guarantee::kExactlyOnce ? "exactly_once" : "at_least_once"},
      {"ready", status.ready},
      {"waiting_for", status.ready ? Json(nullptr) : Json(status.waiting_for)},
      {"tasks", std::move(tasks)},
      {"standbys", std::move(standbys)},
      {"instances", std::move(instances)}};
  return body.dump();
}

}  // namespace app
