#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/metrics.h"
#include "pipeline/kafka_client.h"
#include "pipeline/store_registry.h"
#include "serving/backend.h"
#include "serving/http_server.h"
#include "serving/inbox_service.h"
#include "stages/inbox_rows.h"
#include "stages/write_inbox.h"
#include "state/task_state.h"
#include "tests/serving/http_client.h"
#include "tests/support/scratch_directory.h"

namespace serving {

/// Keeps what is produced, and gives the reports when and as the test says. Threads: any.
class RecordingProducer : public pipeline::AsyncProducer {
 public:
  struct Produced {
    std::string topic;
    base::Partition partition;
    std::optional<std::string> key;
    std::optional<std::string> value;
    base::Offset offset;
  };

  void Produce(std::string_view topic, base::Partition partition,
               std::optional<std::string_view> key, std::optional<std::string_view> value,
               Delivered delivered) override;
  base::Status Flush(pipeline::milliseconds) override { return base::Status::Ok(); }

  /// Called for each record that is delivered, before its report.
  std::function<void(const Produced&)> on_delivered;

  /// From now on reports wait for Release().
  void Hold();
  /// Gives the reports that wait, on a thread of its own, and stops holding.
  void Release();
  /// From now on the n-th next record (0: the next) is refused with `status`, once.
  void FailAt(size_t n, const base::Status& status);
  /// From now on every record is refused with `status`.
  void FailAll(const base::Status& status);

  /// Waits until so many records came in; what came in so far.
  std::vector<Produced> WaitFor(size_t count);
  std::vector<Produced> produced();

 private:
  void Report(const Produced& record, const Delivered& delivered, const base::Status& failure);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Produced> produced_;
  std::map<base::TopicPartition, int64_t> ends_;
  bool holding_ = false;
  std::vector<std::function<void()>> held_;
  std::optional<size_t> fail_at_;
  bool fail_all_ = false;
  base::Status failure_;
};

/// The users table of a test. Threads: any.
class FakeUsers {
 public:
  base::Result<std::shared_ptr<const stages::User>> Find(std::string_view id);
  base::Offset Position(base::Partition partition);
  /// As the global table does: the value first, then the position behind it.
  void Apply(const RecordingProducer::Produced& record);
  void FailReads(const base::Status& status);

 private:
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const stages::User>, std::less<>> users_;
  std::map<base::Partition, base::Offset> positions_;
  base::Status failure_;
};

/// Herald's HTTP side as it is in production, on a free port, over a real store with the real
/// stage that writes it; Kafka and the users table are fakes.
class ApiTest : public testing::Test {
 protected:
  static constexpr int32_t kEventsPartitions = 3;
  static constexpr int32_t kUsersPartitions = 2;
  static constexpr int32_t kNotificationsPartitions = 4;

  ApiTest();
  ~ApiTest() override;

  /// Change `limits`, `backend` before it.
  void Start();

  /// Somebody follows or likes `recipient`; committed, so readers see it. Later calls have later
  /// times.
  void Notify(const std::string& recipient, const std::string& actor);

  /// A fresh connection's answer.
  Received Get(const std::string& target) { return HttpClient(address).Call("GET", target); }
  Received Post(const std::string& target, const std::string& body) {
    return HttpClient(address).Call("POST", target, body);
  }
  Received Put(const std::string& target, const std::string& body) {
    return HttpClient(address).Call("PUT", target, body);
  }
  Received Delete(const std::string& target) { return HttpClient(address).Call("DELETE", target); }

  /// The JSON of an answer, or null (with a failure) when it is not JSON.
  static nlohmann::json Json(const Received& received);

  /// Fails unless the answer is a problem of this status; its JSON.
  static nlohmann::json Problem(const Received& received, int status);

  support::ScratchDirectory scratch;
  base::Metrics metrics;
  pipeline::StoreRegistry stores;
  RecordingProducer producer;
  FakeUsers users;
  std::mutex ready_mutex;
  base::Status ready;

  Backend backend;
  HttpLimits limits;
  int threads = 2;
  std::string address;
  std::unique_ptr<HttpServer> server;
  std::unique_ptr<InboxService> service;

  /// The state of the inbox task of one partition, with the stage that writes it.
  struct InboxTask {
    explicit InboxTask(std::unique_ptr<state::TaskState> opened)
        : state(std::move(opened)),
          stage(state->Store(stages::kInboxStore), state->Store(stages::kInboxUnreadStore), {}) {}

    std::unique_ptr<state::TaskState> state;
    stages::WriteInbox stage;
  };
  std::map<base::Partition, std::unique_ptr<InboxTask>> tasks;

 private:
  state::SharedMemory memory_{size_t{8} << 20, size_t{8} << 20};
  int64_t offset_ = 0;
};

}  // namespace serving
