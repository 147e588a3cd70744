#include "pipeline/task_opening.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "pipeline/state_directory.h"

namespace pipeline {
namespace {

constexpr std::string_view kStampNote = "assigned-at-ms";

std::optional<int64_t> ParseInt(const std::optional<std::string>& text) {
  if (!text.has_value()) return std::nullopt;
  int64_t number = 0;
  const auto result = std::from_chars(text->data(), text->data() + text->size(), number);
  if (result.ec != std::errc()) return std::nullopt;
  return number;
}

/// Why the copy cannot be brought up to its changelogs; empty when it can.
std::string WhyUnfit(EngineShared& shared, const base::TaskId& id,
                     const std::vector<state::StoreSpec>& stores, const state::TaskState& state,
                     const base::Positions& starts, const base::Positions& ends) {
  const std::optional<int64_t> stamp = ParseInt(state.Note(kStampNote));
  // Without one nobody knows how old it is.
  const bool old = !stamp.has_value() || shared.clock.NowMs() - *stamp >
                                             shared.config.changelog_tombstone_retention.count();
  for (const state::StoreSpec& spec : stores) {
    if (!spec.changelog) continue;
    const base::TopicPartition tp{shared.ChangelogTopic(spec.name), id.partition};
    const auto end = ends.find(tp);
    if (end == ends.end()) continue;
    const std::optional<base::Offset> position = state.Position(tp);
    if (!position.has_value()) continue;
    if (*position > end->second) {
      return "its position " + std::to_string(position->value) + " in " + tp.ToString() +
             " is past the end " + std::to_string(end->second.value);
    }
    if (*position < starts.at(tp)) {
      return "its position in " + tp.ToString() + " was deleted from the changelog";
    }
    if (old && *position < end->second) return "it is older than the changelog keeps tombstones";
  }
  return "";
}

}  // namespace

base::Status CheckTopicIds(EngineShared& shared,
                           const std::vector<base::TopicPartition>& changelogs) {
  std::set<std::string> names;
  for (const base::TopicPartition& tp : changelogs) names.insert(tp.topic);
  const std::vector<std::string> topics(names.begin(), names.end());
  auto described = shared.clients.admin().DescribeTopics(topics, shared.config.request_timeout);
  if (!described.ok()) return described.status();
  for (const std::string& topic : topics) {
    const auto known = shared.topic_ids.find(topic);
    const auto found = described->find(topic);
    if (found == described->end()) {
      return base::Status::Unavailable("changelog " + topic + " is not there");
    }
    if (known == shared.topic_ids.end() || known->second == found->second.id) continue;
    return base::Status::Fatal("changelog " + topic + " has topic id " + found->second.id +
                               " now, but the rows here belong to topic id " + known->second +
                               ": the topic was made anew, or the brokers are another cluster");
  }
  return base::Status::Ok();
}

base::Result<std::unique_ptr<state::TaskState>> OpenTaskState(
    EngineShared& shared, const base::TaskId& id, std::unique_ptr<state::TaskState> kept,
    bool distrusted, const base::Positions& starts, const base::Positions& ends) {
  state::TaskState::Options options;
  options.directory = shared.directory.TaskDirectory(id);
  options.stores = shared.topology.StoreSpecs(id.subtopology);
  options.memory = &shared.memory;

  std::unique_ptr<state::TaskState> state = std::move(kept);
  if (state == nullptr) {
    auto opened = shared.states.Open(options);
    if (opened.ok()) {
      state = std::move(*opened);
    } else if (opened.status().code() != base::StatusCode::kCorruption) {
      return opened.status();
    } else {
      base::LogError("rows unreadable, restoring in full",
                     {{"task", id.ToString()}, {"why", opened.status().message()}});
    }
  }
  std::string why;
  if (distrusted) why = "its rows were unreadable";
  if (state != nullptr && why.empty()) {
    why = WhyUnfit(shared, id, options.stores, *state, starts, ends);
  }
  if (state != nullptr && why.empty()) {
    // An empty one misses nothing that is deleted from now on.
    if (state->AllPositions().empty()) RETURN_IF_ERROR(StampTaskState(*state, shared.clock));
    return state;
  }
  if (!why.empty()) {
    base::LogError("local copy not usable, restoring in full",
                   {{"task", id.ToString()}, {"why", why}});
  }
  // A query may hold a reader for a moment; then the directory is still locked.
  state.reset();
  RETURN_IF_ERROR(shared.states.Destroy(options.directory));
  auto fresh = shared.states.Open(options);
  if (fresh.ok()) RETURN_IF_ERROR(StampTaskState(**fresh, shared.clock));
  return fresh;
}

base::Status StampTaskState(state::TaskState& state, const base::Clock& clock) {
  return state.PutNote(kStampNote, std::to_string(clock.NowMs()));
}

}  // namespace pipeline
