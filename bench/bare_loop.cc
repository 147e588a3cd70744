// bare_loop: the least that any stream processor on Kafka has to do, for bench/run to compare with.
// Reads a topic as a member of a group and copies each record to another one, the inputs' positions
// in the same transactions. librdkafka alone, with the settings that Herald uses; no state, no
// JSON.
//
// Runs until SIGTERM or SIGINT; then its last line of output has its figures as JSON.

#include <librdkafka/rdkafka.h>
#include <signal.h>

#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "bench/floor_kafka.h"

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::string_view kUsage =
    "usage: bare_loop --brokers HOST:PORT --group ID --from TOPIC --to TOPIC [--partitions 4]\n"
    "                 [--threads 1] [--commit-interval-ms 100]\n";
constexpr size_t kBatchRecordsMax = 2000;
constexpr int kPollMs = 10;
constexpr int kQueueFullPollMs = 10;

struct Flags {
  std::string brokers;
  std::string group;
  std::string from;
  std::string to;
  int partitions = 4;
  int threads = 1;
  int commit_interval_ms = 100;
};

/// What one thread, or all of them, did.
struct Figures {
  uint64_t records = 0;
  uint64_t commits = 0;
  std::chrono::duration<double> committing{};
};

void CheckDelivery(rd_kafka_t*, const rd_kafka_message_t* message, void*) {
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) Die("delivering", rd_kafka_err2str(message->err));
}

/// One member of the group with its transactional producer. Threads: one.
class Copier {
 public:
  /// `assigned` is how many partitions each copier has, by slot; shared by all.
  Copier(const Flags& flags, std::vector<std::atomic<int>>& assigned, int slot);
  ~Copier();
  Copier(const Copier&) = delete;
  Copier& operator=(const Copier&) = delete;

  Figures Run(const std::stop_token& stop);

 private:
  static void OnRebalance(rd_kafka_t* consumer, rd_kafka_resp_err_t what,
                          rd_kafka_topic_partition_list_t* partitions, void* opaque);
  bool WaitForBalance(const std::stop_token& stop);
  void Copy(const rd_kafka_message_t& message);
  void Commit();

  const Flags& flags_;
  std::vector<std::atomic<int>>& assigned_;
  const size_t slot_;
  bool copying_ = false;
  Handle producer_;
  Handle consumer_;
  TopicHandle to_;
  Queue queue_;
  Figures figures_;
  bool in_transaction_ = false;
};

Copier::Copier(const Flags& flags, std::vector<std::atomic<int>>& assigned, int slot)
    : flags_(flags), assigned_(assigned), slot_(static_cast<size_t>(slot)) {
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
                          nullptr, CheckDelivery);
  Check(rd_kafka_init_transactions(producer_.get(), kCallTimeoutMs), "init_transactions");
  to_.reset(rd_kafka_topic_new(producer_.get(), flags.to.c_str(), nullptr));
  // Without it the first record would wait a second for the topic's metadata.
  const rd_kafka_metadata_t* metadata = nullptr;
  Check(rd_kafka_metadata(producer_.get(), 0, to_.get(), &metadata, kCallTimeoutMs), "metadata");
  rd_kafka_metadata_destroy(metadata);

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
  const PartitionList topics(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(topics.get(), flags.from.c_str(), RD_KAFKA_PARTITION_UA);
  Check(rd_kafka_subscribe(consumer_.get(), topics.get()), "subscribe");
}

Copier::~Copier() {
  copying_ = false;
  queue_.reset();
  rd_kafka_consumer_close(consumer_.get());
  to_.reset();
}

void Copier::OnRebalance(rd_kafka_t* consumer, rd_kafka_resp_err_t what,
                         rd_kafka_topic_partition_list_t* partitions, void* opaque) {
  auto& copier = *static_cast<Copier*>(opaque);
  // Nobody comes or goes once all are there, so there is no need to hand anything over.
  if (copier.copying_) Die("the group", "it was rebalanced while copying");
  if (what == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
    Check(rd_kafka_assign(consumer, partitions), "assign");
    Check(rd_kafka_pause_partitions(consumer, partitions), "pause");
    copier.assigned_[copier.slot_] = partitions->cnt;
  } else {
    Check(rd_kafka_assign(consumer, nullptr), "unassign");
    copier.assigned_[copier.slot_] = 0;
  }
}

/// Until each copier has its share; false when it is to stop.
bool Copier::WaitForBalance(const std::stop_token& stop) {
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
    if (!all || sum != flags_.partitions) continue;
    rd_kafka_topic_partition_list_t* assigned = nullptr;
    Check(rd_kafka_assignment(consumer_.get(), &assigned), "assignment");
    const PartitionList partitions(assigned);
    Check(rd_kafka_resume_partitions(consumer_.get(), partitions.get()), "resume");
    copying_ = true;
    return true;
  }
  return false;
}

void Copier::Copy(const rd_kafka_message_t& message) {
  if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR)
    Die("consuming", rd_kafka_message_errstr(&message));
  if (!std::exchange(in_transaction_, true)) {
    Check(rd_kafka_begin_transaction(producer_.get()), "begin_transaction");
  }
  while (rd_kafka_produce(to_.get(), message.partition % flags_.partitions, RD_KAFKA_MSG_F_COPY,
                          message.payload, message.len, message.key, message.key_len,
                          nullptr) != 0) {
    if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
      Die("producing", rd_kafka_err2str(rd_kafka_last_error()));
    }
    rd_kafka_poll(producer_.get(), kQueueFullPollMs);
  }
  ++figures_.records;
}

void Copier::Commit() {
  const Clock::time_point started = Clock::now();
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
  ++figures_.commits;
  figures_.committing += Clock::now() - started;
}

Figures Copier::Run(const std::stop_token& stop) {
  const milliseconds interval(flags_.commit_interval_ms);
  std::vector<rd_kafka_message_t*> messages(kBatchRecordsMax);
  Clock::time_point last_commit = Clock::now();
  if (!WaitForBalance(stop)) return figures_;
  while (!stop.stop_requested()) {
    const ssize_t count = rd_kafka_consume_batch_queue(queue_.get(), in_transaction_ ? 0 : kPollMs,
                                                       messages.data(), messages.size());
    for (ssize_t i = 0; i < count; ++i) {
      rd_kafka_message_t* message = messages[static_cast<size_t>(i)];
      Copy(*message);
      rd_kafka_message_destroy(message);
    }
    rd_kafka_poll(producer_.get(), 0);
    // Like Herald: when the interval is over, or at once when the input has run dry.
    if (in_transaction_ && (count <= 0 || Clock::now() - last_commit >= interval)) {
      last_commit = Clock::now();
      Commit();
    }
  }
  if (in_transaction_) Commit();
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
  else if (name == "--partitions")
    return ParseNumber(value, flags.partitions);
  else if (name == "--threads")
    return ParseNumber(value, flags.threads);
  else if (name == "--commit-interval-ms")
    return ParseNumber(value, flags.commit_interval_ms);
  else
    return false;
  return true;
}

int Main(int argc, char** argv) {
  Flags flags;
  bool understood = argc % 2 == 1;
  for (int i = 1; understood && i < argc; i += 2) understood = SetFlag(flags, argv[i], argv[i + 1]);
  if (!understood || flags.brokers.empty() || flags.group.empty() || flags.from.empty() ||
      flags.to.empty() || flags.threads > flags.partitions) {
    std::fputs(kUsage.data(), stderr);
    return 2;
  }
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);  // for librdkafka's threads, too

  std::vector<Figures> done(static_cast<size_t>(flags.threads));
  std::vector<std::atomic<int>> assigned(done.size());
  std::vector<std::jthread> threads;
  for (int slot = 0; slot < flags.threads; ++slot) {
    threads.emplace_back([&, slot](const std::stop_token& stop) {
      done[static_cast<size_t>(slot)] = Copier(flags, assigned, slot).Run(stop);
    });
  }
  int signal = 0;
  sigwait(&ends, &signal);
  for (std::jthread& thread : threads) thread.request_stop();
  threads.clear();

  Figures sum;
  for (const Figures& each : done) {
    sum.records += each.records;
    sum.commits += each.commits;
    sum.committing += each.committing;
  }
  const double mean_ms =
      sum.commits == 0 ? 0 : 1000 * sum.committing.count() / static_cast<double>(sum.commits);
  std::printf("{\"records\":%llu,\"commits\":%llu,\"commit_mean_ms\":%.3f}\n",
              static_cast<unsigned long long>(sum.records),
              static_cast<unsigned long long>(sum.commits), mean_ms);
  return 0;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) { return bench::Main(argc, argv); }
