#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "base/ids.h"
#include "state/task_state.h"

namespace pipeline {

/// Where a query for one partition of a store can be answered.
struct StoreLookup {
  enum class Where {
    /// `reader` answers.
    kHere,
    /// This instance has it but is still restoring it, or just let go of it: try again.
    kRestoring,
    /// This instance does not have it.
    kNotHere,
  };
  Where where = Where::kNotHere;
  std::shared_ptr<const state::TaskReader> reader;
};

/// The stores that other threads may query, by sub-topology store and partition (interactive
/// queries, as in Kafka Streams). Threads: any.
class StoreRegistry {
 public:
  void Publish(std::string_view store, base::Partition partition,
               std::shared_ptr<const state::TaskReader> reader);
  void PublishRestoring(std::string_view store, base::Partition partition);
  void Unpublish(std::string_view store, base::Partition partition);

  StoreLookup Find(std::string_view store, base::Partition partition) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, base::Partition>, StoreLookup, std::less<>> stores_;
};

}  // namespace pipeline
