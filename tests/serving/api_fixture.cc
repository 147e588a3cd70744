#include "tests/serving/api_fixture.h"

#include <thread>
#include <utility>

#include "pipeline/partitioner.h"
#include "stages/inbox_rows.h"
#include "stages/notification.h"

namespace serving {
namespace {

class NoContext : public pipeline::Context<pipeline::Nothing> {
 public:
  base::Status Forward(pipeline::Record<pipeline::Nothing>) override { return base::Status::Ok(); }
  int64_t NowMs() const override { return base::SystemClock::Instance().NowMs(); }
};

std::optional<std::string> Copy(std::optional<std::string_view> text) {
  if (!text.has_value()) return std::nullopt;
  return std::string(*text);
}

}  // namespace

void RecordingProducer::Produce(std::string_view topic, base::Partition partition,
                                std::optional<std::string_view> key,
                                std::optional<std::string_view> value,
                                const pipeline::Headers& headers, Delivered delivered) {
  Produced record{std::string(topic), partition, Copy(key), Copy(value), {}, headers};
  base::Status failure;
  {
    const base::MutexLock lock(mutex_);
    record.offset = base::Offset{ends_[{record.topic, partition}]++};
    if (fail_all_ || (fail_at_.has_value() && *fail_at_ == 0)) {
      failure = failure_;
      fail_at_.reset();
    } else if (fail_at_.has_value()) {
      --*fail_at_;
    }
    produced_.push_back(record);
    changed_.NotifyAll();
    if (holding_) {
      held_.push_back([this, record, delivered = std::move(delivered), failure] {
        Report(record, delivered, failure);
      });
      return;
    }
  }
  Report(record, delivered, failure);
}

void RecordingProducer::Report(const Produced& record, const Delivered& delivered,
                               const base::Status& failure) {
  if (!failure.ok()) return delivered(failure);
  if (on_delivered) on_delivered(record);
  delivered(record.offset);
}

void RecordingProducer::Hold() {
  const base::MutexLock lock(mutex_);
  holding_ = true;
}

void RecordingProducer::Release() {
  std::vector<std::function<void()>> held;
  {
    const base::MutexLock lock(mutex_);
    holding_ = false;
    held.swap(held_);
  }
  std::jthread([&held] {
    for (const auto& report : held) report();
  });
}

void RecordingProducer::FailAt(size_t n, const base::Status& status) {
  const base::MutexLock lock(mutex_);
  fail_at_ = n;
  failure_ = status;
}

void RecordingProducer::FailAll(const base::Status& status) {
  const base::MutexLock lock(mutex_);
  fail_all_ = true;
  failure_ = status;
}

std::vector<RecordingProducer::Produced> RecordingProducer::WaitFor(size_t count) {
  const base::MutexLock lock(mutex_);
  changed_.Wait(mutex_, [&]() REQUIRES(mutex_) { return produced_.size() >= count; });
  return produced_;
}

std::vector<RecordingProducer::Produced> RecordingProducer::produced() { return WaitFor(0); }

base::Result<std::shared_ptr<const stages::User>> FakeUsers::Find(std::string_view id) {
  const base::MutexLock lock(mutex_);
  if (!failure_.ok()) return failure_;
  const auto it = users_.find(id);
  return it == users_.end() ? nullptr : it->second;
}

base::Offset FakeUsers::Position(base::Partition partition) {
  const base::MutexLock lock(mutex_);
  return positions_[partition];
}

void FakeUsers::Apply(const RecordingProducer::Produced& record) {
  const base::MutexLock lock(mutex_);
  if (record.value.has_value()) {
    pipeline::RawRecord raw;
    raw.key = *record.key;
    raw.value = *record.value;
    auto user = pipeline::Serde<stages::User>().Decode(raw);
    ASSERT_TRUE(user.ok()) << user.status().ToString();
    users_[*record.key] = std::make_shared<const stages::User>(std::move(*user));
  } else {
    users_.erase(*record.key);
  }
  positions_[record.partition] = base::Offset{record.offset.value + 1};
}

void FakeUsers::FailReads(const base::Status& status) {
  const base::MutexLock lock(mutex_);
  failure_ = status;
}

void FakeForwarder::Forward(const pipeline::Instance& to, const Request& request, Respond respond) {
  Response answer;
  {
    const base::MutexLock lock(mutex_);
    forwarded_.push_back({to, request});
    answer = answer_;
  }
  respond(std::move(answer));
}

void FakeForwarder::Answer(Response response) {
  const base::MutexLock lock(mutex_);
  answer_ = std::move(response);
}

std::vector<FakeForwarder::Forwarded> FakeForwarder::forwarded() {
  const base::MutexLock lock(mutex_);
  return forwarded_;
}

ApiTest::ApiTest() {
  for (int32_t i = 0; i < kNotificationsPartitions; ++i) {
    state::TaskState::Options options;
    options.directory = scratch.path() / std::to_string(i);
    options.stores = {{std::string(stages::kInboxStore), true},
                      {std::string(stages::kInboxUnreadStore), false}};
    options.memory = &memory_;
    auto opened = state::TaskState::Open(options);
    EXPECT_TRUE(opened.ok()) << opened.status().ToString();
    auto task = std::make_unique<InboxTask>(std::move(*opened));
    stores.Publish(stages::kInboxStore, {i}, task->state->MakeReader());
    tasks.emplace(base::Partition{i}, std::move(task));
    positions.Committed({backend.topics.inbox_actions, {i}}, base::Offset{0});
  }
  producer.on_delivered = [this](const RecordingProducer::Produced& record) {
    if (record.topic == backend.topics.inbox_actions && applies_actions) Apply(record);
  };
  backend.stores = &stores;
  backend.events_partitions = kEventsPartitions;
  backend.users_partitions = kUsersPartitions;
  backend.notifications_partitions = kNotificationsPartitions;
  backend.producer = &producer;
  backend.find_user = [this](std::string_view id) { return users.Find(id); };
  backend.users_position = [this](base::Partition p) { return users.Position(p); };
  backend.positions = &positions;
  backend.find_owner = [this](base::Partition) {
    const base::MutexLock lock(ready_mutex);
    return owner;
  };
  backend.instance_name = "app/i-here";
  backend.forwarder = &forwarder;
  backend.status_json = [] { return std::string(R"({"ready":true})"); };
  backend.readiness = [this] {
    const base::MutexLock lock(ready_mutex);
    return ready;
  };
  // Little, so that pages go and come back.
  backend.kept_pages_bytes_max = size_t{256} << 10;
  backend.metrics = &metrics;
  backend.clock = &base::SystemClock::Instance();
}

ApiTest::~ApiTest() {
  // Connections first, then what their requests use.
  if (server != nullptr) server->Stop(std::chrono::milliseconds(0));
  server.reset();
  service.reset();
}

void ApiTest::Start() {
  HttpServer::Options options;
  options.listen = {"127.0.0.1:0"};
  options.threads = threads;
  options.limits = limits;
  options.metrics = &metrics;
  server = std::make_unique<HttpServer>(std::move(options));
  service = std::make_unique<InboxService>(backend, server->timers());
  auto bound = server->Start(service->handler());
  ASSERT_TRUE(bound.ok()) << bound.status().ToString();
  address = bound->front();
}

base::Partition ApiTest::PartitionOf(const std::string& user) {
  return pipeline::PartitionForKey(user, kNotificationsPartitions);
}

void ApiTest::Notify(const std::string& recipient, const std::string& actor) {
  stages::Notification notification;
  notification.kind = stages::FindEventKind("follow");
  notification.recipient = recipient;
  notification.actor.id = actor;
  notification.message = actor + " started following you.";
  Tell(std::move(notification));
}

void ApiTest::Tell(stages::Notification notification) {
  const std::string recipient = notification.recipient;
  const base::Partition partition = PartitionOf(recipient);
  const base::MutexLock lock(tasks_mutex_);
  InboxTask& task = *tasks.at(partition);
  ++offset_;
  notification.identity.bytes[14] = static_cast<uint8_t>(offset_ >> 8);
  notification.identity.bytes[15] = static_cast<uint8_t>(offset_);
  notification.time_ms = 1'795'237'200'000 + offset_;
  notification.source = {"events", {0}, {offset_}};
  NoContext context;
  const pipeline::RecordMetadata metadata{
      "notifications", partition, {offset_}, notification.time_ms};
  std::string json;
  base::Status status =
      task.write.Process({recipient, stages::AsReceived(notification, json), metadata}, context);
  ASSERT_TRUE(status.ok()) << status.ToString();
  status = task.state->Commit({{{"notifications", partition}, base::Offset{offset_ + 1}}});
  ASSERT_TRUE(status.ok()) << status.ToString();
}

void ApiTest::Apply(const RecordingProducer::Produced& record) {
  const base::TopicPartition tp{record.topic, record.partition};
  const base::Offset position{record.offset.value + 1};
  {
    const base::MutexLock lock(tasks_mutex_);
    InboxTask& task = *tasks.at(record.partition);
    pipeline::RawRecord raw;
    raw.key = *record.key;
    raw.value = *record.value;
    raw.metadata = {tp.topic, tp.partition, record.offset, backend.clock->NowMs()};
    auto action = pipeline::Serde<stages::InboxAction>().Decode(raw);
    ASSERT_TRUE(action.ok()) << action.status().ToString();
    NoContext context;
    base::Status status =
        task.apply.Process({*record.key, std::move(*action), raw.metadata}, context);
    ASSERT_TRUE(status.ok()) << status.ToString();
    status = task.state->Commit({{tp, position}});
    ASSERT_TRUE(status.ok()) << status.ToString();
  }
  positions.Committed(tp, position);
}

void ApiTest::Move(const std::string& user, std::optional<pipeline::Instance> to) {
  stores.Unpublish(stages::kInboxStore, PartitionOf(user));
  positions.Gone(ActionsOf(user));
  const base::MutexLock lock(ready_mutex);
  owner = std::move(to);
}

std::string ApiTest::NewestId(const std::string& user) {
  const nlohmann::json inbox = Json(Get("/v1/users/" + user + "/inbox?limit=1"));
  if (!inbox.is_object() || inbox["items"].empty()) {
    ADD_FAILURE() << "the inbox is empty";
    return "";
  }
  return inbox["items"][0]["id"];
}

nlohmann::json ApiTest::Json(const Received& received) {
  auto json = nlohmann::json::parse(received.body, nullptr, false);
  if (json.is_discarded()) {
    ADD_FAILURE() << "not JSON: " << received.status << " " << received.body;
    return nullptr;
  }
  return json;
}

nlohmann::json ApiTest::Problem(const Received& received, int status) {
  EXPECT_EQ(received.status, status) << received.body;
  const auto type = received.headers.find("content-type");
  EXPECT_TRUE(type != received.headers.end() && type->second == "application/problem+json");
  nlohmann::json json = Json(received);
  if (!json.is_object()) json = nlohmann::json::object();
  EXPECT_EQ(json.value("status", 0), status);
  EXPECT_TRUE(status != 503 || received.headers.count("retry-after") == 1);
  return json;
}

}  // namespace serving
