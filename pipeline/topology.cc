#include "pipeline/topology.h"

#include <algorithm>
#include <numeric>

#include "base/check.h"

namespace pipeline {
namespace {

/// Upper bounds in seconds: a stage takes microseconds, one that reads from disk or is held up more.
const std::vector<double>& StageBuckets() {
  static const std::vector<double> buckets = {0.000001, 0.0000025, 0.000005, 0.00001, 0.000025,
                                              0.00005,  0.0001,    0.00025,  0.001,   0.01,
                                              0.1};
  return buckets;
}

}  // namespace

internal::StageFigures::StageFigures(base::Metrics* metrics, const std::string& stage) {
  if (metrics == nullptr) return;
  const base::Labels labels = {{"stage", stage}};
  processed_ = metrics->AddCounter("herald_records_processed_total",
                                   "Records that a stage or source was given.", labels);
  forwarded_ = metrics->AddCounter("herald_records_forwarded_total",
                                   "Records that a stage or source passed on.", labels);
  failures_ = metrics->AddCounter("herald_records_failed_total",
                                  "Records at which a stage or source returned an error.", labels);
  duration_ = metrics->AddHistogram(
      "herald_stage_duration_seconds",
      "A stage's own time for a record, without the stages behind it (sampled).", StageBuckets(),
      labels);
}

size_t TaskTopology::SourceIndex(std::string_view topic) const {
  for (size_t i = 0; i < sources_.size(); ++i) {
    if (sources_[i].topic == topic) return i;
  }
  CHECK(false, "no source reads this topic");
}

std::vector<std::string> Topology::SourceTopics() const {
  std::vector<std::string> topics;
  for (const Root& root : roots_) topics.push_back(root.topic);
  return topics;
}

std::vector<std::string> Topology::SourceTopics(int32_t subtopology) const {
  std::vector<std::string> topics;
  for (const Root& root : roots_) {
    if (nodes_[static_cast<size_t>(root.node)].subtopology == subtopology) {
      topics.push_back(root.topic);
    }
  }
  return topics;
}

int32_t Topology::SubtopologyOf(std::string_view topic) const {
  for (const Root& root : roots_) {
    if (root.topic == topic) return nodes_[static_cast<size_t>(root.node)].subtopology;
  }
  return -1;
}

std::vector<state::StoreSpec> Topology::StoreSpecs(int32_t subtopology) const {
  std::vector<state::StoreSpec> specs;
  for (const StoreDescription& store : stores_) {
    if (store.subtopology == subtopology) specs.push_back({store.name, store.options.changelog});
  }
  return specs;
}

std::unique_ptr<TaskTopology> Topology::Instantiate(int32_t subtopology,
                                                    const internal::BuildArgs& args) const {
  auto task = std::make_unique<TaskTopology>();
  for (const Root& root : roots_) {
    const NodeDescription& node = nodes_[static_cast<size_t>(root.node)];
    if (node.subtopology != subtopology) continue;
    task->sources_.push_back(
        {root.topic, node.name, root.on_refused, root.build(args, task->nodes_)});
  }
  return task;
}

std::string Topology::ToString() const {
  std::string text;
  const std::function<void(int, int)> add = [&](int index, int depth) {
    const NodeDescription& node = nodes_[static_cast<size_t>(index)];
    text.append(static_cast<size_t>(depth) * 2, ' ');
    switch (node.kind) {
      case NodeDescription::Kind::kSource:
        text += "source " + node.name + " (topic " + node.topic + ")";
        break;
      case NodeDescription::Kind::kProcessor:
        text += "stage " + node.name;
        for (const std::string& store : node.stores) text += " [" + store + "]";
        break;
      case NodeDescription::Kind::kSink:
        text += "sink " + node.name + " (topic " + node.topic + ")";
        break;
    }
    text += '\n';
    for (size_t child = 0; child < nodes_.size(); ++child) {
      if (nodes_[child].parent == index) add(static_cast<int>(child), depth + 1);
    }
  };
  for (int32_t subtopology = 0; subtopology < subtopology_count_; ++subtopology) {
    text += "sub-topology " + std::to_string(subtopology) + "\n";
    for (const Root& root : roots_) {
      if (nodes_[static_cast<size_t>(root.node)].subtopology == subtopology) add(root.node, 1);
    }
  }
  return text;
}

StoreHandle TopologyBuilder::Store(std::string name, StoreOptions options) {
  for (const StoreDescription& store : topology_.stores_) {
    CHECK(store.name != name, "two stores of one name");
  }
  topology_.stores_.push_back({name, std::move(options), -1});
  return {std::move(name)};
}

int TopologyBuilder::AddNode(NodeDescription node) {
  for (const NodeDescription& other : topology_.nodes_) {
    CHECK(other.name != node.name, "two nodes of one name: " + node.name);
  }
  topology_.nodes_.push_back(std::move(node));
  return static_cast<int>(topology_.nodes_.size()) - 1;
}

void TopologyBuilder::AddRoot(Topology::Root root) {
  for (const Topology::Root& other : topology_.roots_) {
    CHECK(other.topic != root.topic, "two sources read one topic: " + root.topic);
  }
  topology_.roots_.push_back(std::move(root));
}

uint32_t TopologyBuilder::AddSink(std::string topic) {
  topology_.sink_topics_.push_back(std::move(topic));
  return static_cast<uint32_t>(topology_.sink_topics_.size()) - 1;
}

Topology TopologyBuilder::Build() {
  std::vector<NodeDescription>& nodes = topology_.nodes_;
  // Union-find over nodes: an edge and a common store both connect.
  std::vector<size_t> leader(nodes.size());
  std::iota(leader.begin(), leader.end(), size_t{0});
  const std::function<size_t(size_t)> find = [&](size_t i) {
    return leader[i] == i ? i : leader[i] = find(leader[i]);
  };
  const auto join = [&](size_t a, size_t b) {
    const size_t x = find(a);
    const size_t y = find(b);
    leader[std::max(x, y)] = std::min(x, y);
  };
  std::map<std::string, size_t> users;
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i].parent >= 0) join(i, static_cast<size_t>(nodes[i].parent));
    for (const std::string& store : nodes[i].stores) {
      if (store.starts_with("global:")) continue;
      const auto [it, first] = users.emplace(store, i);
      if (!first) join(i, it->second);
    }
  }
  std::map<size_t, int32_t> numbers;
  for (size_t i = 0; i < nodes.size(); ++i) {
    nodes[i].subtopology =
        numbers.emplace(find(i), static_cast<int32_t>(numbers.size())).first->second;
  }
  topology_.subtopology_count_ = static_cast<int32_t>(numbers.size());
  for (StoreDescription& store : topology_.stores_) {
    const auto user = users.find(store.name);
    CHECK(user != users.end(), "no stage uses store " + store.name);
    store.subtopology = nodes[user->second].subtopology;
  }
  return std::move(topology_);
}

}  // namespace pipeline
