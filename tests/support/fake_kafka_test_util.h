#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/fake_kafka.h"

/// Shorthand of the twin's own tests.
namespace support {

inline constexpr std::chrono::milliseconds kWait{100};
inline const base::TopicPartition kT0{"t", base::Partition{0}};
inline const base::TopicPartition kT1{"t", base::Partition{1}};
inline const base::TopicPartition kU0{"u", base::Partition{0}};

/// A reader of `tps` from `start`, from the earliest when absent.
inline std::unique_ptr<pipeline::Consumer> ReaderOf(
    FakeClients& clients, const std::vector<base::TopicPartition>& tps,
    std::optional<base::Offset> start = std::nullopt) {
  auto reader = std::move(clients.NewReader(pipeline::KafkaClients::ReaderUse::kCatchUp)).value();
  std::vector<pipeline::AssignedPartition> assigned;
  for (const auto& tp : tps) assigned.push_back({tp, start, false});
  EXPECT_TRUE(reader->Assign(assigned).ok());
  return reader;
}

inline std::unique_ptr<pipeline::Producer> ProducerOf(FakeClients& clients, const std::string& id) {
  auto producer = std::move(clients.NewTransactionalProducer(id)).value();
  EXPECT_TRUE(producer->InitTransactions(kWait).ok());
  return producer;
}

inline void Send(pipeline::Producer& producer, const std::string& topic, int32_t partition,
                 const std::string& value, uint64_t tag = 0) {
  pipeline::OutgoingRecord record;
  record.topic = topic;
  record.partition = base::Partition{partition};
  record.key = "k";
  record.value = value;
  record.tag = tag;
  EXPECT_TRUE(producer.Produce(record).ok());
}

/// The values that polls return until one returns none.
inline std::vector<std::string> Drain(pipeline::Consumer& consumer) {
  std::vector<std::string> values;
  while (true) {
    auto batch = std::move(consumer.Poll(kWait, 100)).value();
    if (batch->size() == 0) return values;
    for (size_t i = 0; i < batch->size(); ++i) {
      values.emplace_back(batch->record(i).value.value_or("null"));
    }
  }
}

inline std::vector<std::string> Values(const std::vector<StoredRecord>& records) {
  std::vector<std::string> values;
  for (const StoredRecord& record : records) values.push_back(record.value.value_or("null"));
  return values;
}

}  // namespace support
