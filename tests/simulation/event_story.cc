#include "tests/simulation/event_story.h"

#include <nlohmann/json.hpp>
#include <utility>

namespace simulation {
namespace {

using nlohmann::json;

constexpr size_t kActors = 6;
constexpr size_t kRecipients = 5;
constexpr size_t kObjects = 2;
/// Events have one of so many times, a second apart, so that some are equal.
constexpr size_t kTimes = 20;
constexpr size_t kRefusedTextBytes = 2500;

const std::vector<std::string> kTypes = {"follow", "follow", "like", "like", "mention", "message"};

std::string ActorName(size_t number) { return std::to_string(number + 1); }
std::string RecipientName(size_t number) { return std::to_string(number + 4); }

}  // namespace

std::vector<std::string> StoryTeller::Recipients() {
  std::vector<std::string> names;
  for (size_t i = 0; i < kRecipients; ++i) names.push_back(RecipientName(i));
  return names;
}

std::vector<std::pair<std::string, std::string>> StoryTeller::Users() {
  std::vector<std::pair<std::string, std::string>> users;
  for (size_t i = 0; i + 2 < kActors; ++i) {
    users.emplace_back(ActorName(i), json{{"name", "Name" + ActorName(i)}}.dump());
  }
  return users;
}

StoryEvent StoryTeller::Next() {
  if (!told_.empty() && Draw(10) == 0) return Pick(told_);  // The producer sent it twice.
  StoryEvent event = Draw(12) == 0 ? BadEvent() : GoodEvent();
  told_.push_back(event);
  return event;
}

StoryEvent StoryTeller::BadEvent() {
  StoryEvent event;
  switch (Draw(6)) {
    case 0:
      break;  // A null value.
    case 1:
      event.value = "{oops";
      break;
    case 2:
      event.value = json{{"type", "poke"}, {"actor", "1"}, {"target", "4"}}.dump();
      break;
    case 3:
      event.value = json{{"type", "follow"}, {"actor", "1"}}.dump();
      break;
    case 4:
      event.value = "\"\xff\"";
      break;
    default:
      // Fine for Herald, but no broker takes what comes of it; for two recipients, of whom none may
      // be told.
      event.value = json{{"type", "message"},
                         {"actor", "1"},
                         {"targets", {"4", "5"}},
                         {"text", std::string(kRefusedTextBytes, 'x')}}
                        .dump();
  }
  return event;
}

StoryEvent StoryTeller::GoodEvent() {
  StoryEvent event;
  event.valid = true;
  event.type = Pick(kTypes);
  event.undo = event.type != "message" && Draw(3) == 0;
  event.actor = ActorName(Draw(kActors));
  const size_t targets = Draw(4) == 0 ? 3 : 1;
  for (size_t i = 0; i < targets; ++i) event.targets.push_back(RecipientName(Draw(kRecipients)));
  event.time_ms = begin_ms_ + static_cast<int64_t>(Draw(kTimes)) * 1000;
  json fields = {{"type", (event.undo ? "un" : "") + event.type},
                 {"actor", event.actor},
                 {"targets", event.targets},
                 {"time", event.time_ms}};
  if (event.type == "like" || (event.type == "mention" && Draw(2) == 0)) {
    event.object = "o" + std::to_string(Draw(kObjects));
    fields["object"] = {{"type", "post"}, {"id", event.object}};
  }
  if (event.type == "mention" && event.object.empty() && event.undo) {
    event.undo_of = "e" + std::to_string(Draw(told_.size() + 5));
    fields["undo_of"] = event.undo_of;
  }
  // Half of the events bring an id, and sometimes one that another has too.
  if (Draw(2) == 0) {
    event.id = "e" + std::to_string(Draw(10) == 0 ? Draw(told_.size() + 1) : told_.size());
    fields["id"] = event.id;
  }
  if (event.type == "message" || (event.type == "mention" && Draw(2) == 0)) {
    event.text = "text " + std::to_string(Draw(1000));
    fields["text"] = event.text;
  }
  event.value = fields.dump();
  return event;
}

}  // namespace simulation
