// floor_rows: what Herald's pipeline does, written by hand, for bench/drain to compare with: how
// much of Herald's cost is the work itself? librdkafka, simdjson and RocksDB, and nothing of
// Herald.
//
// Each thread is a member of the group with a transactional producer. It reads the events, looks up
// who did it, writes a notification for each recipient, reads the notifications too, and keeps the
// rows of the inboxes with their changelog, all in the same transactions; then one batch for each
// partition's RocksDB. What it leaves out is what makes Herald a program to run: restoring, handing
// partitions over, dead letters (refused records are counted), limits, inbox actions, HTTP,
// metrics. The topics have to be there, and the state directory must not.
//
// Runs until SIGTERM or SIGINT; then its last line of output has its figures as JSON.

#include <librdkafka/rdkafka.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <boost/unordered/unordered_flat_map.hpp>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "bench/floor_inbox.h"
#include "bench/floor_json.h"
#include "bench/floor_kafka.h"

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::string_view kUsage =
    "usage: floor_rows --brokers HOST:PORT --group ID --from TOPIC --to TOPIC --state-dir DIR\n"
    "                  [--users users] [--changelog GROUP-inbox-changelog] [--partitions 4]\n"
    "                  [--threads 1] [--commit-interval-ms 100] [--check ITEMS]\n"
    "  --check  at the end, count all rows, and read back so many items of each partition\n";
constexpr size_t kBatchRecordsMax = 2000;
constexpr int kPollMs = 10;
constexpr int kQueueFullPollMs = 10;
/// Delivery reports are served at least each so many records.
constexpr uint32_t kServeEvery = 256;

struct Flags {
  std::string brokers;
  std::string group;
  std::string from;
  std::string to;
  std::string users = "users";
  std::string changelog;
  std::string state_dir;
  int partitions = 4;
  int threads = 1;
  int commit_interval_ms = 100;
  int check = 0;
};

/// What one thread, or all of them, did.
struct Figures {
  uint64_t events = 0;
  uint64_t refused = 0;
  uint64_t notifications_written = 0;
  uint64_t notifications_read = 0;
  uint64_t changelog_records = 0;
  uint64_t rows = 0;
  uint64_t commits = 0;
  std::chrono::duration<double> committing{};
  FloorInbox::Checked checked;
};

struct TextHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};
using Users = boost::unordered_flat_map<std::string, FloorUser, TextHash, std::equal_to<>>;

/// Kafka's own partitioner.
int32_t PartitionOf(std::string_view key, int partitions) {
  constexpr uint32_t kMultiplier = 0x5bd1e995;
  const auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<uint8_t>(key[i])); };
  uint32_t hash = 0x9747b28cU ^ static_cast<uint32_t>(key.size());
  const size_t whole = key.size() / 4 * 4;
  for (size_t i = 0; i < whole; i += 4) {
    uint32_t word = byte(i) | byte(i + 1) << 8 | byte(i + 2) << 16 | byte(i + 3) << 24;
    word *= kMultiplier;
    word ^= word >> 24;
    hash = hash * kMultiplier ^ word * kMultiplier;
  }
  if (key.size() - whole == 3) hash ^= byte(whole + 2) << 16;
  if (key.size() - whole >= 2) hash ^= byte(whole + 1) << 8;
  if (key.size() > whole) hash = (hash ^ byte(whole)) * kMultiplier;
  hash = (hash ^ hash >> 13) * kMultiplier;
  hash ^= hash >> 15;
  return static_cast<int32_t>((hash & 0x7fffffffU) % static_cast<uint32_t>(partitions));
}

/// All of topic `users`, as it is now.
Users ReadUsers(const Flags& flags) {
  const Handle consumer = NewConsumer({{"bootstrap.servers", flags.brokers},
                                       {"group.id", flags.group + "-users"},
                                       {"enable.auto.commit", "false"},
                                       {"enable.partition.eof", "true"},
                                       {"fetch.wait.max.ms", "10"}},
                                      nullptr, nullptr);
  rd_kafka_poll_set_consumer(consumer.get());
  const PartitionList all(rd_kafka_topic_partition_list_new(flags.partitions));
  rd_kafka_topic_partition_list_add_range(all.get(), flags.users.c_str(), 0, flags.partitions - 1);
  for (int i = 0; i < all->cnt; ++i) all->elems[i].offset = RD_KAFKA_OFFSET_BEGINNING;
  Check(rd_kafka_assign(consumer.get(), all.get()), "assign");
  Users users;
  FloorReader reader;
  for (int ended = 0; ended < flags.partitions;) {
    const Owned<rd_kafka_message_t, rd_kafka_message_destroy> message(
        rd_kafka_consumer_poll(consumer.get(), kCallTimeoutMs));
    if (message == nullptr) Die("users", "no answer");
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      ++ended;
      continue;
    }
    Check(message->err, "users");
    FloorUser user;
    if (message->payload == nullptr) {
      users.erase(std::string(Key(*message)));
    } else if (reader.ReadUser(Key(*message), Value(*message), user)) {
      users.insert_or_assign(std::string(Key(*message)), std::move(user));
    }
  }
  return users;
}

/// One member of the group with its producer and its partitions' inboxes. Threads: one.
class Worker {
 public:
  /// `assigned` is how many partitions each worker has, by slot; shared by all.
  Worker(const Flags& flags, const Users& users, const FloorMemory& memory,
         std::vector<std::atomic<int>>& assigned, int slot);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  Figures Run(const std::stop_token& stop);

 private:
  static void OnRebalance(rd_kafka_t* consumer, rd_kafka_resp_err_t what,
                          rd_kafka_topic_partition_list_t* partitions, void* opaque);
  static void OnDelivery(rd_kafka_t* producer, const rd_kafka_message_t* message, void* opaque);
  TopicHandle NewTopic(const std::string& name);
  bool WaitForBalance(const std::stop_token& stop);
  void Process(const rd_kafka_message_t& message);
  void ProcessEvent(const rd_kafka_message_t& message, int64_t timestamp_ms);
  void Produce(rd_kafka_topic_t* topic, int32_t partition, std::string_view key,
               std::optional<std::string_view> value);
  void Commit();

  const Flags& flags_;
  const Users& users_;
  const FloorMemory& memory_;
  std::vector<std::atomic<int>>& assigned_;
  const size_t slot_;
  bool working_ = false;
  Handle producer_;
  Handle consumer_;
  TopicHandle notifications_;
  TopicHandle changelog_;
  Queue queue_;
  /// By partition; only this worker's are there.
  std::vector<std::unique_ptr<FloorInbox>> inboxes_;
  /// By partition: the last offset that the changelog has.
  std::vector<int64_t> delivered_;
  FloorReader reader_;
  FloorWriter writer_;
  FloorEvent event_;
  FloorNotification notification_;
  Figures figures_;
  uint32_t produced_ = 0;
  bool in_transaction_ = false;
};

Worker::Worker(const Flags& flags, const Users& users, const FloorMemory& memory,
               std::vector<std::atomic<int>>& assigned, int slot)
    : flags_(flags),
      users_(users),
      memory_(memory),
      assigned_(assigned),
      slot_(static_cast<size_t>(slot)),
      inboxes_(static_cast<size_t>(flags.partitions)),
      delivered_(static_cast<size_t>(flags.partitions), -1) {
  const std::string name = flags.group + "-" + std::to_string(slot);
  producer_ = NewProducer({{"bootstrap.servers", flags.brokers},
                           {"transactional.id", name},
                           {"transaction.timeout.ms", "60000"},
                           {"acks", "all"},
                           {"linger.ms", "20"},
                           {"retry.backoff.ms", "2"},
                           {"compression.codec", "none"},
                           {"queue.buffering.max.kbytes", "65536"},
                           {"queue.buffering.max.messages", "1000000"}},
                          this, OnDelivery);
  Check(rd_kafka_init_transactions(producer_.get(), kCallTimeoutMs), "init_transactions");
  notifications_ = NewTopic(flags.to);
  changelog_ = NewTopic(flags.changelog);

  consumer_ = NewConsumer({{"bootstrap.servers", flags.brokers},
                           {"group.id", flags.group},
                           {"group.instance.id", name},
                           {"enable.auto.commit", "false"},
                           {"enable.auto.offset.store", "false"},
                           {"auto.offset.reset", "earliest"},
                           {"isolation.level", "read_committed"},
                           {"partition.assignment.strategy", "range"},
                           {"heartbeat.interval.ms", "500"},
                           {"fetch.queue.backoff.ms", "1"},
                           {"fetch.wait.max.ms", "10"},
                           {"fetch.max.bytes", "8388608"},
                           {"queued.max.messages.kbytes", "16384"}},
                          this, OnRebalance);
  rd_kafka_poll_set_consumer(consumer_.get());
  queue_.reset(rd_kafka_queue_get_consumer(consumer_.get()));
  const PartitionList topics(rd_kafka_topic_partition_list_new(2));
  rd_kafka_topic_partition_list_add(topics.get(), flags.from.c_str(), RD_KAFKA_PARTITION_UA);
  rd_kafka_topic_partition_list_add(topics.get(), flags.to.c_str(), RD_KAFKA_PARTITION_UA);
  Check(rd_kafka_subscribe(consumer_.get(), topics.get()), "subscribe");
}

Worker::~Worker() {
  working_ = false;
  queue_.reset();
  rd_kafka_consumer_close(consumer_.get());
  notifications_.reset();
  changelog_.reset();
}

TopicHandle Worker::NewTopic(const std::string& name) {
  TopicHandle topic(rd_kafka_topic_new(producer_.get(), name.c_str(), nullptr));
  // Without it the first record would wait a second for the topic's metadata.
  const rd_kafka_metadata_t* metadata = nullptr;
  Check(rd_kafka_metadata(producer_.get(), 0, topic.get(), &metadata, kCallTimeoutMs), "metadata");
  const int partitions = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
  rd_kafka_metadata_destroy(metadata);
  if (partitions != flags_.partitions) Die(name, "it has not as many partitions as --partitions");
  return topic;
}

void Worker::OnDelivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
  Check(message->err, "delivering");
  auto& worker = *static_cast<Worker*>(opaque);
  if (message->rkt != worker.changelog_.get()) return;
  int64_t& last = worker.delivered_[static_cast<size_t>(message->partition)];
  last = std::max(last, message->offset);
}

void Worker::OnRebalance(rd_kafka_t* consumer, rd_kafka_resp_err_t what,
                         rd_kafka_topic_partition_list_t* partitions, void* opaque) {
  auto& worker = *static_cast<Worker*>(opaque);
  // Nobody comes or goes once all are there, so there is no need to hand anything over.
  if (worker.working_) Die("the group", "it was rebalanced while working");
  if (what == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
    Check(rd_kafka_assign(consumer, partitions), "assign");
    Check(rd_kafka_pause_partitions(consumer, partitions), "pause");
    worker.assigned_[worker.slot_] = partitions->cnt;
  } else {
    Check(rd_kafka_assign(consumer, nullptr), "unassign");
    worker.assigned_[worker.slot_] = 0;
  }
}

/// Until each worker has its share; false when it is to stop.
bool Worker::WaitForBalance(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    rd_kafka_message_t* message = nullptr;
    if (rd_kafka_consume_batch_queue(queue_.get(), kPollMs, &message, 1) > 0) {
      Die("consuming", rd_kafka_message_errstr(message));
    }
    int sum = 0;
    bool all = true;
    for (const std::atomic<int>& count : assigned_) {
      sum += count;
      all = all && count > 0;
    }
    if (!all || sum != 2 * flags_.partitions) continue;
    rd_kafka_topic_partition_list_t* assigned = nullptr;
    Check(rd_kafka_assignment(consumer_.get(), &assigned), "assignment");
    const PartitionList partitions(assigned);
    for (int i = 0; i < partitions->cnt; ++i) {
      if (partitions->elems[i].topic != flags_.to) continue;
      const int32_t partition = partitions->elems[i].partition;
      inboxes_[static_cast<size_t>(partition)] = std::make_unique<FloorInbox>(
          std::filesystem::path(flags_.state_dir) / std::to_string(partition), memory_);
    }
    Check(rd_kafka_resume_partitions(consumer_.get(), partitions.get()), "resume");
    working_ = true;
    return true;
  }
  return false;
}

void Worker::Produce(rd_kafka_topic_t* topic, int32_t partition, std::string_view key,
                     std::optional<std::string_view> value) {
  if (++produced_ % kServeEvery == 0) rd_kafka_poll(producer_.get(), 0);
  // librdkafka reads the bytes only, but its interface says void*.
  char* const bytes = value ? const_cast<char*>(value->data()) : nullptr;
  while (rd_kafka_produce(topic, partition, RD_KAFKA_MSG_F_COPY, bytes, value ? value->size() : 0,
                          key.data(), key.size(), nullptr) != 0) {
    if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
      Die("producing", rd_kafka_err2str(rd_kafka_last_error()));
    }
    rd_kafka_poll(producer_.get(), kQueueFullPollMs);
  }
}

void Worker::ProcessEvent(const rd_kafka_message_t& message, int64_t timestamp_ms) {
  ++figures_.events;
  const FloorPlace place{flags_.from, message.partition, message.offset, timestamp_ms};
  if (!reader_.ReadEvent(Value(message), place, event_)) {
    ++figures_.refused;
    return;
  }
  if (event_.targets.empty()) return;
  const auto actor = users_.find(event_.actor);
  writer_.StartEvent(event_, actor == users_.end() ? nullptr : &actor->second, place);
  for (const std::string_view recipient : event_.targets) {
    Produce(notifications_.get(), PartitionOf(recipient, flags_.partitions), recipient,
            writer_.Write(event_, recipient));
    ++figures_.notifications_written;
  }
}

void Worker::Process(const rd_kafka_message_t& message) {
  if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    Die("consuming", rd_kafka_message_errstr(&message));
  }
  if (!std::exchange(in_transaction_, true)) {
    Check(rd_kafka_begin_transaction(producer_.get()), "begin_transaction");
  }
  rd_kafka_timestamp_type_t type{};
  const int64_t timestamp_ms = rd_kafka_message_timestamp(&message, &type);
  if (rd_kafka_topic_name(message.rkt) == flags_.from) {
    ProcessEvent(message, timestamp_ms);
    return;
  }
  ++figures_.notifications_read;
  if (!reader_.ReadNotification(Key(message), Value(message), notification_)) {
    ++figures_.refused;
    return;
  }
  inboxes_[static_cast<size_t>(message.partition)]->Apply(notification_, timestamp_ms);
}

void Worker::Commit() {
  const Clock::time_point started = Clock::now();
  for (int32_t partition = 0; partition < flags_.partitions; ++partition) {
    FloorInbox* const inbox = inboxes_[static_cast<size_t>(partition)].get();
    if (inbox == nullptr || !inbox->has_pending()) continue;
    const auto rows = inbox->Prepare();
    for (const FloorInbox::Row& row : rows) {
      Produce(changelog_.get(), partition, inbox->Key(row), inbox->Value(row));
    }
    figures_.changelog_records += rows.size();
  }
  rd_kafka_topic_partition_list_t* assigned = nullptr;
  Check(rd_kafka_assignment(consumer_.get(), &assigned), "assignment");
  const PartitionList positions(assigned);
  Check(rd_kafka_position(consumer_.get(), positions.get()), "position");
  // A partition that nothing was read from yet has no position.
  for (int i = positions->cnt - 1; i >= 0; --i) {
    if (positions->elems[i].offset < 0) {
      rd_kafka_topic_partition_list_del_by_idx(positions.get(), i);
    }
  }
  const GroupMetadata group(rd_kafka_consumer_group_metadata(consumer_.get()));
  Check(rd_kafka_send_offsets_to_transaction(producer_.get(), positions.get(), group.get(),
                                             kCallTimeoutMs),
        "send_offsets_to_transaction");
  Check(rd_kafka_commit_transaction(producer_.get(), kCallTimeoutMs), "commit_transaction");
  in_transaction_ = false;
  for (int i = 0; i < positions->cnt; ++i) {
    const rd_kafka_topic_partition_t& input = positions->elems[i];
    const auto partition = static_cast<size_t>(input.partition);
    if (input.topic != flags_.to || !inboxes_[partition]->has_pending()) continue;
    inboxes_[partition]->Write({{{"input", input.offset}, {"changelog", delivered_[partition]}}});
  }
  ++figures_.commits;
  figures_.committing += Clock::now() - started;
}

Figures Worker::Run(const std::stop_token& stop) {
  const milliseconds interval(flags_.commit_interval_ms);
  std::vector<rd_kafka_message_t*> messages(kBatchRecordsMax);
  if (!WaitForBalance(stop)) return figures_;
  Clock::time_point last_commit = Clock::now();
  while (!stop.stop_requested()) {
    const ssize_t count = rd_kafka_consume_batch_queue(queue_.get(), in_transaction_ ? 0 : kPollMs,
                                                       messages.data(), messages.size());
    for (ssize_t i = 0; i < count; ++i) {
      rd_kafka_message_t* message = messages[static_cast<size_t>(i)];
      Process(*message);
      rd_kafka_message_destroy(message);
    }
    rd_kafka_poll(producer_.get(), 0);
    // Like Herald: when the interval is over, or at once when the input has run dry.
    if (in_transaction_ && (count <= 0 || Clock::now() - last_commit >= interval)) {
      Commit();
      last_commit = Clock::now();
    }
  }
  if (in_transaction_) Commit();
  for (const std::unique_ptr<FloorInbox>& inbox : inboxes_) {
    if (inbox == nullptr) continue;
    figures_.rows += inbox->rows_written();
    if (flags_.check == 0) continue;
    const FloorInbox::Checked checked = inbox->Check(static_cast<uint64_t>(flags_.check));
    figures_.checked.items += checked.items;
    figures_.checked.tombstones += checked.tombstones;
    figures_.checked.recipients += checked.recipients;
    figures_.checked.read_back += checked.read_back;
  }
  return figures_;
}

bool ParseNumber(std::string_view text, int& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && number > 0;
}

bool SetFlag(Flags& flags, std::string_view name, std::string_view value) {
  if (name == "--brokers")
    flags.brokers = value;
  else if (name == "--group")
    flags.group = value;
  else if (name == "--from")
    flags.from = value;
  else if (name == "--to")
    flags.to = value;
  else if (name == "--users")
    flags.users = value;
  else if (name == "--changelog")
    flags.changelog = value;
  else if (name == "--state-dir")
    flags.state_dir = value;
  else if (name == "--partitions")
    return ParseNumber(value, flags.partitions);
  else if (name == "--threads")
    return ParseNumber(value, flags.threads);
  else if (name == "--commit-interval-ms")
    return ParseNumber(value, flags.commit_interval_ms);
  else if (name == "--check")
    return ParseNumber(value, flags.check);
  else
    return false;
  return true;
}

void Print(const Figures& sum, size_t users, bool checked) {
  const auto number = [](const char* name, uint64_t value) {
    std::printf("\"%s\":%llu,", name, static_cast<unsigned long long>(value));
  };
  std::fputs("{", stdout);
  number("records", sum.events);
  number("refused", sum.refused);
  number("users", users);
  number("notifications", sum.notifications_read);
  number("notifications_written", sum.notifications_written);
  number("changelog_records", sum.changelog_records);
  number("rows", sum.rows);
  if (checked) {
    number("items", sum.checked.items);
    number("tombstones", sum.checked.tombstones);
    number("recipients", sum.checked.recipients);
    number("read_back", sum.checked.read_back);
  }
  number("commits", sum.commits);
  const double mean_ms =
      sum.commits == 0 ? 0 : 1000 * sum.committing.count() / static_cast<double>(sum.commits);
  std::printf("\"commit_mean_ms\":%.3f}\n", mean_ms);
}

int Main(int argc, char** argv) {
  Flags flags;
  bool understood = argc % 2 == 1;
  for (int i = 1; understood && i < argc; i += 2) understood = SetFlag(flags, argv[i], argv[i + 1]);
  if (!understood || flags.brokers.empty() || flags.group.empty() || flags.from.empty() ||
      flags.to.empty() || flags.state_dir.empty() || flags.threads > flags.partitions) {
    std::fputs(kUsage.data(), stderr);
    return 2;
  }
  if (flags.changelog.empty()) flags.changelog = flags.group + "-inbox-changelog";
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);  // for librdkafka's and RocksDB's threads, too

  const FloorMemory memory;
  const Users users = ReadUsers(flags);
  std::vector<Figures> done(static_cast<size_t>(flags.threads));
  std::vector<std::atomic<int>> assigned(done.size());
  std::vector<std::jthread> threads;
  for (int slot = 0; slot < flags.threads; ++slot) {
    threads.emplace_back([&, slot](const std::stop_token& stop) {
      done[static_cast<size_t>(slot)] = Worker(flags, users, memory, assigned, slot).Run(stop);
    });
  }
  int signal = 0;
  sigwait(&ends, &signal);
  for (std::jthread& thread : threads) thread.request_stop();
  threads.clear();

  Figures sum;
  for (const Figures& each : done) {
    sum.events += each.events;
    sum.refused += each.refused;
    sum.notifications_written += each.notifications_written;
    sum.notifications_read += each.notifications_read;
    sum.changelog_records += each.changelog_records;
    sum.rows += each.rows;
    sum.commits += each.commits;
    sum.committing += each.committing;
    sum.checked.items += each.checked.items;
    sum.checked.tombstones += each.checked.tombstones;
    sum.checked.recipients += each.checked.recipients;
    sum.checked.read_back += each.checked.read_back;
  }
  Print(sum, users.size(), flags.check > 0);
  return 0;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) { return bench::Main(argc, argv); }
