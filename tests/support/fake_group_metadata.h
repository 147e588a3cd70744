#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "base/status.h"
#include "pipeline/kafka_client.h"
#include "tests/support/fake_broker.h"

namespace support {

/// The membership as the consumer knew it when it was asked.
class FakeGroupMetadata : public pipeline::GroupMetadata {
 public:
  FakeGroupMetadata(std::string group, std::string member, std::string instance, int64_t known)
      : group_id(std::move(group)),
        member_id(std::move(member)),
        instance_id(std::move(instance)),
        generation(known) {}

  const std::string group_id;
  const std::string member_id;
  const std::string instance_id;
  const int64_t generation;
};

/// Whether the coordinator takes offsets from this member (KIP-447). Unavailable when it does not.
inline base::Status CheckMembership(FakeBroker& broker, const FakeGroupMetadata& metadata)
    REQUIRES(broker.mutex) {
  FakeGroup& group = broker.groups[metadata.group_id];
  if (group.Find(metadata.member_id) == nullptr) {
    return base::Status::Unavailable("group " + metadata.group_id +
                                     (group.FencedBy(metadata.member_id, metadata.instance_id)
                                          ? ": FENCED_INSTANCE_ID"
                                          : ": UNKNOWN_MEMBER_ID"));
  }
  if (group.generation() != metadata.generation) {
    return base::Status::Unavailable("group " + metadata.group_id + ": ILLEGAL_GENERATION");
  }
  return base::Status::Ok();
}

}  // namespace support
