#include "tests/simulation/inbox_model.h"

#include <algorithm>

namespace simulation {
namespace {

std::string IdentityOf(const StoryEvent& event) {
  const std::string start = event.type + "/" + event.actor + "/";
  if (event.type == "follow") return start;
  if (event.type == "like" || !event.object.empty()) return start + "object/" + event.object;
  const std::string& id = event.undo ? event.undo_of : event.id;
  if (!id.empty()) return start + "event/" + id;
  // Its own id is made of its place, so nothing is the same.
  return start + "place/" + std::to_string(event.partition.value) + "/" +
         std::to_string(event.offset.value);
}

}  // namespace

void InboxModel::Add(const StoryEvent& event) {
  const Place place{event.partition.value, event.offset.value};
  if (!event.valid) {
    dead_.insert(place);
    return;
  }
  events_[place] = event;
  for (const std::string& recipient : event.targets) {
    if (recipient == event.actor && event.type != "message") continue;
    told_.insert({place.first, place.second, recipient, event.undo});
    Identity& identity = inboxes_[recipient][IdentityOf(event)];
    if (event.undo) {
      identity.undone.push_back(event.time_ms);
    } else {
      identity.done[place] = event.time_ms;
    }
  }
}

void InboxModel::Act(const std::string& recipient, stages::InboxAction::Kind kind,
                     const Place& place) {
  using Kind = stages::InboxAction::Kind;
  const bool for_all = kind == Kind::kReadAll || kind == Kind::kSeenAll;
  for (auto& [row, state] : rows_[recipient]) {
    if (state.deleted || (!for_all && row != place)) continue;
    if (kind == Kind::kRead || kind == Kind::kReadAll) state.read = true;
    if (kind == Kind::kUnread) state.read = false;
    if (kind == Kind::kSeen || kind == Kind::kSeenAll) state.seen = true;
    if (kind == Kind::kDelete) state.deleted = true;
    state.seen = state.seen || state.read;
  }
}

InboxModel::RowState InboxModel::StateOf(const std::string& recipient, const Place& place) const {
  const auto inbox = rows_.find(recipient);
  if (inbox == rows_.end()) return {};
  const auto row = inbox->second.find(place);
  return row == inbox->second.end() ? RowState() : row->second;
}

std::vector<std::set<InboxModel::Place>> InboxModel::Inbox(const std::string& recipient) const {
  std::vector<std::set<Place>> rows;
  const auto inbox = inboxes_.find(recipient);
  if (inbox == inboxes_.end()) return rows;
  for (const auto& [key, identity] : inbox->second) {
    std::set<Place> standing;
    for (const auto& [place, time_ms] : identity.done) {
      const bool stands = std::all_of(identity.undone.begin(), identity.undone.end(),
                                      [at = time_ms](int64_t undone) { return at > undone; });
      if (stands) standing.insert(place);
    }
    const bool deleted = std::any_of(standing.begin(), standing.end(), [&](const Place& place) {
      return StateOf(recipient, place).deleted;
    });
    if (!standing.empty() && !deleted) rows.push_back(std::move(standing));
  }
  return rows;
}

}  // namespace simulation
