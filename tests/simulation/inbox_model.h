#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "stages/inbox_action.h"
#include "tests/simulation/event_story.h"

namespace simulation {

/// What has to come of the events, in the plainest way: all events in memory, no order of arrival.
class InboxModel {
 public:
  /// A record on `notifications`: partition and offset of its event, the recipient, retracted.
  using Told = std::tuple<int32_t, int64_t, std::string, bool>;
  /// A dead letter: partition and offset of its record.
  using Dead = std::pair<int32_t, int64_t>;
  using Place = std::pair<int32_t, int64_t>;

  void Add(const StoryEvent& event);

  const std::set<Told>& told() const { return told_; }
  const std::set<Dead>& dead() const { return dead_; }
  /// REQUIRES: there is a valid event.
  const StoryEvent& EventAt(const Place& place) const { return events_.at(place); }
  bool HasEvent(const Place& place) const { return events_.contains(place); }

  /// What a reader made of a row.
  struct RowState {
    bool read = false;
    bool seen = false;
    bool deleted = false;
  };

  /// Of the events that a row may have been made from, it was this one.
  /// REQUIRES: no event comes any more.
  void AddRow(const std::string& recipient, const Place& place) { rows_[recipient][place] = {}; }
  /// A reader does something to a row, or to all.
  void Act(const std::string& recipient, stages::InboxAction::Kind kind, const Place& place);
  /// Unread and unseen unless a reader did something.
  RowState StateOf(const std::string& recipient, const Place& place) const;

  /// One set a row that stands in the recipient's inbox: the places of the events that it may
  /// have been made from.
  std::vector<std::set<Place>> Inbox(const std::string& recipient) const;

 private:
  struct Identity {
    std::map<Place, int64_t> done;
    std::vector<int64_t> undone;
  };

  std::set<Told> told_;
  std::set<Dead> dead_;
  std::map<Place, StoryEvent> events_;
  std::map<std::string, std::map<std::string, Identity>> inboxes_;
  std::map<std::string, std::map<Place, RowState>> rows_;
};

}  // namespace simulation
