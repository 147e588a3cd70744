#include "pipeline/global_table_loader.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/log.h"
#include "pipeline/record_log.h"
#include "pipeline/record_trace.h"
#include "pipeline/state_directory.h"

namespace pipeline {
namespace {

constexpr std::string_view kTopicIdNote = "topic-id";
constexpr std::string_view kStampNote = "read-at-ms";
constexpr std::chrono::seconds kStampEvery{60};
constexpr milliseconds kPollWait{100};

/// The topic's delete.retention.ms, as far as the cluster tells, but no more than the engine trusts.
std::chrono::milliseconds TombstoneRetention(const TopicDescription& topic, milliseconds at_most) {
  const auto setting = topic.config.find("delete.retention.ms");
  if (setting == topic.config.end()) return at_most;
  return std::min(at_most, milliseconds(std::strtoll(setting->second.c_str(), nullptr, 10)));
}

}  // namespace

GlobalTableLoader::GlobalTableLoader(EngineShared& shared, GlobalTableBase& table,
                                     const TopicDescription& topic)
    : shared_(shared),
      table_(table),
      topic_id_(topic.id),
      tombstone_retention_(
          TombstoneRetention(topic, shared.config.changelog_tombstone_retention)),
      refused_(shared.metrics.AddCounter("herald_global_records_refused_total",
                                         "Records of a global table that cannot be read.",
                                         {{"topic", table.topic()}})),
      applied_(shared.metrics.AddCounter("herald_global_records_total",
                                         "Records of a global table that were applied.",
                                         {{"topic", table.topic()}})) {}

base::Result<std::unique_ptr<state::TaskState>> GlobalTableLoader::OpenState() {
  state::TaskState::Options options;
  options.directory = shared_.directory.GlobalDirectory(table_.topic());
  options.stores = {{std::string(GlobalTableBase::kStore), false}};
  options.memory = &shared_.memory;
  auto opened = shared_.states.Open(options);
  std::string why;
  if (!opened.ok()) {
    if (opened.status().code() != base::StatusCode::kCorruption) return opened.status();
    why = opened.status().message();
  } else {
    const std::string known = (*opened)->Note(kTopicIdNote).value_or(topic_id_);
    const std::string stamp = (*opened)->Note(kStampNote).value_or("");
    const int64_t age_ms =
        stamp.empty() ? 0 : shared_.clock.NowMs() - std::strtoll(stamp.c_str(), nullptr, 10);
    if (known != topic_id_) {
      why = "the topic was made anew";
    } else if (age_ms > tombstone_retention_.count()) {
      why = "the copy is older than the topic keeps tombstones";
    }
  }
  if (why.empty()) return opened;
  base::LogWarn("reading a global table from its beginning",
                {{"topic", table_.topic()}, {"why", why}});
  opened = base::Status::Unavailable("");
  RETURN_IF_ERROR(shared_.states.Destroy(options.directory));
  return shared_.states.Open(options);
}

base::Status GlobalTableLoader::Open() {
  if (state_ == nullptr) {
    auto opened = OpenState();
    if (!opened.ok()) return opened.status();
    state_ = std::move(*opened);
    RETURN_IF_ERROR(state_->PutNote(kTopicIdNote, topic_id_));
    table_.Attach(state_->MakeReader());
  }
  return StartReading();
}

base::Status GlobalTableLoader::StartReading() {
  const int32_t count = shared_.partition_counts.find(table_.topic())->second;
  std::vector<base::TopicPartition> partitions;
  for (int32_t i = 0; i < count; ++i) partitions.push_back({table_.topic(), base::Partition{i}});
  auto starts = shared_.clients.admin().ListOffsets(partitions, OffsetSpec::kEarliest,
                                                    Isolation::kReadCommitted,
                                                    shared_.config.request_timeout);
  if (!starts.ok()) return starts.status();
  auto ends =
      shared_.clients.admin().ListOffsets(partitions, OffsetSpec::kLatest,
                                          Isolation::kReadCommitted, shared_.config.request_timeout);
  if (!ends.ok()) return ends.status();
  ends_ = std::move(*ends);
  std::vector<AssignedPartition> assigned;
  for (const base::TopicPartition& tp : partitions) {
    const base::Offset stored = state_->Position(tp).value_or(base::Offset{0});
    // A position outside of what is there (records deleted, or a restored older broker): what the
    // topic has now is read again.
    const bool usable = stored >= starts->at(tp) && stored <= ends_.at(tp);
    positions_[tp] = usable ? stored : starts->at(tp);
    table_.MovePosition(tp.partition, positions_[tp]);
    assigned.push_back({tp, positions_[tp], false});
  }
  if (reader_ == nullptr) {
    auto reader = shared_.clients.NewReader(KafkaClients::ReaderUse::kFollow);
    if (!reader.ok()) return reader.status();
    reader_ = std::move(*reader);
  }
  return reader_->Assign(assigned);
}

bool GlobalTableLoader::caught_up() const {
  if (ends_.empty()) return false;
  return std::all_of(ends_.begin(), ends_.end(), [this](const auto& end) {
    const auto position = positions_.find(end.first);
    return position != positions_.end() && position->second >= end.second;
  });
}

base::Status GlobalTableLoader::RunOnce() {
  if (table_.corrupt() || wipe_due_) return Reread();
  if (state_ == nullptr || reader_ == nullptr) return Open();
  auto batch = reader_->Poll(kPollWait, shared_.config.restore_records_max);
  if (!batch.ok()) return batch.status();
  if (!reader_->TakeOutOfRange().empty()) {
    // Also what this batch holds is read again: positions move only past what was applied.
    batch = base::Status::Unavailable("out of range");
    reader_.reset();
    return StartReading();
  }
  RETURN_IF_ERROR(Apply(**batch));
  return Stamp((*batch)->size() > 0);
}

/// Notes that the copy is as new as its topic: when it has read to an end that was asked for just
/// now, not merely because it lives.
base::Status GlobalTableLoader::Stamp(bool busy) {
  const std::chrono::nanoseconds now = shared_.clock.Monotonic();
  if (busy || (stamped_ && now - last_stamp_ < kStampEvery)) return base::Status::Ok();
  std::vector<base::TopicPartition> partitions;
  for (const auto& [tp, position] : positions_) partitions.push_back(tp);
  auto ends =
      shared_.clients.admin().ListOffsets(partitions, OffsetSpec::kLatest,
                                          Isolation::kReadCommitted, shared_.config.request_timeout);
  if (!ends.ok()) return ends.status();
  for (const auto& [tp, end] : *ends) {
    if (positions_.at(tp) < end) return base::Status::Ok();
  }
  stamped_ = true;
  last_stamp_ = now;
  return state_->PutNote(kStampNote, std::to_string(shared_.clock.NowMs()));
}

/// A look-up found a row that cannot be read: the rows go, and the topic is read anew.
base::Status GlobalTableLoader::Reread() {
  base::LogError("rows of a global table are unreadable, reading it anew",
                 {{"topic", table_.topic()}});
  // Until the rows are gone: a look-up that is under way may keep them open.
  wipe_due_ = true;
  table_.Attach(nullptr);
  reader_.reset();
  state_.reset();
  RETURN_IF_ERROR(shared_.states.Destroy(shared_.directory.GlobalDirectory(table_.topic())));
  wipe_due_ = false;
  return Open();
}

base::Status GlobalTableLoader::Apply(const RecordBatch& batch) {
  state::KeyValueStore& store = state_->Store(GlobalTableBase::kStore);
  state_->BeginRecord();
  std::vector<std::string_view> changed;
  for (size_t i = 0; i < batch.size(); ++i) {
    const RawRecord& record = batch.record(i);
    const std::string_view key = record.key.value_or(std::string_view());
    base::Status valid = key.empty() ? base::Status::InvalidArgument("missing-field: no key")
                         : key.size() > state::kKeyBytesMax
                             ? base::Status::InvalidArgument("limit: key too long")
                             : table_.Validate(record);
    if (!valid.ok()) {
      refused_.Increment();
      const RecordPlace place{{table_.topic(), record.metadata.partition}, record.metadata.offset};
      const RecordTrace trace = ReadTrace(batch.ReadHeaders(i)).value_or(TraceOfPlace(place));
      LogRecord(base::LogLevel::kWarn, "record of a global table passed over",
                {"global", place, trace.context.TraceIdText()}, {{"why", valid.message()}});
      continue;
    }
    if (record.value.has_value()) {
      store.Put(key, std::string(*record.value));
    } else {
      store.Delete(key);
    }
    changed.push_back(key);
  }
  base::Positions moved;
  for (auto& [tp, position] : positions_) {
    const std::optional<base::Offset> next = reader_->Position(tp);
    if (!next.has_value() || *next <= position) continue;
    position = *next;
    moved[tp] = *next;
  }
  if (changed.empty() && moved.empty()) return base::Status::Ok();
  RETURN_IF_ERROR(state_->Commit(moved));
  applied_.Increment(static_cast<double>(changed.size()));
  for (const std::string_view key : changed) table_.Applied(key);
  for (const auto& [tp, position] : moved) table_.MovePosition(tp.partition, position);
  return base::Status::Ok();
}

}  // namespace pipeline
