#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "tests/support/fake_clients.h"
#include "tests/support/fake_incarnation.h"

namespace support {
namespace {

using base::Offset;
using base::Positions;
using base::Result;
using base::Status;
using base::TopicPartition;
using pipeline::Isolation;
using pipeline::OffsetSpec;
using pipeline::TopicDescription;
using std::chrono::milliseconds;

class FakeAdmin : public pipeline::Admin {
 public:
  explicit FakeAdmin(std::shared_ptr<Incarnation> incarnation)
      : incarnation_(std::move(incarnation)), broker_(incarnation_->broker) {}

  Result<std::string> ClusterId(milliseconds) override {
    return Ask<std::string>(
        "admin.cluster_id",
        [&]() REQUIRES(broker_.mutex) -> Result<std::string> { return broker_.cluster_id; });
  }

  Result<std::map<std::string, TopicDescription>> DescribeTopics(std::span<const std::string> names,
                                                                 milliseconds) override {
    using Topics = std::map<std::string, TopicDescription>;
    return Ask<Topics>("admin.describe_topics", [&]() REQUIRES(broker_.mutex) -> Result<Topics> {
      Topics described;
      for (const std::string& name : names) {
        const auto topic = broker_.topics.find(name);
        if (topic == broker_.topics.end()) continue;
        TopicDescription& description = described[name];
        description.name = name;
        description.id = topic->second.id;
        description.partitions = static_cast<int32_t>(topic->second.partitions.size());
        description.config = topic->second.config;
      }
      return described;
    });
  }

  Status CreateTopics(std::span<const pipeline::NewTopic> topics, milliseconds) override {
    return Ask<bool>("admin.create_topics",
                     [&]() REQUIRES(broker_.mutex) -> Result<bool> {
                       for (const pipeline::NewTopic& topic : topics) {
                         if (topic.partitions < 1)
                           return Status::Fatal(topic.name + ": no partitions");
                         broker_.CreateTopic(topic);
                       }
                       RETURN_IF_ERROR(incarnation_->TakeLostAnswer("admin.create_topics"));
                       return true;
                     })
        .status();
  }

  Result<Positions> ListOffsets(std::span<const TopicPartition> partitions, OffsetSpec spec,
                                Isolation isolation, milliseconds) override {
    return Ask<Positions>("admin.list_offsets", [&]() REQUIRES(broker_.mutex) -> Result<Positions> {
      Positions offsets;
      for (const TopicPartition& tp : partitions) {
        const PartitionLog* log = broker_.Log(tp);
        if (log == nullptr) return Status::Unavailable(tp.ToString() + ": unknown partition");
        int64_t offset = log->start();
        if (spec == OffsetSpec::kLatest) {
          offset = isolation == Isolation::kReadCommitted ? log->LastStableOffset() : log->end();
        }
        offsets[tp] = Offset{offset};
      }
      return offsets;
    });
  }

  Result<pipeline::GroupDescription> DescribeGroup(const std::string& group,
                                                   milliseconds) override {
    using pipeline::GroupDescription;
    return Ask<GroupDescription>(
        "admin.describe_group", [&]() REQUIRES(broker_.mutex) -> Result<GroupDescription> {
          GroupDescription description;
          description.stable = true;
          const auto found = broker_.groups.find(group);
          if (found == broker_.groups.end()) return description;
          description.stable = !found->second.preparing();
          for (auto& [instance, share] : found->second.Shares()) {
            // As the coordinator: between generations it knows the members, not their shares.
            description.members.push_back(
                {instance, description.stable ? share : std::vector<TopicPartition>()});
          }
          return description;
        });
  }

  Result<Positions> ListOffsetsAt(std::span<const TopicPartition> partitions, int64_t time_ms,
                                  milliseconds) override {
    return Ask<Positions>("admin.list_offsets_at",
                          [&]() REQUIRES(broker_.mutex) -> Result<Positions> {
                            Positions offsets;
                            for (const TopicPartition& tp : partitions) {
                              const PartitionLog* log = broker_.Log(tp);
                              if (log == nullptr)
                                return Status::Unavailable(tp.ToString() + ": unknown partition");
                              for (const PartitionLog::Entry& entry : log->entries()) {
                                if (entry.record == nullptr || entry.record->timestamp_ms < time_ms)
                                  continue;
                                offsets[tp] = Offset{entry.offset};
                                break;
                              }
                            }
                            return offsets;
                          });
  }

  Result<Positions> GroupPositions(const std::string& group,
                                   std::span<const TopicPartition> partitions,
                                   milliseconds) override {
    return Ask<Positions>(
        "admin.group_positions", [&]() REQUIRES(broker_.mutex) -> Result<Positions> {
          Positions positions;
          const auto found = broker_.groups.find(group);
          if (found == broker_.groups.end()) return positions;
          for (const TopicPartition& tp : partitions) {
            for (const auto& [transaction, pending] : found->second.pending) {
              if (!pending.contains(tp)) continue;
              return Status::InvalidArgument("group " + group +
                                             ": an open transaction holds positions");
            }
            const auto committed = found->second.committed.find(tp);
            if (committed != found->second.committed.end()) positions.insert(*committed);
          }
          return positions;
        });
  }

  Status SetGroupPositions(const std::string& group, const Positions& positions,
                           milliseconds) override {
    return Ask<bool>("admin.set_group_positions",
                     [&]() REQUIRES(broker_.mutex) -> Result<bool> {
                       if (HasMembers(group)) {
                         return Status::InvalidArgument("group " + group + " has members");
                       }
                       for (const auto& [tp, offset] : positions) {
                         broker_.groups[group].committed[tp] = offset;
                       }
                       return true;
                     })
        .status();
  }

  Status DeleteGroup(const std::string& group, milliseconds) override {
    return Ask<bool>("admin.delete_group",
                     [&]() REQUIRES(broker_.mutex) -> Result<bool> {
                       if (HasMembers(group)) {
                         return Status::InvalidArgument("group " + group + " has members");
                       }
                       broker_.groups.erase(group);
                       return true;
                     })
        .status();
  }

  Status DeleteTopics(std::span<const std::string> names, milliseconds) override {
    return Ask<bool>("admin.delete_topics",
                     [&]() REQUIRES(broker_.mutex) -> Result<bool> {
                       for (const std::string& name : names) broker_.topics.erase(name);
                       return true;
                     })
        .status();
  }

 private:
  bool HasMembers(const std::string& group) const REQUIRES(broker_.mutex) {
    const auto found = broker_.groups.find(group);
    return found != broker_.groups.end() && !found->second.Shares().empty();
  }

  template <typename T>
  Result<T> Ask(const std::string& name, const std::function<Result<T>()>& answer) {
    return incarnation_->Call(name, [&](Status fault) -> Result<T> {
      if (!fault.ok()) return fault;
      const base::MutexLock lock(broker_.mutex);
      if (!broker_.reachable) return Status::Unavailable("no broker can be reached");
      return answer();
    });
  }

  const std::shared_ptr<Incarnation> incarnation_;
  FakeBroker& broker_;
};

}  // namespace

std::unique_ptr<pipeline::Admin> MakeFakeAdmin(std::shared_ptr<Incarnation> incarnation) {
  return std::make_unique<FakeAdmin>(std::move(incarnation));
}

}  // namespace support
