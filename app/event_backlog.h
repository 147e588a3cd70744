#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/mutex.h"
#include "pipeline/kafka_client.h"

namespace app {

/// Bytes of unread events from here in one partition of the embedded broker from which on it counts
/// as full; the broker forgets the oldest beyond some 5 MiB.
inline constexpr size_t kBacklogBytesMax = size_t{2} << 20;

/// Passes records on to a producer and keeps count of how many bytes of one topic, sent this way,
/// were not read yet: the embedded broker drops the oldest records of a partition that is too full,
/// so whoever sends has to be told to wait before that.
///
/// Threads: any.
class EventBacklog : public pipeline::AsyncProducer {
 public:
  /// The committed position of a partition of `topic`; nullopt while not known.
  using PositionFunction = std::function<std::optional<base::Offset>(base::Partition)>;

  EventBacklog(std::unique_ptr<pipeline::AsyncProducer> producer, std::string topic,
               PositionFunction position);

  void Produce(std::string_view topic, base::Partition partition,
               std::optional<std::string_view> key, std::optional<std::string_view> value,
               const pipeline::Headers& headers, Delivered delivered) override;
  base::Status Flush(pipeline::milliseconds timeout) override { return producer_->Flush(timeout); }

  /// More might push out what was not read.
  bool IsFull(base::Partition partition);

 private:
  struct Unread {
    /// Delivered, by offset, with their bytes.
    std::map<base::Offset, size_t> records;
    size_t bytes = 0;
  };
  /// What the callbacks of records on their way need; they may outlive this.
  struct Shared {
    base::Mutex mutex;
    std::map<base::Partition, Unread> partitions GUARDED_BY(mutex);
  };

  const std::string topic_;
  const PositionFunction position_;
  const std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  const std::unique_ptr<pipeline::AsyncProducer> producer_;
};

}  // namespace app
