#include "bench/bad_lines.h"

#include <iterator>
#include <string_view>
#include <utility>

namespace bench {
namespace {

constexpr size_t kTargetsTooMany = 10'001;
constexpr size_t kIdBytesTooMany = 257;
constexpr size_t kTextBytesTooMany = 4097;
constexpr size_t kTitleBytesTooMany = 1025;
constexpr int64_t kYear2090Ms = 3'786'912'000'000;

using Maker = std::string (*)(EventDraft, RandomSource&);

template <size_t N>
std::string Pick(const std::string_view (&list)[N], RandomSource& random) {
  return std::string(list[random.Below(N)]);
}

/// The smallest good event, with `fields` put before its closing brace.
std::string WithFields(const EventDraft& draft, const std::string& fields) {
  return "{\"type\":\"follow\",\"actor\":" + QuoteJson(draft.actor, false) +
         ",\"target\":" + QuoteJson(draft.targets[0], false) + fields + '}';
}

std::string NotJson(EventDraft, RandomSource& random) {
  static constexpr std::string_view kLines[] = {"this is not json",
                                                "{",
                                                "}",
                                                "\"",
                                                "   ",
                                                "{'type':'follow','actor':'1','target':'2'}",
                                                "type=follow&actor=1&target=2",
                                                "{\"type\":\"follow\",\"actor\":01,\"target\":2}",
                                                "nul"};
  return Pick(kLines, random);
}

std::string CutOff(EventDraft draft, RandomSource& random) {
  std::string line = WriteEventLine(draft, random);
  line.resize(random.Percent(30) ? line.size() - 1 : 1 + random.Below(line.size() - 1));
  return line;
}

std::string TrailingGarbage(EventDraft draft, RandomSource& random) {
  static constexpr std::string_view kTails[] = {"}", " x", ",", "{}", "\"\""};
  const std::string line = WriteEventLine(draft, random);  // its own statement: order of draws
  return line + Pick(kTails, random);
}

std::string BrokenUnknownField(EventDraft draft, RandomSource& random) {
  static constexpr std::string_view kFields[] = {",\"extra\":nope",    ",\"extra\":[1,}",
                                                 ",\"extra\":{\"a\"}", ",\"extra\":tru",
                                                 ",\"extra\":",        ",",
                                                 ",\"extra\" 1",       ",\"extra\":\"a\tb\"",
                                                 ",\"extra\":\"\\x\"", ",\"extra\":[1 2]"};
  return WithFields(draft, Pick(kFields, random));
}

std::string NotAnObject(EventDraft draft, RandomSource& random) {
  static constexpr std::string_view kLines[] = {"42", "\"follow\"", "true", "null", "[]", "-1.5"};
  if (random.Percent(40)) return '[' + WriteEventLine(draft, random) + ']';
  return Pick(kLines, random);
}

std::string MissingField(EventDraft draft, RandomSource& random) {
  const std::string time = std::to_string(draft.time_ms);
  static constexpr std::string_view kStarts[] = {
      R"({"actor":"1","target":"2")",
      R"({"type":"follow","target":"2")",
      R"({"type":"follow","actor":"1")",
      R"({"type":"like","actor":"1","targets":[])",
      R"({"type":null,"actor":"1","target":"2")",
      R"({"type":"follow","actor":null,"target":"2")",
      R"({"type":"follow","actor":"1","target":null)",
      R"({"type":"follow","actor":"","target":"2")",
      R"({"type":"follow","actor":"1","target":"")",
      R"({"type":"unmention","actor":"1","target":"2")",
      "{\"id\":\"e\"",
  };
  return Pick(kStarts, random) + ",\"time\":" + time + '}';
}

std::string WrongShape(EventDraft draft, RandomSource& random) {
  const std::string time = std::to_string(draft.time_ms);
  static constexpr std::string_view kStarts[] = {
      R"({"type":["follow"],"actor":"1","target":"2")",
      R"({"type":{"name":"follow"},"actor":"1","target":"2")",
      R"({"type":7,"actor":"1","target":"2")",
      R"({"type":"follow","actor":true,"target":"2")",
      R"({"type":"follow","actor":1.5,"target":"2")",
      R"({"type":"follow","actor":{"id":"1"},"target":"2")",
      R"({"type":"follow","actor":["1"],"target":"2")",
      R"({"type":"follow","actor":"1","target":false)",
      R"({"type":"follow","actor":"1","target":{"id":"2"})",
      R"({"type":"follow","actor":"1","targets":["2",[3]])",
  };
  return Pick(kStarts, random) + ",\"time\":" + time + '}';
}

std::string UnknownType(EventDraft draft, RandomSource& random) {
  static constexpr std::string_view kTypes[] = {"poke",      "Follow",  "likes",     "un",
                                                "unmessage", "follow ", "retracted", "føllow"};
  draft.type = Pick(kTypes, random);
  return WriteEventLine(draft, random);
}

std::string TooLongId(EventDraft draft, RandomSource& random) {
  const std::string id(kIdBytesTooMany, 'i');
  switch (random.Below(5)) {
    case 0:
      draft.id = id;
      break;
    case 1:
      draft.actor = id;
      break;
    case 2:
      draft.targets.push_back(id);
      break;
    case 3:
      draft.type = "like";
      draft.object = EventObject{"post", id, ""};
      break;
    default:  // fewer than 257 characters, but more than 256 bytes
      draft.actor = "é";
      while (draft.actor.size() <= kIdBytesTooMany) draft.actor += "é";
      break;
  }
  return WriteEventLine(draft, random);
}

std::string InvalidUtf8(EventDraft draft, RandomSource& random) {
  static constexpr std::string_view kBytes[] = {
      "\xff", "\xc3(", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80", "\xf8"};
  const std::string bytes = Pick(kBytes, random);
  if (random.Percent(30)) return WithFields(draft, ",\"extra\":\"" + bytes + '"');
  return WithFields(draft, ",\"text\":\"caf" + bytes + " society\"");
}

std::string LoneSurrogate(EventDraft draft, RandomSource&) {
  return WithFields(draft, ",\"text\":\"half \\ud83d of a pair\"");
}

std::string TooMuchText(EventDraft draft, RandomSource& random) {
  if (random.Percent(50)) {
    draft.text = std::string(kTextBytesTooMany, 'a');
  } else {  // fewer than 4,096 characters, but more than 4,096 bytes
    draft.text = "ab";
    while (draft.text->size() < kTextBytesTooMany) *draft.text += "ü";
  }
  return WriteEventLine(draft, random);
}

std::string TooLongTitle(EventDraft draft, RandomSource& random) {
  draft.object = EventObject{"post", "p1", std::string(kTitleBytesTooMany, 'T')};
  return WriteEventLine(draft, random);
}

std::string FarAhead(EventDraft draft, RandomSource& random) {
  draft.time_ms = kYear2090Ms + draft.time_ms % 1'000'000;
  return WriteEventLine(draft, random);
}

std::string NotATime(EventDraft draft, RandomSource& random) {
  static constexpr std::string_view kTimes[] = {",\"time\":\"yesterday\"",
                                                ",\"time\":\"2026-13-41T25:61:61Z\"",
                                                ",\"time\":{}", ",\"time\":\"\"", ",\"time\":true"};
  return WithFields(draft, Pick(kTimes, random));
}

constexpr Maker kMakers[] = {NotJson,      CutOff,       TrailingGarbage, BrokenUnknownField,
                             NotAnObject,  MissingField, WrongShape,      UnknownType,
                             TooLongId,    InvalidUtf8,  LoneSurrogate,   TooMuchText,
                             TooLongTitle, FarAhead,     NotATime};

}  // namespace

std::string MakeBadLine(EventDraft draft, RandomSource& random) {
  if (random.Below(kTooManyTargetsOneIn) == 0) {
    return MakeTooManyTargetsLine(std::move(draft), random);
  }
  return kMakers[random.Below(std::size(kMakers))](std::move(draft), random);
}

std::string MakeTooManyTargetsLine(EventDraft draft, RandomSource& random) {
  draft.targets.clear();
  for (size_t i = 1; i <= kTargetsTooMany; ++i) draft.targets.push_back(std::to_string(i));
  return WriteEventLine(draft, random);
}

}  // namespace bench
