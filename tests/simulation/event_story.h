#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "base/ids.h"

namespace simulation {

/// One record on `events` and what a reader of the rules knows of it.
struct StoryEvent {
  /// The record's value.
  std::optional<std::string> value;
  /// False: a dead letter.
  bool valid = false;

  // Of a valid one:
  std::string type;  ///< What is done or undone.
  bool undo = false;
  std::string id;
  std::string actor;
  std::vector<std::string> targets;
  std::string object;
  std::string text;
  std::string undo_of;
  int64_t time_ms = 0;

  /// Where it was put, once it was.
  base::Partition partition;
  base::Offset offset;
};

/// What a notification with more than the usual text is refused for, in bytes of a record: less
/// than an event may have, so that the broker and not Herald refuses it.
inline constexpr int kNotificationRecordBytesMax = 2000;

/// Draws events of few actors, recipients and objects within a minute, so that they repeat, undo
/// and contradict each other; their times have nothing to do with their order. Some are bad.
class StoryTeller {
 public:
  StoryTeller(std::mt19937_64& random, int64_t begin_ms) : random_(random), begin_ms_(begin_ms) {}

  StoryEvent Next();

  /// Everybody who is ever told of something.
  static std::vector<std::string> Recipients();
  /// JSON by id for topic `users`; not all actors are among them.
  static std::vector<std::pair<std::string, std::string>> Users();

 private:
  StoryEvent BadEvent();
  StoryEvent GoodEvent();
  size_t Draw(size_t below) { return random_() % below; }
  template <typename T>
  const T& Pick(const std::vector<T>& from) {
    return from[Draw(from.size())];
  }

  std::mt19937_64& random_;
  const int64_t begin_ms_;
  std::vector<StoryEvent> told_;
};

}  // namespace simulation
