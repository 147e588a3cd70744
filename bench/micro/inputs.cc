#include "bench/micro/inputs.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "pipeline/engine_config.h"
#include "stages/route_to_recipients.h"

namespace bench {
namespace {

constexpr size_t kUsers = 10'000;
constexpr int64_t kHour = 3'600'000;

PlainEvents::Options EventOptions() {
  PlainEvents::Options options;
  options.users = kUsers;
  options.start_time_ms = Collected<stages::Event>::kNowMs - 6 * kHour;
  return options;
}

}  // namespace

void Require(const base::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "micro_bench: %s\n", status.message().c_str());
  std::exit(1);
}

Inputs::Inputs() : events_(EventOptions()) {}

std::vector<std::string> Inputs::Lines(size_t count) {
  std::vector<std::string> lines;
  lines.reserve(count);
  while (lines.size() < count) lines.push_back(events_.NextLine());
  return lines;
}

std::vector<pipeline::Record<stages::Event>> Inputs::Events(size_t count) {
  pipeline::Serde<stages::Event> serde;
  std::vector<pipeline::Record<stages::Event>> events;
  events.reserve(count);
  for (const std::string& line : Lines(count)) {
    const pipeline::RawRecord raw = RawEvent(line, offset_++);
    events.push_back({"", Require(serde.Decode(raw)), raw.metadata});
  }
  return events;
}

std::vector<pipeline::Record<stages::EnrichedEvent>> Inputs::EnrichedEvents(size_t count) {
  std::vector<pipeline::Record<stages::EnrichedEvent>> enriched;
  enriched.reserve(count);
  for (pipeline::Record<stages::Event>& event : Events(count)) {
    auto user = std::make_shared<stages::User>();
    user->id = event.value.actor;
    user->name = "Bruno " + user->id;
    user->handle = "user_" + user->id;
    enriched.push_back({"", {std::move(event.value), std::move(user)}, event.metadata});
  }
  return enriched;
}

std::vector<pipeline::Record<stages::Notification>> Inputs::Notifications(size_t count) {
  stages::RouteToRecipients route;
  Collected<stages::Notification> out;
  out.records.reserve(count);
  while (out.records.size() < count) {
    for (auto& event : EnrichedEvents(count - out.records.size())) {
      Require(route.Process(std::move(event), out));
    }
  }
  return std::move(out.records);
}

std::vector<NotificationText> Inputs::NotificationTexts(size_t count) {
  std::vector<NotificationText> texts;
  texts.reserve(count);
  for (const auto& record : Notifications(count)) texts.push_back(TextOf(record.value));
  return texts;
}

NotificationText TextOf(const stages::Notification& notification) {
  NotificationText text;
  text.key = notification.recipient;
  pipeline::Serde<stages::Notification>().Encode(notification, text.value);
  return text;
}

pipeline::RawRecord RawNotification(const NotificationText& text, int64_t offset) {
  pipeline::RawRecord raw = RawEvent(text.value, offset);
  raw.metadata.topic = "notifications";
  raw.key = text.key;
  return raw;
}

pipeline::RawRecord RawEvent(std::string_view line, int64_t offset) {
  pipeline::RawRecord raw;
  raw.metadata = {"events", base::Partition{0}, base::Offset{offset},
                  Collected<stages::Event>::kNowMs};
  raw.value = line;
  return raw;
}

ScratchState::ScratchState(const std::vector<state::StoreSpec>& stores)
    : memory_(pipeline::EngineConfig().block_cache_bytes,
              pipeline::EngineConfig().write_buffer_bytes) {
  std::string path = (std::filesystem::temp_directory_path() / "micro-bench-XXXXXX").string();
  if (mkdtemp(path.data()) == nullptr) Require(base::Status::Fatal("cannot make " + path));
  directory_ = path;
  state_ = Require(state::TaskState::Open({directory_ / "task", stores, &memory_}));
}

ScratchState::~ScratchState() {
  state_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

}  // namespace bench
