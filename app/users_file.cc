#include "app/users_file.h"

#include <algorithm>
#include <fstream>
#include <functional>
#include <memory>
#include <utility>

#include "base/log.h"
#include "base/mutex.h"
#include "pipeline/partitioner.h"
#include "stages/user.h"

namespace app {
namespace {

/// Sees each user of the file, in order.
using UserVisitor = std::function<base::Status(const stages::User& user)>;

base::Status VisitUsers(const std::string& path, const UserVisitor& visitor) {
  std::ifstream in(path);
  if (!in) return base::Status::InvalidArgument("users file " + path + " cannot be read");
  pipeline::Serde<stages::User> serde;
  std::string line;
  for (size_t number = 1; std::getline(in, line); ++number) {
    const std::string place = "users file " + path + " line " + std::to_string(number);
    if (number > kUsersFileLinesMax || line.size() > kUsersFileLineBytesMax) {
      return base::Status::InvalidArgument(place + ": too long");
    }
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    pipeline::RawRecord record;
    record.value = line;
    auto user = serde.Decode(record);
    if (!user.ok()) return user.status().WithContext(place);
    RETURN_IF_ERROR(visitor(*user));
  }
  return base::Status::Ok();
}

/// Counts what is under way, bounded, and keeps the first failure.
class Deliveries {
 public:
  void Started() {
    constexpr size_t kInFlightMax = 10'000;
    const base::MutexLock lock(mutex_);
    changed_.Wait(mutex_, [this]() REQUIRES(mutex_) { return in_flight_ < kInFlightMax; });
    ++in_flight_;
  }
  void Ended(base::Partition partition, const base::Result<base::Offset>& delivered) {
    const base::MutexLock lock(mutex_);
    --in_flight_;
    if (delivered.ok()) {
      base::Offset& position = positions_[partition];
      position = std::max(position, base::Offset{delivered->value + 1});
    } else if (failure_.ok()) {
      failure_ = delivered.status();
    }
    changed_.NotifyAll();
  }
  base::Result<std::map<base::Partition, base::Offset>> Wait() {
    const base::MutexLock lock(mutex_);
    changed_.Wait(mutex_, [this]() REQUIRES(mutex_) { return in_flight_ == 0; });
    if (!failure_.ok()) return failure_;
    return positions_;
  }
  bool failed() {
    const base::MutexLock lock(mutex_);
    return !failure_.ok();
  }

 private:
  base::Mutex mutex_;
  base::ConditionVariable changed_;
  size_t in_flight_ GUARDED_BY(mutex_) = 0;
  std::map<base::Partition, base::Offset> positions_ GUARDED_BY(mutex_);
  base::Status failure_ GUARDED_BY(mutex_);
};

}  // namespace

base::Result<std::map<base::Partition, base::Offset>> LoadUsersFile(
    const std::string& path, const std::string& topic, int32_t partitions,
    pipeline::AsyncProducer& producer, std::chrono::milliseconds timeout) {
  RETURN_IF_ERROR(VisitUsers(path, [](const stages::User&) { return base::Status::Ok(); }));
  auto deliveries = std::make_shared<Deliveries>();
  size_t count = 0;
  pipeline::Serde<stages::User> serde;
  RETURN_IF_ERROR(VisitUsers(path, [&](const stages::User& user) {
    if (deliveries->failed()) return base::Status::Ok();
    std::string value;
    serde.Encode(user, value);
    const base::Partition partition = pipeline::PartitionForKey(user.id, partitions);
    deliveries->Started();
    producer.Produce(topic, partition, user.id, value,
                     [deliveries, partition](const base::Result<base::Offset>& delivered) {
                       deliveries->Ended(partition, delivered);
                     });
    ++count;
    return base::Status::Ok();
  }));
  RETURN_IF_ERROR(producer.Flush(timeout));
  auto positions = deliveries->Wait();
  if (!positions.ok()) {
    return base::Status::Unavailable("users file " + path +
                                     " not loaded: " + positions.status().message());
  }
  base::LogInfo("users loaded", {{"file", path}, {"users", count}});
  return positions;
}

}  // namespace app
