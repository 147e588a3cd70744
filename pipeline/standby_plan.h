#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"

namespace pipeline {

/// Which of `members` assignor `range` gives the partition to: the same rule as librdkafka's and
/// Kafka's (contiguous shares, the first members take one more when it does not come out even).
/// REQUIRES: 0 <= partition < partitions, members > 0.
size_t RangeMember(int32_t partition, int32_t partitions, size_t members);

/// The instances that are to keep warm copies of the partition, `count` at most, the most urgent
/// first and its owner's never: first the one that `range` promotes when the owner's instance goes,
/// then those to which the partition moves when another instance goes, then who follows when the
/// first one goes as well.
///
/// `members`: the group's stable names (group.instance.id), "<instance id>-<slot>". The same names
/// give the same answer everywhere, so all instances agree without a word.
std::vector<std::string> StandbyInstances(base::Partition partition, int32_t partitions,
                                          std::vector<std::string> members, size_t count);

}  // namespace pipeline
