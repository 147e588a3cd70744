#include "serving/produce_event.h"

#include <utility>

#include "pipeline/partitioner.h"

namespace serving {
namespace {

base::Partition PartitionOf(const Backend& backend, std::string_view first_target) {
  return pipeline::PartitionForKey(first_target, backend.events_partitions);
}

}  // namespace

bool IsBacklogged(const Backend& backend, std::string_view first_target) {
  return backend.events_backlogged && backend.events_backlogged(PartitionOf(backend, first_target));
}

void ProduceEvent(const Backend& backend, std::string_view first_target, std::string_view value,
                  const RequestTrace& trace, pipeline::AsyncProducer::Delivered delivered) {
  backend.producer->Produce(backend.topics.events, PartitionOf(backend, first_target), first_target,
                            value, trace.headers, std::move(delivered));
}

}  // namespace serving
