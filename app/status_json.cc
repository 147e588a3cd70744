#include "app/status_json.h"

#include <nlohmann/json.hpp>

#include "base/metrics.h"

namespace app {

std::string StatusJson(const pipeline::EngineStatus& status, pipeline::Guarantee guarantee,
                       const std::string& brokers) {
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
  const Json body = {
      {"version", std::string(base::BuildVersion())},
      {"instance", status.instance_id},
      {"cluster", status.cluster_id},
      {"brokers", brokers},
      {"guarantee",
       guarantee == pipeline::Guarantee::kExactlyOnce ? "exactly_once" : "at_least_once"},
      {"ready", status.ready},
      {"waiting_for", status.ready ? Json(nullptr) : Json(status.waiting_for)},
      {"tasks", std::move(tasks)}};
  return body.dump();
}

}  // namespace app
