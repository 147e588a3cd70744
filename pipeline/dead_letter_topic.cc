#include "pipeline/dead_letter_topic.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "pipeline/partitioner.h"

namespace pipeline {
namespace {

constexpr milliseconds kPollWait{100};
constexpr size_t kPollRecordsMax = 1000;
constexpr char kMarksSuffix[] = "-handled";
constexpr char kTransactionalIdSuffix[] = "-tool";
/// The cluster's own default.
constexpr int32_t kReplicationOfCluster = -1;
constexpr int kMarkVersion = 1;

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// "ID/3/17", with the topic's id; nullopt for a key of another incarnation or another make.
std::optional<std::pair<base::Partition, base::Offset>> PlaceOfKey(std::string_view key,
                                                                   const std::string& topic_id) {
  if (!key.starts_with(topic_id + "/")) return std::nullopt;
  key.remove_prefix(topic_id.size() + 1);
  std::pair<base::Partition, base::Offset> place;
  const char* const end = key.data() + key.size();
  const auto partition = std::from_chars(key.data(), end, place.first.value);
  if (partition.ec != std::errc() || partition.ptr == end || *partition.ptr != '/') {
    return std::nullopt;
  }
  const auto offset = std::from_chars(partition.ptr + 1, end, place.second.value);
  if (offset.ec != std::errc() || offset.ptr != end) return std::nullopt;
  return place;
}

/// What cannot be read was marked all the same: better to leave a letter than to replay it twice.
DeadLetterMark MarkOf(std::string_view value) {
  const auto json = nlohmann::json::parse(value, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return DeadLetterMark::kReplayed;
  const auto it = json.find("handled");
  return it != json.end() && it->is_string() && *it == "dropped" ? DeadLetterMark::kDropped
                                                                  : DeadLetterMark::kReplayed;
}

bool LetsThrough(const DeadLetterFilter& filter, const DeadLetter& letter) {
  if (!filter.letters.empty() &&
      std::find(filter.letters.begin(), filter.letters.end(),
                std::pair(letter.partition, letter.offset)) == filter.letters.end()) {
    return false;
  }
  if (!filter.reason.empty() && ReasonCode(letter.reason) != filter.reason) return false;
  if (!filter.stage.empty() && letter.stage != filter.stage) return false;
  if (!filter.topic.empty() && letter.topic != filter.topic) return false;
  if (filter.partition.has_value() &&
      (!letter.original.has_value() || letter.original->partition != *filter.partition)) {
    return false;
  }
  if (filter.offset.has_value() &&
      (!letter.original.has_value() || letter.original->offset != *filter.offset)) {
    return false;
  }
  if (filter.since_ms.has_value() && letter.refused_ms < *filter.since_ms) return false;
  return !filter.until_ms.has_value() || letter.refused_ms < *filter.until_ms;
}

}  // namespace

std::string_view DeadLetterMarkName(DeadLetterMark mark) {
  switch (mark) {
    case DeadLetterMark::kReplayed:
      return "replayed";
    case DeadLetterMark::kDropped:
      return "dropped";
    default:
      return "";
  }
}

DeadLetterTopic::DeadLetterTopic(KafkaClients& clients, const base::Clock& clock,
                                 DeadLetterTopicOptions options)
    : clients_(clients),
      clock_(clock),
      options_(std::move(options)),
      marks_topic_(options_.topic + kMarksSuffix) {}

base::Status DeadLetterTopic::Open() {
  std::vector<std::string> names = options_.inputs;
  names.push_back(options_.topic);
  auto described = clients_.admin().DescribeTopics(names, options_.request_timeout);
  if (!described.ok()) return described.status();
  const auto own = described->find(options_.topic);
  if (own == described->end()) {
    return base::Status::InvalidArgument("topic " + options_.topic +
                                         " does not exist: is --topic-prefix right?");
  }
  topic_id_ = own->second.id;
  input_partitions_.clear();
  for (const std::string& input : options_.inputs) {
    const auto found = described->find(input);
    if (found != described->end()) input_partitions_[input] = found->second.partitions;
  }
  std::vector<base::TopicPartition> partitions;
  for (int32_t i = 0; i < own->second.partitions; ++i) {
    partitions.push_back({options_.topic, base::Partition{i}});
  }
  auto starts = clients_.admin().ListOffsets(partitions, OffsetSpec::kEarliest,
                                             Isolation::kReadCommitted, options_.request_timeout);
  if (!starts.ok()) return starts.status();
  // What an open transaction has written so far may come to nothing.
  auto ends = clients_.admin().ListOffsets(partitions, OffsetSpec::kLatest,
                                           Isolation::kReadCommitted, options_.request_timeout);
  if (!ends.ok()) return ends.status();
  ranges_.clear();
  for (const base::TopicPartition& tp : partitions) {
    const auto start = starts->find(tp);
    const auto end = ends->find(tp);
    if (start == starts->end() || end == ends->end()) continue;
    ranges_[tp] = {start->second, end->second};
  }
  return LoadMarks(Isolation::kReadCommitted);
}

base::Status DeadLetterTopic::ReadRanges(const Ranges& ranges, bool with_headers,
                                         const VisitRecord& visit) {
  std::vector<AssignedPartition> assigned;
  for (const auto& [tp, range] : ranges) {
    if (range.from < range.to) assigned.push_back({tp, range.from, false});
  }
  if (assigned.empty()) return base::Status::Ok();
  auto reader = clients_.NewReader(KafkaClients::ReaderUse::kCatchUp);
  if (!reader.ok()) return reader.status();
  RETURN_IF_ERROR((*reader)->Assign(assigned));
  std::map<base::TopicPartition, base::Offset> positions;
  const int64_t waits_max = std::max<int64_t>(1, options_.request_timeout / kPollWait);
  int64_t waits = 0;
  while (!assigned.empty()) {
    if (producer_ != nullptr && options_.interrupted()) {
      interrupted_ = true;
      return base::Status::Fatal("interrupted");
    }
    auto batch = (*reader)->Poll(kPollWait, kPollRecordsMax);
    if (!batch.ok()) return batch.status();
    if (!(*reader)->TakeOutOfRange().empty()) {
      return base::Status::Unavailable("records expired while they were read: try again");
    }
    for (size_t i = 0; i < (*batch)->size(); ++i) {
      const RawRecord& record = (*batch)->record(i);
      const auto range =
          ranges.find({std::string(record.metadata.topic), record.metadata.partition});
      if (range == ranges.end() || record.metadata.offset >= range->second.to) continue;
      RETURN_IF_ERROR(visit(record, with_headers ? (*batch)->ReadHeaders(i) : Headers()));
    }
    bool moved = false;
    std::erase_if(assigned, [&](const AssignedPartition& partition) {
      const auto position = (*reader)->Position(partition.partition);
      if (!position.has_value()) return false;
      base::Offset& known = positions[partition.partition];
      if (*position > known) moved = true;
      known = *position;
      return *position >= ranges.find(partition.partition)->second.to;
    });
    waits = moved ? 0 : waits + 1;
    if (waits > waits_max) {
      return base::Status::Unavailable(
          "no more records of " + assigned.front().partition.ToString() +
          " came, though there are some: a transaction may be open, or brokers do not answer");
    }
  }
  return base::Status::Ok();
}

base::Status DeadLetterTopic::LoadMarks(Isolation isolation) {
  marks_.clear();
  stale_marks_.clear();
  const std::vector<std::string> names = {marks_topic_};
  auto described = clients_.admin().DescribeTopics(names, options_.request_timeout);
  if (!described.ok()) return described.status();
  if (described->empty()) return base::Status::Ok();
  std::vector<base::TopicPartition> partitions;
  for (int32_t i = 0; i < described->begin()->second.partitions; ++i) {
    partitions.push_back({marks_topic_, base::Partition{i}});
  }
  auto starts = clients_.admin().ListOffsets(partitions, OffsetSpec::kEarliest, isolation,
                                             options_.request_timeout);
  if (!starts.ok()) return starts.status();
  auto ends = clients_.admin().ListOffsets(partitions, OffsetSpec::kLatest, isolation,
                                           options_.request_timeout);
  if (!ends.ok()) return ends.status();
  Ranges ranges;
  for (const auto& [tp, start] : *starts) {
    const auto end = ends->find(tp);
    if (end != ends->end()) ranges[tp] = {start, end->second};
  }
  // By key, for a later record of it replaces an earlier one: null takes the mark back.
  std::map<std::string, DeadLetterMark, std::less<>> found;
  RETURN_IF_ERROR(ReadRanges(ranges, false, [&](const RawRecord& record, const Headers&) {
    if (!record.key.has_value()) return base::Status::Ok();
    if (record.value.has_value()) {
      found.insert_or_assign(std::string(*record.key), MarkOf(*record.value));
    } else if (const auto it = found.find(*record.key); it != found.end()) {
      found.erase(it);
    }
    return base::Status::Ok();
  }));
  for (const auto& [key, mark] : found) {
    const auto place = PlaceOfKey(key, topic_id_);
    const auto range = place.has_value() ? ranges_.find({options_.topic, place->first})
                                         : ranges_.end();
    if (range != ranges_.end() && place->second >= range->second.from) {
      marks_[*place] = mark;
    } else if (stale_marks_.size() < kForgottenMarksMax) {
      stale_marks_.push_back(key);
    }
  }
  return base::Status::Ok();
}

base::Status DeadLetterTopic::Scan(const DeadLetterFilter& filter, const Visit& visit) {
  Ranges ranges = ranges_;
  if (!filter.letters.empty()) {
    Ranges asked;
    for (const auto& [partition, offset] : filter.letters) {
      const base::TopicPartition tp{options_.topic, partition};
      const auto known = ranges.find(tp);
      if (known == ranges.end()) continue;
      const base::Offset from = std::max(known->second.from, offset);
      const base::Offset to = std::min(known->second.to, base::Offset{offset.value + 1});
      if (from >= to) continue;
      const auto [it, first] = asked.emplace(tp, Range{from, to});
      if (first) continue;
      it->second = {std::min(it->second.from, from), std::max(it->second.to, to)};
    }
    ranges = std::move(asked);
  }
  if (filter.since_ms.has_value() && !ranges.empty()) {
    std::vector<base::TopicPartition> partitions;
    for (const auto& [tp, range] : ranges) partitions.push_back(tp);
    auto at = clients_.admin().ListOffsetsAt(partitions, *filter.since_ms,
                                             options_.request_timeout);
    if (!at.ok()) return at.status();
    for (auto& [tp, range] : ranges) {
      const auto found = at->find(tp);
      range.from = found == at->end() ? range.to : std::max(range.from, found->second);
    }
  }
  return ReadRanges(ranges, true, [&](const RawRecord& record, const Headers& headers) {
    const DeadLetter letter = ReadDeadLetter(record, headers);
    const auto marked = marks_.find({letter.partition, letter.offset});
    const DeadLetterMark mark = marked == marks_.end() ? DeadLetterMark::kNone : marked->second;
    if (mark != DeadLetterMark::kNone && !filter.marked) return base::Status::Ok();
    if (!LetsThrough(filter, letter)) return base::Status::Ok();
    return visit(letter, headers, mark);
  });
}

std::string DeadLetterTopic::WhyNotReplayed(const DeadLetter& letter) const {
  if (!letter.original.has_value()) return "its headers do not say which record it was";
  if (!Contains(options_.inputs, letter.topic)) {
    return "it says that it is of topic " + letter.topic + ", which Herald does not read";
  }
  if (letter.original_bytes.has_value()) {
    return "only the first " + std::to_string(kDeadLetterValueBytesMax) + " of its " +
           std::to_string(*letter.original_bytes) + " bytes were kept";
  }
  if (letter.key.has_value() && letter.key->size() >= kDeadLetterKeyBytesMax) {
    return "its key may have been cut to " + std::to_string(kDeadLetterKeyBytesMax) + " bytes";
  }
  const auto count = input_partitions_.find(letter.topic);
  if (count == input_partitions_.end()) return "topic " + letter.topic + " does not exist";
  if (letter.original->partition.value >= count->second) {
    return "topic " + letter.topic + " has no partition " +
           std::to_string(letter.original->partition.value);
  }
  return "";
}

base::Status DeadLetterTopic::Replay(const DeadLetterFilter& filter,
                                     const std::function<void(size_t)>& done) {
  return Handle(filter, DeadLetterMark::kReplayed, done);
}

base::Status DeadLetterTopic::Drop(const DeadLetterFilter& filter,
                                   const std::function<void(size_t)>& done) {
  return Handle(filter, DeadLetterMark::kDropped, done);
}

base::Status DeadLetterTopic::MakeMarksTopic() {
  const std::vector<NewTopic> topics = {{.name = marks_topic_,
                                         .partitions = 1,
                                         .replication_factor = kReplicationOfCluster,
                                         .config = {{"cleanup.policy", "compact"}}}};
  RETURN_IF_ERROR(clients_.admin().CreateTopics(topics, options_.request_timeout));
  const std::vector<std::string> names = {marks_topic_};
  auto described = clients_.admin().DescribeTopics(names, options_.request_timeout);
  if (!described.ok()) return described.status();
  const auto found = described->find(marks_topic_);
  if (found == described->end()) {
    return base::Status::Unavailable("topic " + marks_topic_ + " is not there yet: try again");
  }
  const auto policy = found->second.config.find("cleanup.policy");
  if (policy != found->second.config.end() && policy->second != "compact") {
    return base::Status::InvalidArgument("topic " + marks_topic_ + " has cleanup.policy=" +
                                         policy->second + ", but marks want compact");
  }
  return base::Status::Ok();
}

base::Status DeadLetterTopic::Handle(const DeadLetterFilter& filter, DeadLetterMark mark,
                                     const std::function<void(size_t)>& done) {
  RETURN_IF_ERROR(MakeMarksTopic());
  auto producer = clients_.NewTransactionalProducer(options_.topic + kTransactionalIdSuffix);
  if (!producer.ok()) return producer.status();
  producer_ = std::move(*producer);
  // Ends what a run before left open and shuts out one that is under way: behind this, the marks
  // are all there are.
  RETURN_IF_ERROR(producer_->InitTransactions(options_.request_timeout));
  RETURN_IF_ERROR(LoadMarks(Isolation::kReadUncommitted));
  DeadLetterFilter unmarked = filter;
  unmarked.marked = false;
  Batch batch;
  base::Status status =
      Scan(unmarked, [&](const DeadLetter& letter, const Headers&, DeadLetterMark) {
        if (mark == DeadLetterMark::kReplayed && !WhyNotReplayed(letter).empty()) {
          return base::Status::Ok();
        }
        RETURN_IF_ERROR(Begin(batch));
        RETURN_IF_ERROR(Add(letter, mark, batch));
        if (batch.records < kReplayedRecordsMax && batch.bytes < kReplayedBytesMax) {
          return base::Status::Ok();
        }
        return Commit(batch, done);
      });
  if (status.ok()) status = ForgetMarks(batch);
  // Also when interrupted: what is under way is sooner done than taken back, and while the last
  // transaction's end is being written brokers refuse to abort one that they have not seen.
  if (batch.records > 0 && (status.ok() || interrupted_)) {
    const base::Status committed = Commit(batch, done);
    if (!committed.ok()) status = committed;
  }
  return status.ok() ? status : Abort(batch, status);
}

base::Status DeadLetterTopic::Begin(Batch& batch) {
  if (batch.records > 0) return base::Status::Ok();
  return producer_->BeginTransaction();
}

std::string DeadLetterTopic::MarkKey(const DeadLetter& letter) const {
  return topic_id_ + "/" + letter.Name();
}

base::Status DeadLetterTopic::Add(const DeadLetter& letter, DeadLetterMark mark, Batch& batch) {
  batch.names.push_back(letter.Name());
  ++batch.records;
  if (mark == DeadLetterMark::kReplayed) {
    Headers headers = {{std::string(kReplayedHeader), letter.replay_place}};
    headers.insert(headers.end(), letter.trace.begin(), letter.trace.end());
    OutgoingRecord record;
    record.topic = letter.topic;
    record.partition = letter.original->partition;
    if (Contains(options_.keyed_inputs, letter.topic) && letter.key.has_value()) {
      record.partition =
          PartitionForKey(*letter.key, input_partitions_.find(letter.topic)->second);
    }
    record.key = letter.key;
    record.value = letter.value;
    record.headers = &headers;
    record.tag = batch.names.size() - 1;
    const base::Status produced = producer_->Produce(record);
    if (!produced.ok()) return produced.WithContext("dead letter " + letter.Name());
    batch.bytes += letter.key.value_or("").size() + letter.value.value_or("").size();
  }
  const nlohmann::ordered_json value = {{"v", kMarkVersion},
                                        {"handled", std::string(DeadLetterMarkName(mark))},
                                        {"time_ms", clock_.NowMs()}};
  const std::string key = MarkKey(letter);
  const std::string text = value.dump();
  OutgoingRecord record;
  record.topic = marks_topic_;
  record.key = key;
  record.value = text;
  record.tag = batch.names.size() - 1;
  return producer_->Produce(record);
}

base::Status DeadLetterTopic::ForgetMarks(Batch& batch) {
  for (const std::string& key : stale_marks_) {
    // By themselves they are not worth a transaction, and no letter may follow in this one.
    if (batch.records == 0) break;
    OutgoingRecord record;
    record.topic = marks_topic_;
    record.key = key;
    record.tag = batch.names.size() - 1;
    RETURN_IF_ERROR(producer_->Produce(record));
  }
  return base::Status::Ok();
}

base::Status DeadLetterTopic::Commit(Batch& batch, const std::function<void(size_t)>& done) {
  RETURN_IF_ERROR(producer_->CommitTransaction(options_.request_timeout));
  const size_t records = batch.records;
  batch = Batch();
  done(records);
  return base::Status::Ok();
}

base::Status DeadLetterTopic::Abort(const Batch& batch, const base::Status& why) {
  base::Status status = why;
  const std::vector<RefusedRecord> refused = producer_->TakeRefused();
  if (!refused.empty() && refused.front().tag < batch.names.size()) {
    status = base::Status::InvalidArgument(
        "topic " + refused.front().topic + " refuses the record of dead letter " +
        batch.names[refused.front().tag] + ": " + refused.front().reason);
  } else if (status.code() == base::StatusCode::kLost) {
    // Somebody else's by now, or unknown; what is open is ended by the next run.
    return status.WithContext("another run has taken over, or the brokers' answer was lost");
  }
  // What cannot be aborted now is by the next run, or by the brokers when its time is over.
  if (batch.records > 0) {
    const base::Status aborted = producer_->AbortTransaction(options_.request_timeout);
    if (!aborted.ok()) {
      return status.WithContext("its transaction may still be open (" + aborted.message() + ")");
    }
  }
  return status;
}

}  // namespace pipeline
