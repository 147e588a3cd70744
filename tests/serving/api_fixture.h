#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/metrics.h"
#include "base/mutex.h"
#include "pipeline/kafka_client.h"
#include "pipeline/position_watch.h"
#include "pipeline/store_registry.h"
#include "serving/backend.h"
#include "serving/forwarder.h"
#include "serving/http_server.h"
#include "serving/inbox_service.h"
#include "stages/apply_action.h"
#include "stages/inbox_rows.h"
#include "stages/notification.h"
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
    pipeline::Headers headers = {};
  };

  void Produce(std::string_view topic, base::Partition partition,
               std::optional<std::string_view> key, std::optional<std::string_view> value,
               const pipeline::Headers& headers, Delivered delivered) override;
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

  base::Mutex mutex_;
  base::ConditionVariable changed_;
  std::vector<Produced> produced_ GUARDED_BY(mutex_);
  std::map<base::TopicPartition, int64_t> ends_ GUARDED_BY(mutex_);
  bool holding_ GUARDED_BY(mutex_) = false;
  std::vector<std::function<void()>> held_ GUARDED_BY(mutex_);
  std::optional<size_t> fail_at_ GUARDED_BY(mutex_);
  bool fail_all_ GUARDED_BY(mutex_) = false;
  base::Status failure_ GUARDED_BY(mutex_);
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
  base::Mutex mutex_;
  std::map<std::string, std::shared_ptr<const stages::User>, std::less<>> users_ GUARDED_BY(mutex_);
  std::map<base::Partition, base::Offset> positions_ GUARDED_BY(mutex_);
  base::Status failure_ GUARDED_BY(mutex_);
};

/// The other instances: keeps what is forwarded, and answers as the test says. Threads: any.
class FakeForwarder : public Forwarder {
 public:
  struct Forwarded {
    pipeline::Instance to;
    Request request;
  };

  void Forward(const pipeline::Instance& to, const Request& request, Respond respond) override;

  /// What every request is answered from now on.
  void Answer(Response response);
  std::vector<Forwarded> forwarded();

 private:
  base::Mutex mutex_;
  std::vector<Forwarded> forwarded_ GUARDED_BY(mutex_);
  Response answer_ GUARDED_BY(mutex_);
};

/// Herald's HTTP side as it is in production, on a free port, over real stores with the real stages
/// that write them; Kafka, the users table and other instances are fakes.
///
/// What is produced to `inbox-actions` is applied and committed at once, unless a test sets
/// `applies_actions` to false or `producer.on_delivered` to something else.
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
  /// As above with all that a test cares for: kind, recipient, actor, message.
  void Tell(stages::Notification notification);

  /// Does what the inbox's task does with a record of `inbox-actions`.
  void Apply(const RecordingProducer::Produced& record);

  /// Takes the inbox of `user` off this instance; `owner` has it, or nobody.
  void Move(const std::string& user, std::optional<pipeline::Instance> owner);

  static base::Partition PartitionOf(const std::string& user);
  base::TopicPartition ActionsOf(const std::string& user) const {
    return {backend.topics.inbox_actions, PartitionOf(user)};
  }

  /// The id of the newest notification.
  std::string NewestId(const std::string& user);

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
  pipeline::PositionWatch positions;
  FakeForwarder forwarder;
  std::atomic<bool> applies_actions = true;
  base::Mutex ready_mutex;
  base::Status ready;
  /// Who has what is not here; under `ready_mutex` once the server runs.
  std::optional<pipeline::Instance> owner;

  Backend backend;
  HttpLimits limits;
  int threads = 2;
  std::string address;
  std::unique_ptr<HttpServer> server;
  std::unique_ptr<InboxService> service;

  /// The state of the inbox task of one partition, with the stages that write it.
  struct InboxTask {
    explicit InboxTask(std::unique_ptr<state::TaskState> opened)
        : state(std::move(opened)),
          write(state->Store(stages::kInboxStore), state->Store(stages::kInboxUnreadStore), {}),
          apply(state->Store(stages::kInboxStore), state->Store(stages::kInboxUnreadStore)) {}

    std::unique_ptr<state::TaskState> state;
    stages::WriteInbox write;
    stages::ApplyAction apply;
  };
  std::map<base::Partition, std::unique_ptr<InboxTask>> tasks;

 private:
  state::SharedMemory memory_{size_t{8} << 20, size_t{8} << 20};
  /// Held by whoever acts as the tasks' stream thread.
  base::Mutex tasks_mutex_;
  int64_t offset_ GUARDED_BY(tasks_mutex_) = 0;
};

}  // namespace serving
