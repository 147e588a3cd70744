#include "pipeline/librdkafka_batch.h"

#include <utility>

#include "base/check.h"

namespace pipeline {
namespace {

std::optional<std::string_view> View(const void* data, size_t size) {
  if (data == nullptr) return std::nullopt;
  return std::string_view(static_cast<const char*>(data), size);
}

class LibrdkafkaBatch : public RecordBatch {
 public:
  LibrdkafkaBatch(std::vector<rd_kafka_message_t*> messages,
                  std::set<std::string, std::less<>>* topic_names,
                  std::shared_ptr<std::atomic<int>> live)
      : messages_(std::move(messages)), live_(std::move(live)) {
    live_->fetch_add(1, std::memory_order_relaxed);
    records_.reserve(messages_.size());
    const rd_kafka_topic_t* last_topic = nullptr;
    std::string_view name;
    for (const rd_kafka_message_t* message : messages_) {
      if (message->rkt != last_topic) {
        last_topic = message->rkt;
        const std::string_view fresh = rd_kafka_topic_name(last_topic);
        auto known = topic_names->find(fresh);
        if (known == topic_names->end()) known = topic_names->emplace(fresh).first;
        name = *known;
      }
      records_.push_back({{name, base::Partition{message->partition}, base::Offset{message->offset},
                           rd_kafka_message_timestamp(message, nullptr)},
                          View(message->key, message->key_len),
                          View(message->payload, message->len)});
    }
  }

  LibrdkafkaBatch(const LibrdkafkaBatch&) = delete;
  LibrdkafkaBatch& operator=(const LibrdkafkaBatch&) = delete;

  ~LibrdkafkaBatch() override {
    for (rd_kafka_message_t* message : messages_) rd_kafka_message_destroy(message);
    live_->fetch_sub(1, std::memory_order_release);
  }

  size_t size() const override { return records_.size(); }

  const RawRecord& record(size_t index) const override { return records_[index]; }

  Headers ReadHeaders(size_t index) const override {
    Headers headers;
    rd_kafka_headers_t* list = nullptr;
    CHECK(index < messages_.size(), "no such record in the batch");
    if (rd_kafka_message_headers(messages_[index], &list) != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return headers;
    }
    const char* name = nullptr;
    const void* value = nullptr;
    size_t size = 0;
    for (size_t i = 0;
         rd_kafka_header_get_all(list, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
         ++i) {
      const std::optional<std::string_view> view = View(value, size);
      headers.emplace_back(name, view ? std::optional<std::string>(*view) : std::nullopt);
    }
    return headers;
  }

 private:
  std::vector<rd_kafka_message_t*> messages_;
  std::vector<RawRecord> records_;
  std::shared_ptr<std::atomic<int>> live_;
};

}  // namespace

std::unique_ptr<RecordBatch> NewLibrdkafkaBatch(std::vector<rd_kafka_message_t*> messages,
                                                std::set<std::string, std::less<>>* topic_names,
                                                std::shared_ptr<std::atomic<int>> live) {
  return std::make_unique<LibrdkafkaBatch>(std::move(messages), topic_names, std::move(live));
}

}  // namespace pipeline
