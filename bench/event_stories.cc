#include "bench/event_stories.h"

#include <utility>

#include "bench/bad_lines.h"

namespace bench {
namespace {

constexpr uint64_t kTooManyTargetsAtLine = 1'000;  // once for sure, beside those drawn by chance
constexpr int64_t kDisorderLinesMax = 2'000;
constexpr int64_t kPauseMsMax = 30'000;
constexpr size_t kEventIdBytesMax = 256;

/// The same event without what an undo need not repeat.
EventDraft UndoOf(const EventDraft& done, RandomSource& random) {
  EventDraft undo = done;
  undo.id.clear();
  undo.type = "un" + done.type;
  undo.text.reset();
  if (undo.object && random.Percent(70)) undo.object->title.clear();
  if (undo.object && random.Percent(30)) undo.object->type.clear();
  return undo;
}

}  // namespace

std::string EventStories::NextEventId() {
  const uint64_t number = ++event_ids_;
  if (random_.Percent(10)) return std::to_string(number);
  std::string id = "e-" + std::to_string(number);
  if (random_.Percent(0.1)) id.append(kEventIdBytesMax - id.size(), '.');
  return id;
}

int64_t EventStories::TimeNow() {
  return options_.start_time_ms + static_cast<int64_t>(lines_) * kStepMs +
         random_.Between(0, 2'000);
}

EventDraft EventStories::Draft(std::string type, double several_percent) {
  EventDraft draft;
  draft.type = std::move(type);
  draft.actor = population_.DrawActor(random_);
  draft.time_ms = TimeNow();
  int64_t targets = 1;
  if (random_.Percent(several_percent)) {
    targets = random_.Percent(2) ? random_.Between(50, 300) : random_.Between(2, 5);
  }
  for (int64_t i = 0; i < targets; ++i) {
    draft.targets.push_back(population_.UserId(population_.DrawRecipient(random_)));
  }
  if (random_.Percent(1)) draft.targets[random_.Below(draft.targets.size())] = draft.actor;
  if (targets > 1 && random_.Percent(10)) draft.targets.push_back(draft.targets[0]);
  if (random_.Percent(60)) draft.id = NextEventId();
  return draft;
}

void EventStories::ContinueWithUndos(Drafts& story, const EventDraft& undo) {
  const uint64_t dice = random_.Below(100);
  const int64_t more = dice < 50 ? 1 : dice < 80 ? 2 : dice < 95 ? 3 : random_.Between(4, 7);
  const EventDraft done = story.back();
  int64_t time_ms = done.time_ms;
  for (int64_t i = 0; i < more; ++i) {
    const bool is_undo = i % 2 == 0;
    EventDraft next = is_undo ? undo : done;
    // Equal times are wanted between a do and its undo; two dos that differ need different times.
    time_ms += is_undo && random_.Percent(10) ? 0 : random_.Between(1, kPauseMsMax);
    next.time_ms = time_ms;
    if (next.text && random_.Percent(30)) next.text = Population::DrawText(random_);
    if (is_undo && next.targets.size() > 1 && random_.Percent(40)) {
      next.targets.resize(1 + random_.Below(next.targets.size() - 1));
    }
    if (random_.Percent(50) && (is_undo || next.object || next.type == "follow")) {
      next.id = NextEventId();
    }
    story.push_back(std::move(next));
  }
}

void EventStories::RepeatLater(Drafts& story) {
  EventDraft again = story.back();
  again.time_ms += random_.Between(1, kPauseMsMax);
  if (again.text && random_.Percent(30)) again.text = Population::DrawText(random_);
  story.push_back(std::move(again));
}

EventStories::Drafts EventStories::TellFollow() {
  Drafts story{Draft("follow", 3)};
  if (random_.Percent(20)) ContinueWithUndos(story, UndoOf(story[0], random_));
  return story;
}

EventStories::Drafts EventStories::TellLike() {
  Drafts story{Draft("like", 0)};
  if (!random_.Percent(3)) {  // a few likes have no object
    const size_t owner = population_.DrawRecipient(random_);
    story[0].object = population_.DrawObject(owner, random_);
    if (story[0].targets[0] != story[0].actor) story[0].targets = {population_.UserId(owner)};
    if (random_.Percent(5)) story[0].object->type.clear();
  }
  if (random_.Percent(25)) ContinueWithUndos(story, UndoOf(story[0], random_));
  return story;
}

EventStories::Drafts EventStories::TellMentionOfObject() {
  Drafts story{Draft("mention", 30)};
  story[0].object = population_.DrawObject(population_.DrawRecipient(random_), random_);
  if (!random_.Percent(10)) story[0].text = Population::DrawText(random_);
  if (random_.Percent(20)) ContinueWithUndos(story, UndoOf(story[0], random_));
  return story;
}

EventStories::Drafts EventStories::TellPlainMention() {
  Drafts story{Draft("mention", 30)};
  story[0].id = NextEventId();  // its identity
  if (!random_.Percent(10)) story[0].text = Population::DrawText(random_);
  if (random_.Percent(25)) {
    EventDraft undo = UndoOf(story[0], random_);
    undo.undo_of = story[0].id;
    ContinueWithUndos(story, undo);
  }
  return story;
}

EventStories::Drafts EventStories::TellMessage() {
  Drafts story{Draft("message", 10)};
  story[0].id = NextEventId();  // its identity
  story[0].text = random_.Percent(2) ? "" : Population::DrawText(random_);
  return story;
}

EventStories::Drafts EventStories::TellUndoOfNothing() {
  Drafts story;
  const bool with_undo_of = random_.Percent(30);
  const bool follow = !with_undo_of && random_.Percent(40);
  story.push_back(Draft(with_undo_of ? "unmention" : follow ? "unfollow" : "unlike", 5));
  if (with_undo_of) {
    story[0].undo_of = "never-" + std::to_string(random_.Below(1'000'000));
  } else if (!follow) {
    story[0].object = population_.DrawObject(population_.DrawRecipient(random_), random_);
  }
  return story;
}

EventStories::Drafts EventStories::TellStory() {
  const uint64_t dice = random_.Below(100);
  Drafts story = dice < 25   ? TellFollow()
                 : dice < 63 ? TellLike()
                 : dice < 77 ? TellMentionOfObject()
                 : dice < 84 ? TellPlainMention()
                 : dice < 98 ? TellMessage()
                             : TellUndoOfNothing();
  if (random_.Percent(3)) RepeatLater(story);
  return story;
}

void EventStories::ScheduleLine(uint64_t due, std::string line) {
  scheduled_.push({due, ++serial_, std::move(line)});
}

void EventStories::Schedule(const Drafts& story) {
  std::vector<std::string> lines;
  for (const EventDraft& draft : story) lines.push_back(WriteEventLine(draft, random_));
  if (random_.Percent(50)) random_.Shuffle(lines);
  const int64_t window = random_.Percent(40) ? 5 : kDisorderLinesMax;
  uint64_t due = lines_;
  for (std::string& line : lines) {
    if (random_.Percent(3)) {  // delivered twice
      ScheduleLine(due + static_cast<uint64_t>(random_.Between(0, window)), line);
    }
    ScheduleLine(due, std::move(line));
    due += static_cast<uint64_t>(random_.Between(0, window));
  }
}

std::string EventStories::NextLine() {
  if (lines_ == kTooManyTargetsAtLine && options_.bad_percent > 0) {
    ++lines_;
    ++bad_lines_;
    return MakeTooManyTargetsLine(Draft("follow", 0), random_);
  }
  if (random_.Percent(options_.bad_percent)) {
    ++lines_;
    ++bad_lines_;
    return MakeBadLine(TellStory()[0], random_);
  }
  if (scheduled_.empty() || scheduled_.top().due > lines_) Schedule(TellStory());
  std::string line = scheduled_.top().line;
  scheduled_.pop();
  ++lines_;
  return line;
}

}  // namespace bench
