#include "pipeline/monitor_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

struct Row {};

}  // namespace

template <>
struct pipeline::Serde<Row> {
  base::Result<Row> Decode(const RawRecord&) { return Row{}; }
};

namespace pipeline {
namespace {

using testing::HasSubstr;
using testing::Not;

class UseInbox : public Processor<Row, Nothing> {
 public:
  explicit UseInbox(state::KeyValueStore& inbox) : inbox_(inbox) {}
  base::Status Process(Record<Row>, Context<Nothing>&) override { return base::Status::Ok(); }

 private:
  [[maybe_unused]] state::KeyValueStore& inbox_;
};

Topology Inboxes() {
  TopologyBuilder builder;
  builder.Source<Row>("decode-event", "events");
  auto inbox = builder.Store("inbox");
  builder.Source<Row>("decode-notification", "notifications")
      .Process<UseInbox>("write-inbox", inbox);
  builder.Source<Row>("decode-action", "inbox-actions").Process<UseInbox>("apply-action", inbox);
  return builder.Build();
}

class MonitorMetricsTest : public testing::Test {
 protected:
  static TaskReport InboxTask(int32_t partition, TaskPhase phase) {
    TaskReport report;
    report.id = {1, {partition}};
    report.phase = phase;
    for (const char* topic : {"notifications", "inbox-actions"}) {
      report.inputs.emplace_back(base::TopicPartition{topic, {partition}}, base::Offset{5});
      report.timestamps_ms.push_back(90'000);
    }
    return report;
  }

  base::Metrics metrics_;
  const Topology topology_ = Inboxes();
  MonitorMetrics monitor_{metrics_, topology_};
};

TEST_F(MonitorMetricsTest, CountTasksByPhaseAndPartitionsByTopic) {
  std::string text = metrics_.Serialize();
  EXPECT_THAT(text, HasSubstr("herald_tasks{phase=\"running\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("herald_assigned_partitions{topic=\"events\"} 0\n"));

  monitor_.SetTasks(std::vector{InboxTask(0, TaskPhase::kRunning),
                                InboxTask(1, TaskPhase::kRestoring),
                                InboxTask(2, TaskPhase::kSuspended)});
  text = metrics_.Serialize();
  EXPECT_THAT(text, HasSubstr("herald_tasks{phase=\"running\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("herald_tasks{phase=\"restoring\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("herald_tasks{phase=\"suspended\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("herald_assigned_partitions{topic=\"notifications\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("herald_assigned_partitions{topic=\"events\"} 0\n"));
}

TEST_F(MonitorMetricsTest, SayWhatIsLeftToRestoreAsLongAsTheTaskIsHere) {
  TaskReport restoring = InboxTask(3, TaskPhase::kRestoring);
  restoring.restore_remaining["inbox"] = 42;
  monitor_.SetTasks({&restoring, 1});
  EXPECT_THAT(metrics_.Serialize(),
              HasSubstr("herald_restore_remaining_records{partition=\"3\",store=\"inbox\"} 42\n"));
  const TaskReport running = InboxTask(3, TaskPhase::kRunning);
  monitor_.SetTasks({&running, 1});
  EXPECT_THAT(metrics_.Serialize(),
              HasSubstr("herald_restore_remaining_records{partition=\"3\",store=\"inbox\"} 0\n"));
  monitor_.SetTasks({});
  EXPECT_THAT(metrics_.Serialize(), Not(HasSubstr("herald_restore_remaining_records{")));
}

TEST_F(MonitorMetricsTest, SayHowManyRecordsWaitAndForHowLong) {
  const TaskReport report = InboxTask(0, TaskPhase::kRunning);
  monitor_.SetLag({{{"notifications", {0}}, 7}, {{"inbox-actions", {0}}, 0}}, {&report, 1}, 92'500);
  std::string text = metrics_.Serialize();
  EXPECT_THAT(
      text, HasSubstr("herald_consumer_lag_records{partition=\"0\",topic=\"notifications\"} 7\n"));
  EXPECT_THAT(
      text,
      HasSubstr("herald_consumer_lag_seconds{partition=\"0\",topic=\"notifications\"} 2.5\n"));
  EXPECT_THAT(
      text, HasSubstr("herald_consumer_lag_seconds{partition=\"0\",topic=\"inbox-actions\"} 0\n"));
  monitor_.SetLag({}, {}, 93'000);
  text = metrics_.Serialize();
  EXPECT_THAT(text, Not(HasSubstr("herald_consumer_lag_records{")));
  EXPECT_THAT(text, Not(HasSubstr("herald_consumer_lag_seconds{")));
}

TEST_F(MonitorMetricsTest, FollowTheDatabases) {
  state::DatabaseFigures figures;
  figures.databases = 2;
  figures.stores["inbox"] = {.rows = 10, .bytes = 1000};
  figures.block_cache_hits = 5;
  figures.write_stalls = std::chrono::milliseconds(1500);
  monitor_.SetDatabases(figures);
  figures.block_cache_hits = 8;
  figures.stopped_databases = 1;
  monitor_.SetDatabases(figures);
  const std::string text = metrics_.Serialize();
  EXPECT_THAT(text, HasSubstr("herald_rocksdb_databases 2\n"));
  EXPECT_THAT(text, HasSubstr("herald_store_rows{store=\"inbox\"} 10\n"));
  EXPECT_THAT(text, HasSubstr("herald_store_bytes{store=\"inbox\"} 1000\n"));
  EXPECT_THAT(text, HasSubstr("herald_rocksdb_block_cache_hits_total 8\n"));
  EXPECT_THAT(text, HasSubstr("herald_rocksdb_write_stall_seconds_total 1.5\n"));
  EXPECT_THAT(text, HasSubstr("herald_rocksdb_stopped_databases 1\n"));
}

TEST_F(MonitorMetricsTest, KnowTheDisk) {
  monitor_.SetDisk(100, 1000, 10);
  const std::string text = metrics_.Serialize();
  EXPECT_THAT(text, HasSubstr("herald_disk_free_bytes 100\n"));
  EXPECT_THAT(text, HasSubstr("herald_disk_size_bytes 1000\n"));
  EXPECT_THAT(text, HasSubstr("herald_disk_reserve_bytes 10\n"));
}

}  // namespace
}  // namespace pipeline
