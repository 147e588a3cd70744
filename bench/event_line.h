#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/random_source.h"

namespace bench {

/// What an event is about. An empty `type` or `title` is left out of the line.
struct EventObject {
  std::string type;
  std::string id;
  std::string title;
};

/// A raw event before it is written down. Empty strings are left out of the line.
struct EventDraft {
  std::string id;
  std::string type;
  std::string actor;
  std::vector<std::string> targets;
  std::optional<EventObject> object;
  std::optional<std::string> text;
  std::string undo_of;
  int64_t time_ms = 0;
};

/// `draft` as one line of JSON without a line break at its end. How it is written is drawn from
/// `random`: order of the fields, blanks, ids as integers where they are decimal, `target` or
/// `targets`, time as ISO 8601 or as epoch milliseconds, \u escapes, fields that nobody knows.
std::string WriteEventLine(const EventDraft& draft, RandomSource& random);

/// `text` in JSON quotes; with `ascii_only` everything above 127 as \u escapes.
/// REQUIRES: valid UTF-8.
std::string QuoteJson(std::string_view text, bool ascii_only);

/// "2026-11-21T05:00:00.000Z"
std::string FormatIsoTime(int64_t epoch_ms);

/// The reverse, for `--start-time`: epoch milliseconds, or "YYYY-MM-DDTHH:MM:SS[.mmm]Z".
std::optional<int64_t> ParseTime(std::string_view text);

}  // namespace bench
