#include "pipeline/instance_directory.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

namespace pipeline {
namespace {

constexpr size_t kInstanceBytesMax = 4096;
constexpr char kTimeFormat[] = "%Y-%m-%dT%H:%M:%SZ";

std::string TimeText(int64_t ms) {
  const std::time_t seconds = ms / 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), kTimeFormat, &parts)};
}

/// nullopt when it is not what ToJson() writes.
std::optional<CrashedRecord> CrashedFromJson(const nlohmann::json& json) {
  const auto number = [&json](const char* field) {
    const auto it = json.find(field);
    return it != json.end() && it->is_number_integer() ? it->get<int64_t>() : int64_t{-1};
  };
  const auto text = [&json](const char* field) {
    const auto it = json.find(field);
    return it != json.end() && it->is_string() ? it->get<std::string>() : std::string();
  };
  CrashedRecord crashed;
  crashed.topic_id = text("topic_id");
  crashed.offset.value = number("offset");
  crashed.number = number("number");
  const int64_t times = number("times");
  // As text: many readers of JSON know no integers of 64 bits.
  const std::string run = text("run");
  const auto [rest, error] = std::from_chars(run.data(), run.data() + run.size(), crashed.run);
  if (!json.is_object() || crashed.offset.value < 0 || crashed.number < 0 || times < 1 ||
      times > std::numeric_limits<int>::max() || error != std::errc() ||
      rest != run.data() + run.size()) {
    return std::nullopt;
  }
  crashed.times = static_cast<int>(times);
  return crashed;
}

nlohmann::ordered_json ToJson(const CrashedRecord& crashed) {
  return {{"topic_id", crashed.topic_id},
          {"offset", crashed.offset.value},
          {"times", crashed.times},
          {"run", std::to_string(crashed.run)},
          {"number", crashed.number}};
}

/// 0 when it cannot be read: it is for people only.
int64_t TimeOf(const std::string& text) {
  std::tm parts{};
  if (strptime(text.c_str(), kTimeFormat, &parts) == nullptr) return 0;
  return static_cast<int64_t>(timegm(&parts)) * 1000;
}

}  // namespace

base::Result<InstanceRecord> Serde<InstanceRecord>::Decode(const RawRecord& record) {
  if (!record.value.has_value() || record.value->size() > kInstanceBytesMax) {
    return base::Status::InvalidArgument("wrong-shape: an instance is a small JSON object");
  }
  const auto json = nlohmann::json::parse(*record.value, nullptr, /*allow_exceptions=*/false);
  const auto text = [&json](const char* field) {
    const auto it = json.find(field);
    return it != json.end() && it->is_string() ? it->get<std::string>() : std::string();
  };
  if (json.is_object() && json.contains("crashed")) {
    InstanceRecord found;
    found.crashed = CrashedFromJson(json["crashed"]);
    if (found.crashed.has_value()) return found;
    return base::Status::InvalidArgument("wrong-shape: crashed");
  }
  if (!json.is_object() || text("address").empty()) {
    return base::Status::InvalidArgument("wrong-shape: address is missing");
  }
  return InstanceRecord{text("address"), TimeOf(text("started")), std::nullopt};
}

void Serde<InstanceRecord>::Encode(const InstanceRecord& value, std::string& out) {
  nlohmann::ordered_json json;
  if (value.crashed.has_value()) {
    json["crashed"] = ToJson(*value.crashed);
  } else {
    json = {{"address", value.address}, {"started", TimeText(value.started_ms)}};
  }
  out += json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string InstanceDirectory::InstanceOfMember(const std::string& group_instance_id) {
  return group_instance_id.substr(0, group_instance_id.rfind('-'));
}

void InstanceDirectory::Refresh(const GroupDescription& group) {
  std::map<base::TopicPartition, std::string> owners;
  std::map<std::string, std::vector<base::TopicPartition>> shares;
  std::vector<std::string> members;
  for (const GroupMember& member : group.members) {
    members.push_back(member.group_instance_id);
    const std::string id = InstanceOfMember(member.group_instance_id);
    std::vector<base::TopicPartition>& share = shares[id];
    if (!group.stable) continue;
    for (const base::TopicPartition& tp : member.partitions) {
      owners[tp] = id;
      share.push_back(tp);
    }
  }
  for (auto& [id, share] : shares) std::sort(share.begin(), share.end());
  const base::MutexLock lock(mutex_);
  owners_ = std::move(owners);
  shares_ = std::move(shares);
  if (group.stable) members_ = std::move(members);
}

std::vector<std::string> InstanceDirectory::Members() const {
  const base::MutexLock lock(mutex_);
  return members_;
}

void InstanceDirectory::Forget() {
  const base::MutexLock lock(mutex_);
  owners_.clear();
  shares_.clear();
}

std::optional<Instance> InstanceDirectory::FindOwner(const base::TopicPartition& tp) const {
  std::string id;
  {
    const base::MutexLock lock(mutex_);
    const auto it = owners_.find(tp);
    if (it == owners_.end()) return std::nullopt;
    id = it->second;
  }
  Instance owner = Describe(id);
  if (owner.address.empty() && !owner.self) return std::nullopt;
  return owner;
}

std::vector<InstanceShare> InstanceDirectory::Shares() const {
  std::map<std::string, std::vector<base::TopicPartition>> shares;
  {
    const base::MutexLock lock(mutex_);
    shares = shares_;
  }
  std::vector<InstanceShare> all;
  all.reserve(shares.size());
  for (auto& [id, partitions] : shares) all.push_back({Describe(id), std::move(partitions)});
  return all;
}

Instance InstanceDirectory::Describe(const std::string& id) const {
  Instance instance{id, "", id == own_id_};
  // A table that cannot be read is as one that is empty: nobody is known.
  if (const auto found = addresses_.Get(id); found.ok() && *found != nullptr) {
    instance.address = (*found)->address;
  }
  return instance;
}

}  // namespace pipeline
