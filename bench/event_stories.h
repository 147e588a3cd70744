#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <queue>
#include <string>
#include <vector>

#include "bench/event_line.h"
#include "bench/population.h"
#include "bench/random_source.h"

namespace bench {

/// An endless seeded stream of raw event lines, as unkind as unkeyed producers can make it.
///
/// A *story* is what one actor does about one thing: follows; likes, takes it back and likes again;
/// sends a message twice. Its events have rising times, but its lines come out shuffled and mixed
/// with those of other stories: an undo before its like, long after it, or without it.
class EventStories {
 public:
  struct Options {
    uint64_t seed = 1;
    size_t users = 10'000;
    double bad_percent = 1;
    /// `time` of the first event; each further line is about kStepMs later.
    int64_t start_time_ms = 0;
  };

  /// Event time between two neighbouring lines.
  static constexpr int64_t kStepMs = 5;

  explicit EventStories(const Options& options)
      : options_(options), random_(options.seed), population_(options.users) {}

  /// The next line: not empty, no line break inside.
  std::string NextLine();

  uint64_t bad_lines() const { return bad_lines_; }

 private:
  struct Scheduled {
    uint64_t due;     // the number of the line before which it must not come out
    uint64_t serial;  // tells equal dues apart, so that the order is the same everywhere
    std::string line;
    bool operator>(const Scheduled& other) const {
      return due != other.due ? due > other.due : serial > other.serial;
    }
  };
  using Drafts = std::vector<EventDraft>;

  std::string NextEventId();
  int64_t TimeNow();
  /// Somebody's event of `type` to one recipient, or in `several_percent` of 100 to several.
  EventDraft Draft(std::string type, double several_percent);

  Drafts TellFollow();
  Drafts TellLike();
  Drafts TellMentionOfObject();
  Drafts TellPlainMention();
  Drafts TellMessage();
  Drafts TellUndoOfNothing();
  Drafts TellStory();

  /// Appends undo, do, undo, … to a story that has its first event, with rising times.
  void ContinueWithUndos(Drafts& story, const EventDraft& undo);
  /// The same again, later.
  void RepeatLater(Drafts& story);
  void Schedule(const Drafts& story);
  void ScheduleLine(uint64_t due, std::string line);

  const Options options_;
  RandomSource random_;
  const Population population_;
  std::priority_queue<Scheduled, std::vector<Scheduled>, std::greater<>> scheduled_;
  uint64_t lines_ = 0;
  uint64_t bad_lines_ = 0;
  uint64_t serial_ = 0;
  uint64_t event_ids_ = 0;
};

}  // namespace bench
