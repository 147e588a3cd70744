#include "pipeline/departed_members.h"

#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include "pipeline/instance_directory.h"
#include "pipeline/stream_thread.h"

namespace pipeline {
namespace {

/// Of "<instance id>-<slot>"; nullopt: it is no member of ours.
std::optional<int> SlotOfMember(std::string_view name) {
  const size_t dash = name.rfind('-');
  if (dash == std::string_view::npos) return std::nullopt;
  int slot = 0;
  const char* const end = name.data() + name.size();
  const auto [rest, error] = std::from_chars(name.data() + dash + 1, end, slot);
  if (error != std::errc() || rest != end) return std::nullopt;
  return slot;
}

}  // namespace

DepartedMembers::DepartedMembers(KafkaClients& clients, const EngineConfig& config,
                                 std::string own_instance)
    : clients_(clients), config_(config), own_instance_(std::move(own_instance)) {}

void DepartedMembers::Refresh(const GroupDescription& group, std::chrono::nanoseconds now) {
  if (!group.stable) return;
  std::set<std::string> present;
  for (const GroupMember& member : group.members) {
    const std::string& name = member.group_instance_id;
    if (!SlotOfMember(name).has_value()) continue;
    if (InstanceDirectory::InstanceOfMember(name) == own_instance_) continue;
    present.insert(name);
    gone_.erase(name);
  }
  for (const std::string& name : present_) {
    if (!present.contains(name)) gone_.emplace(name, now);
  }
  present_ = std::move(present);
}

base::Result<std::string> DepartedMembers::EndOne(std::chrono::nanoseconds now,
                                                  std::chrono::milliseconds timeout) {
  for (auto it = gone_.begin(); it != gone_.end(); ++it) {
    if (now - it->second < kAbsence) continue;
    auto producer = clients_.NewTransactionalProducer(StreamThread::TransactionalId(
        config_, InstanceDirectory::InstanceOfMember(it->first), *SlotOfMember(it->first)));
    if (!producer.ok()) return producer.status();
    RETURN_IF_ERROR((*producer)->InitTransactions(timeout));
    std::string name = it->first;
    gone_.erase(it);
    return name;
  }
  return std::string();
}

}  // namespace pipeline
