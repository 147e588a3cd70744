#include "app/topology_dot.h"

#include <map>
#include <set>
#include <vector>

namespace app {
namespace {

using Kind = pipeline::NodeDescription::Kind;

std::string Quote(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

std::string Edge(const std::string& from, const std::string& to, const std::string& style = "") {
  return "  " + Quote(from) + " -> " + Quote(to) + style + ";\n";
}

}  // namespace

std::string ToDot(const pipeline::Topology& topology) {
  const std::vector<pipeline::NodeDescription>& nodes = topology.nodes();
  std::set<std::string> topics;
  std::set<std::string> tables;
  std::map<int32_t, std::string> clusters;
  std::string edges;
  for (const pipeline::StoreDescription& store : topology.stores()) {
    clusters[store.subtopology] += "    " + Quote("store " + store.name) +
                                   " [shape=cylinder, label=" + Quote(store.name) + "];\n";
  }
  for (const pipeline::NodeDescription& node : nodes) {
    if (!node.topic.empty()) topics.insert(node.topic);
    if (node.kind != Kind::kSink) {
      clusters[node.subtopology] += "    " + Quote(node.name) + " [shape=box];\n";
    }
    if (node.kind == Kind::kSource) edges += Edge("topic " + node.topic, node.name);
    if (node.parent >= 0) {
      const std::string& parent = nodes[static_cast<size_t>(node.parent)].name;
      edges += Edge(parent, node.kind == Kind::kSink ? "topic " + node.topic : node.name);
    }
    for (const std::string& store : node.stores) {
      static constexpr std::string_view kGlobal = "global:";
      if (store.starts_with(kGlobal)) {
        const std::string topic = store.substr(kGlobal.size());
        topics.insert(topic);
        tables.insert(topic);
        edges += Edge("table " + topic, node.name, " [style=dashed]");
      } else {
        edges += Edge(node.name, "store " + store, " [style=dashed, dir=both]");
      }
    }
  }
  std::string dot = "digraph herald {\n  rankdir=LR;\n  node [fontname=\"sans-serif\"];\n";
  for (const std::string& topic : topics) {
    dot += "  " + Quote("topic " + topic) + " [shape=cds, label=" + Quote(topic) + "];\n";
  }
  for (const std::string& topic : tables) {
    dot += "  " + Quote("table " + topic) +
           " [shape=cylinder, label=" + Quote(topic + " (global table)") + "];\n";
    edges += Edge("topic " + topic, "table " + topic);
  }
  for (const auto& [number, members] : clusters) {
    const std::string name = std::to_string(number);
    dot += "  subgraph cluster_" + name + " {\n    label=\"sub-topology " + name + "\";\n" +
           members + "  }\n";
  }
  return dot + edges + "}\n";
}

}  // namespace app
