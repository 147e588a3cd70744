#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/ids.h"
#include "base/mutex.h"
#include "base/status.h"
#include "pipeline/crash_mark.h"
#include "pipeline/global_table.h"
#include "pipeline/instance_directory.h"
#include "pipeline/kafka_client.h"

namespace pipeline {

/// Which record of each partition was in hand when stream threads came to their end, and how often
/// in a row, over all instances and restarts: so that one record that kills whoever touches it does
/// not take down one instance after the other.
///
/// What is counted is written to topic "<application id>-instances", under
/// "crashed/TOPIC/PARTITION", before the thread that counted goes on; the others read it from
/// there.
///
/// Threads: any.
class CrashLedger {
 public:
  /// `table` is that topic's; nullptr (no other instances): counts in this process alone.
  /// All are borrowed and outlive this.
  CrashLedger(KafkaClients& clients, const GlobalTable<InstanceRecord>* table,
              int32_t table_partitions);

  /// A thread came to its end with `place` in hand. `run` (of the mark) is counted once, however
  /// often it is told. `topic_id` is the incarnation of the topic. Waits until it is written.
  /// Returns the number of times in a row. Errors: Unavailable (tell it again).
  base::Result<int> Crashed(const RecordPlace& place, const std::string& topic_id, uint64_t run,
                            milliseconds timeout);

  /// What is known of `tp`, of this incarnation of its topic.
  struct Count {
    base::Offset offset;
    int times = 0;
  };
  std::optional<Count> Find(const base::TopicPartition& tp, const std::string& topic_id) const;

 private:
  std::optional<CrashedRecord> Newest(const base::TopicPartition& tp,
                                      const std::string& topic_id) const REQUIRES(mutex_);
  base::Status Write(const std::string& key, const std::string& value, milliseconds timeout)
      EXCLUDES(mutex_);

  KafkaClients& clients_;
  const GlobalTable<InstanceRecord>* const table_;
  const int32_t table_partitions_;
  mutable base::Mutex mutex_;
  /// Made when there is something to write.
  std::unique_ptr<AsyncProducer> producer_ GUARDED_BY(mutex_);
  /// What this process has counted; the table may not show it yet.
  std::map<base::TopicPartition, CrashedRecord> counted_ GUARDED_BY(mutex_);
};

}  // namespace pipeline
