#include "app/event_backlog.h"

#include <utility>

namespace app {
namespace {

/// A client's `tracestate` may be larger than its event.
size_t BytesOf(const std::optional<std::string_view>& key,
               const std::optional<std::string_view>& value, const pipeline::Headers& headers) {
  size_t bytes = key.value_or("").size() + value.value_or("").size();
  for (const auto& [name, content] : headers) {
    bytes += name.size() + (content.has_value() ? content->size() : 0);
  }
  return bytes;
}

}  // namespace

EventBacklog::EventBacklog(std::unique_ptr<pipeline::AsyncProducer> producer, std::string topic,
                           PositionFunction position)
    : topic_(std::move(topic)), position_(std::move(position)), producer_(std::move(producer)) {}

void EventBacklog::Produce(std::string_view topic, base::Partition partition,
                           std::optional<std::string_view> key,
                           std::optional<std::string_view> value,
                           const pipeline::Headers& headers, Delivered delivered) {
  if (topic != topic_) {
    return producer_->Produce(topic, partition, key, value, headers, std::move(delivered));
  }
  const size_t bytes = BytesOf(key, value, headers);
  {
    // Counted from now on: many may be on their way at once.
    const base::MutexLock lock(shared_->mutex);
    shared_->partitions[partition].bytes += bytes;
  }
  producer_->Produce(topic, partition, key, value, headers,
                     [shared = shared_, partition, bytes,
                      delivered = std::move(delivered)](const base::Result<base::Offset>& outcome) {
                       {
                         const base::MutexLock lock(shared->mutex);
                         Unread& unread = shared->partitions[partition];
                         if (outcome.ok()) {
                           unread.records[*outcome] = bytes;
                         } else {
                           unread.bytes -= bytes;
                         }
                       }
                       delivered(outcome);
                     });
}

bool EventBacklog::IsFull(base::Partition partition) {
  const std::optional<base::Offset> position = position_(partition);
  const base::MutexLock lock(shared_->mutex);
  Unread& unread = shared_->partitions[partition];
  if (position.has_value()) {
    const auto end = unread.records.lower_bound(*position);
    for (auto it = unread.records.begin(); it != end; it = unread.records.erase(it)) {
      unread.bytes -= it->second;
    }
  }
  return unread.bytes >= kBacklogBytesMax;
}

}  // namespace app
