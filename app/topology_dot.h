#pragma once

#include <string>

#include "pipeline/topology.h"

namespace app {

/// The graph of topics, stages and stores in the language of Graphviz. A topic that one
/// sub-topology writes and another reads is one node.
std::string ToDot(const pipeline::Topology& topology);

}  // namespace app
