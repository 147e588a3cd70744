#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "pipeline/kafka_client.h"
#include "pipeline/librdkafka_client.h"

/// What the tests of the librdkafka side share: a real Kafka, started by tools/kafka unless it runs
/// already, and small steps on it.
namespace pipeline {

using base::Offset;
using base::Partition;
using base::TopicPartition;

/// Long enough for any one step on a busy machine; tests that pass do not wait for it.
inline constexpr milliseconds kPatience{20000};

#define ASSERT_OK(expression)                              \
  do {                                                     \
    const base::Status assert_ok_ = (expression);          \
    ASSERT_TRUE(assert_ok_.ok()) << assert_ok_.ToString(); \
  } while (false)
#define EXPECT_OK(expression)                              \
  do {                                                     \
    const base::Status expect_ok_ = (expression);          \
    EXPECT_TRUE(expect_ok_.ok()) << expect_ok_.ToString(); \
  } while (false)

/// "127.0.0.1:PORT" of the Kafka that this build's integration tests share.
const std::string& KafkaAddress();

/// `prefix` and something that no other test has.
std::string UniqueName(const std::string& prefix);

/// One record as a test remembers it.
struct SeenRecord {
  int32_t partition = 0;
  int64_t offset = 0;
  std::string value;
  bool operator==(const SeenRecord&) const = default;
};

/// Keeps what the group gives and reads it from the committed positions, else from the start.
class GroupWatcher : public RebalanceListener {
 public:
  explicit GroupWatcher(Consumer* consumer) : consumer_(consumer) {}
  void OnAssigned(const std::vector<TopicPartition>& partitions) override;
  void OnRevoked(const std::vector<TopicPartition>& partitions) override;
  void OnLost(const std::vector<TopicPartition>& partitions) override;

  std::vector<TopicPartition> owned;
  int assigned = 0;
  int revoked = 0;
  int lost = 0;
  std::function<void()> before_revoke = [] {};

 private:
  Consumer* consumer_;
};

class RealKafkaTest : public testing::Test {
 protected:
  void SetUp() override;

  /// Clients with `properties` beside the defaults.
  std::unique_ptr<KafkaClients> NewClients(
      const std::map<std::string, std::string>& properties = {});

  std::string MakeTopic(int32_t partitions = 1,
                        const std::map<std::string, std::string>& config = {});

  /// Ready to begin its first transaction.
  std::unique_ptr<Producer> NewTransactional(const std::string& id);
  std::unique_ptr<Consumer> NewReader();
  std::unique_ptr<Consumer> NewMember(const std::string& group, const std::string& instance,
                                      milliseconds session_timeout = milliseconds(10000));

  /// Produces and commits `values` in one transaction of a fresh producer. Returns when its marker is
  /// in the log, which may be after the commit was answered. Nobody else writes there meanwhile.
  void Commit(const std::string& topic, const std::vector<std::string>& values,
              int32_t partition = 0);

  /// The end of the partition, uncommitted records and markers counted.
  Offset EndOf(const TopicPartition& partition);

  /// Polls until `done` or kPatience; appends what comes.
  void PollUntil(Consumer* consumer, const std::function<bool()>& done,
                 std::vector<SeenRecord>* seen = nullptr);

  std::unique_ptr<KafkaClients> clients_;
};

}  // namespace pipeline
