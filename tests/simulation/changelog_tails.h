#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "tests/support/fake_kafka.h"

namespace simulation {

/// Remembers how many changelog records each transaction wrote, also when compaction has removed
/// some since.
class ChangelogTails {
 public:
  ChangelogTails(const support::FakeCluster& cluster, std::string topic)
      : cluster_(cluster), topic_(std::move(topic)) {}

  /// Counts what lies there now. To be called before each compaction.
  void Look() {
    std::map<int64_t, uint64_t> counts;
    for (const support::StoredRecord& record : cluster_.CommittedRecords(topic_)) {
      ++counts[record.transaction];
    }
    for (const auto& [transaction, count] : counts) {
      if (count > largest_) largest_ = count;
    }
  }

  /// Records of the largest transaction there ever was, over all partitions.
  uint64_t LargestTransaction() const { return largest_; }

 private:
  const support::FakeCluster& cluster_;
  const std::string topic_;
  uint64_t largest_ = 0;
};

}  // namespace simulation
