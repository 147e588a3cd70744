#include "tests/integration/kafka/real_kafka.h"

#include <array>
#include <atomic>
#include <cstdio>
#include <random>

#include "base/check.h"

namespace pipeline {
namespace {

constexpr std::string_view kAddressMark = "bootstrap: ";

std::string StartKafka() {
  // Leaves a cluster that runs already as it is; ctest's last fixture stops it.
  FILE* output = popen(HERALD_KAFKA_TOOL " start --port 0 --dir " HERALD_KAFKA_DIR, "r");
  CHECK(output != nullptr, "tools/kafka can be run");
  std::string text;
  std::array<char, 256> line{};
  while (fgets(line.data(), line.size(), output) != nullptr) text += line.data();
  CHECK(pclose(output) == 0, text);
  const size_t mark = text.find(kAddressMark);
  CHECK(mark != std::string::npos, text);
  const size_t start = mark + kAddressMark.size();
  return text.substr(start, text.find_first_of(" \n", start) - start);
}

}  // namespace

const std::string& KafkaAddress() {
  static const std::string address = StartKafka();
  return address;
}

std::string UniqueName(const std::string& prefix) {
  static std::atomic<int> counter{0};
  std::random_device random;
  return prefix + "-" + std::to_string(random()) + "-" + std::to_string(++counter);
}

void GroupWatcher::OnAssigned(const std::vector<TopicPartition>& partitions) {
  ++assigned;
  owned = partitions;
  auto committed = consumer_->Committed(partitions, kPatience);
  ASSERT_TRUE(committed.ok()) << committed.status().ToString();
  std::vector<AssignedPartition> starts;
  for (const TopicPartition& partition : partitions) {
    AssignedPartition start{partition, std::nullopt, false};
    if (const auto found = committed->find(partition); found != committed->end()) {
      start.start = found->second;
    }
    starts.push_back(start);
  }
  ASSERT_OK(consumer_->Assign(starts));
}

void GroupWatcher::OnRevoked(const std::vector<TopicPartition>&) {
  ++revoked;
  before_revoke();
  owned.clear();
}

void GroupWatcher::OnLost(const std::vector<TopicPartition>&) {
  ++lost;
  owned.clear();
}

void RealKafkaTest::SetUp() { clients_ = NewClients(); }

std::unique_ptr<KafkaClients> RealKafkaTest::NewClients(
    const std::map<std::string, std::string>& properties) {
  LibrdkafkaOptions options;
  options.brokers = KafkaAddress();
  options.client_id = "test";
  options.properties = properties;
  auto clients = NewLibrdkafkaClients(options);
  CHECK(clients.ok(), clients.status().ToString());
  return std::move(clients).value();
}

std::string RealKafkaTest::MakeTopic(int32_t partitions,
                                     const std::map<std::string, std::string>& config) {
  NewTopic topic{UniqueName("topic"), partitions, 1, config};
  const base::Status made = clients_->admin().CreateTopics({&topic, 1}, kPatience);
  CHECK(made.ok(), made.ToString());
  return topic.name;
}

std::unique_ptr<Producer> RealKafkaTest::NewTransactional(const std::string& id) {
  auto producer = clients_->NewTransactionalProducer(id);
  CHECK(producer.ok(), producer.status().ToString());
  const base::Status ready = (*producer)->InitTransactions(kPatience);
  CHECK(ready.ok(), ready.ToString());
  return std::move(producer).value();
}

std::unique_ptr<Consumer> RealKafkaTest::NewReader() {
  auto reader = clients_->NewReader(KafkaClients::ReaderUse::kCatchUp);
  CHECK(reader.ok(), reader.status().ToString());
  return std::move(reader).value();
}

std::unique_ptr<Consumer> RealKafkaTest::NewMember(const std::string& group,
                                                   const std::string& instance,
                                                   milliseconds session_timeout) {
  auto member = clients_->NewGroupConsumer({group, instance, session_timeout});
  CHECK(member.ok(), member.status().ToString());
  return std::move(member).value();
}

void RealKafkaTest::Commit(const std::string& topic, const std::vector<std::string>& values,
                           int32_t partition) {
  const TopicPartition target{topic, Partition{partition}};
  const int64_t marker = EndOf(target).value + static_cast<int64_t>(values.size());
  auto producer = NewTransactional(UniqueName("setup"));
  ASSERT_OK(producer->BeginTransaction());
  for (const std::string& value : values) {
    ASSERT_OK(producer->Produce({topic, Partition{partition}, std::nullopt, value, nullptr, 0}));
  }
  ASSERT_OK(producer->CommitTransaction(kPatience));
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (EndOf(target).value <= marker) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "no marker at offset " << marker;
  }
}

Offset RealKafkaTest::EndOf(const TopicPartition& partition) {
  auto ends = clients_->admin().ListOffsets({&partition, 1}, OffsetSpec::kLatest,
                                            Isolation::kReadUncommitted, kPatience);
  CHECK(ends.ok(), ends.status().ToString());
  return ends->at(partition);
}

void RealKafkaTest::PollUntil(Consumer* consumer, const std::function<bool()>& done,
                              std::vector<SeenRecord>* seen) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!done()) {
    ASSERT_LT(std::chrono::steady_clock::now(), end) << "waited in vain";
    auto batch = consumer->Poll(milliseconds(200), 1000);
    ASSERT_TRUE(batch.ok()) << batch.status().ToString();
    for (size_t i = 0; i < (*batch)->size() && seen != nullptr; ++i) {
      const RawRecord& record = (*batch)->record(i);
      seen->push_back({record.metadata.partition.value, record.metadata.offset.value,
                       std::string(record.value.value_or("(null)"))});
    }
  }
}

}  // namespace pipeline
