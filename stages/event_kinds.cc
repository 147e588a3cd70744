#include "stages/event_kinds.h"

#include "base/check.h"

namespace stages {
namespace {

/// Of a template's own words, so that a message is allocated once.
constexpr size_t kTemplateBytesUsual = 48;

constexpr std::string_view kFollowTexts[] = {"{actor} started following you."};
constexpr std::string_view kLikeTexts[] = {
    "{actor} liked your {object.type|post}: {object.title}",
    "{actor} liked your {object.type|post}.",
};
constexpr std::string_view kMentionTexts[] = {
    "{actor} mentioned you in {a object.type}: {text}",
    "{actor} mentioned you in {a object.type}.",
    "{actor} mentioned you: {text}",
    "{actor} mentioned you.",
};
constexpr std::string_view kMessageTexts[] = {"{text}"};

constexpr EventKind kKinds[] = {
    {"follow", "unfollow", IdentityRule::kActor, false, kFollowTexts},
    {"like", "unlike", IdentityRule::kObject, false, kLikeTexts},
    {"mention", "unmention", IdentityRule::kObjectOrEvent, false, kMentionTexts},
    {"message", "", IdentityRule::kEvent, true, kMessageTexts},
};

std::string_view ValueOf(std::string_view name, const TemplateValues& values) {
  if (name == "actor") return values.actor;
  if (name == "text") return values.text;
  if (name == "object.type") return values.object_type;
  if (name == "object.title") return values.object_title;
  CHECK(false, "a template names an unknown value");
}

bool StartsWithVowel(std::string_view word) {
  constexpr std::string_view kVowels = "aeiou";
  return !word.empty() && kVowels.find(word.front()) != std::string_view::npos;
}

/// Appends what stands for one placeholder; false when it has no value.
bool AppendPlaceholder(std::string& out, std::string_view name, const TemplateValues& values) {
  const bool with_article = name.starts_with("a ");
  if (with_article) name.remove_prefix(2);
  std::string_view otherwise;
  if (const size_t bar = name.find('|'); bar != std::string_view::npos) {
    otherwise = name.substr(bar + 1);
    name = name.substr(0, bar);
  }
  std::string_view value = ValueOf(name, values);
  if (value.empty()) value = otherwise;
  if (value.empty()) return false;
  if (with_article) out += StartsWithVowel(value) ? "an " : "a ";
  out += value;
  return true;
}

bool AppendTemplate(std::string& out, std::string_view text, const TemplateValues& values) {
  while (!text.empty()) {
    const size_t open = text.find('{');
    out += text.substr(0, open);
    if (open == std::string_view::npos) break;
    const size_t close = text.find('}', open);
    CHECK(close != std::string_view::npos, "a template does not close a brace");
    if (!AppendPlaceholder(out, text.substr(open + 1, close - open - 1), values)) return false;
    text.remove_prefix(close + 1);
  }
  return true;
}

}  // namespace

std::span<const EventKind> EventKinds() { return kKinds; }

EventType FindEventType(std::string_view name) {
  for (const EventKind& kind : kKinds) {
    if (name == kind.name) return {&kind, false};
    if (!name.empty() && name == kind.undo_name) return {&kind, true};
  }
  return {};
}

const EventKind* FindEventKind(std::string_view name) {
  for (const EventKind& kind : kKinds) {
    if (name == kind.name) return &kind;
  }
  return nullptr;
}

std::string RenderMessage(const EventKind& kind, const TemplateValues& values) {
  std::string message;
  message.reserve(kTemplateBytesUsual + values.actor.size() + values.object_type.size() +
                  values.object_title.size() + values.text.size());
  for (const std::string_view text : kind.templates) {
    if (AppendTemplate(message, text, values)) return message;
    message.clear();
  }
  return message;
}

}  // namespace stages
