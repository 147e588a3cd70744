#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/status.h"
#include "pipeline/dead_letter.h"
#include "pipeline/kafka_client.h"

namespace pipeline {

/// Records, and bytes of them, that are replayed in one transaction.
inline constexpr size_t kReplayedRecordsMax = 500;
inline constexpr size_t kReplayedBytesMax = size_t{8} << 20;
/// Marks of letters that are no longer there which are deleted in one run.
inline constexpr size_t kForgottenMarksMax = 10'000;

/// What somebody has decided about a dead letter.
enum class DeadLetterMark { kNone, kReplayed, kDropped };

/// "", "replayed", "dropped".
std::string_view DeadLetterMarkName(DeadLetterMark mark);

/// Which dead letters; what is not set lets all through.
struct DeadLetterFilter {
  /// Partition and offset on the dead-letters topic.
  std::vector<std::pair<base::Partition, base::Offset>> letters;
  /// The code of the reason, "not-json".
  std::string reason;
  std::string stage;
  /// Of the record that was refused.
  std::string topic;
  std::optional<base::Partition> partition;
  std::optional<base::Offset> offset;
  /// When it was refused: at this time or later, before that time; milliseconds since the epoch.
  std::optional<int64_t> since_ms;
  std::optional<int64_t> until_ms;
  /// Those too that have a mark.
  bool marked = false;
};

struct DeadLetterTopicOptions {
  std::string topic;
  /// To which records may be replayed. A dead letter names its topic itself, and whoever may write
  /// to the dead letters may write any name.
  std::vector<std::string> inputs;
  /// Those of them of which the key decides the partition.
  std::vector<std::string> keyed_inputs;
  milliseconds request_timeout{30'000};
  /// Asked again and again during a replay or drop; true ends it behind the transaction that is
  /// under way.
  std::function<bool()> interrupted = [] { return false; };
};

/// The dead letters of one cluster: finds, replays and drops them.
///
/// A record of a topic that only time deletes from cannot be taken out, so what was decided stands
/// on a second topic, "<topic>-handled", compacted: a mark for each letter that was replayed or
/// dropped. A letter's replay and its mark are written in one transaction, whose id is the same for
/// whoever does it: so a letter is replayed once, also when this breaks off, is run again, or is
/// run by two.
///
/// Threads: one.
class DeadLetterTopic {
 public:
  /// All arguments outlive this.
  DeadLetterTopic(KafkaClients& clients, const base::Clock& clock, DeadLetterTopicOptions options);

  /// Looks how far the letters reach and which are marked. What is refused later is not seen.
  /// Errors: InvalidArgument when the topic does not exist; else as Admin and Consumer.
  base::Status Open();

  using Visit = std::function<base::Status(const DeadLetter& letter, const Headers& headers,
                                           DeadLetterMark mark)>;
  /// Calls `visit` for each letter that `filter` lets through, by partition in order of offset; the
  /// partitions come mixed. An error of `visit` ends it. REQUIRES: Open().
  base::Status Scan(const DeadLetterFilter& filter, const Visit& visit);

  /// Why a letter cannot be replayed: "" when it can.
  std::string WhyNotReplayed(const DeadLetter& letter) const;

  /// Writes the original bytes of all that `filter` lets through (without a mark, and only those
  /// that can be replayed) to the topics they came from, and marks them. `done` is called after
  /// each transaction with how many letters it had. What was marked since Open() is left out.
  ///
  /// Errors: InvalidArgument when a topic refuses a record; Lost when another run took over, or it
  /// is not known whether the last transaction was committed; Fatal when it was interrupted; else
  /// as Producer. What `done` has told stays done. If brokers answer no transaction is left open:
  /// it would hold up whoever reads what comes behind it on the same partitions.
  base::Status Replay(const DeadLetterFilter& filter, const std::function<void(size_t)>& done);
  /// The same, but only marks them.
  base::Status Drop(const DeadLetterFilter& filter, const std::function<void(size_t)>& done);

 private:
  struct Range {
    base::Offset from;
    base::Offset to;
  };
  using Ranges = std::map<base::TopicPartition, Range>;
  using VisitRecord = std::function<base::Status(const RawRecord& record, const Headers& headers)>;

  /// One transaction's worth.
  struct Batch {
    size_t records = 0;
    size_t bytes = 0;
    std::vector<std::string> names;
  };

  base::Status ReadRanges(const Ranges& ranges, bool with_headers, const VisitRecord& visit);
  base::Status LoadMarks(Isolation isolation);
  base::Status MakeMarksTopic();
  std::string MarkKey(const DeadLetter& letter) const;
  base::Status Handle(const DeadLetterFilter& filter, DeadLetterMark mark,
                      const std::function<void(size_t)>& done);
  base::Status Add(const DeadLetter& letter, DeadLetterMark mark, Batch& batch);
  base::Status ForgetMarks(Batch& batch);
  base::Status Commit(Batch& batch, const std::function<void(size_t)>& done);
  base::Status Abort(const Batch& batch, const base::Status& why);
  base::Status Begin(Batch& batch);

  KafkaClients& clients_;
  const base::Clock& clock_;
  const DeadLetterTopicOptions options_;
  const std::string marks_topic_;
  std::string topic_id_;
  Ranges ranges_;
  std::map<std::string, int32_t> input_partitions_;
  std::map<std::pair<base::Partition, base::Offset>, DeadLetterMark> marks_;
  /// Keys of marks whose letters are gone.
  std::vector<std::string> stale_marks_;
  std::unique_ptr<Producer> producer_;
  bool interrupted_ = false;
};

}  // namespace pipeline
