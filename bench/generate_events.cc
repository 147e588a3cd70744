// generate_events: raw events for Herald as lines of JSON, ready for `kcat -P -t events -l FILE`,
// and the users that go with them. The same flags give the same bytes on every machine.

#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "bench/event_stories.h"
#include "bench/plain_events.h"

namespace bench {
namespace {

constexpr std::string_view kUsage =
    R"(usage: generate_events --out FILE [options]
  --out FILE          where the events go, one JSON value a line
  --users-out FILE    where the users go; most of the actors are among them, not all
  --events N          lines to write (default 200000)
  --users N           people who act and are notified (default 10000)
  --bad-percent P     lines that must be refused (default 1)
  --seed N            (default 1)
  --plain yes|no      yes: likes, follows and mentions alone, each to one user, all valid (default no)
  --first-user-percent P   with --plain: so many of 100 events go to the first user (default 0)
  --start-time T      `time` of the first event: ISO 8601 in UTC or epoch milliseconds
                      (default: six hours ago; name it to get the same bytes again)
)";
constexpr int64_t kDefaultAgeMs = 6 * 3'600'000;

struct Flags {
  std::string out;
  std::string users_out;
  uint64_t events = 200'000;
  EventStories::Options stories;
  bool plain = false;
  double first_user_percent = 0;
};

template <typename Number>
bool ParseNumber(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

bool SetFlag(Flags& flags, std::string_view name, std::string_view value) {
  if (name == "--out")
    flags.out = value;
  else if (name == "--users-out")
    flags.users_out = value;
  else if (name == "--events")
    return ParseNumber(value, flags.events);
  else if (name == "--users")
    return ParseNumber(value, flags.stories.users) && flags.stories.users > 1;
  else if (name == "--bad-percent") {
    return ParseNumber(value, flags.stories.bad_percent) && flags.stories.bad_percent >= 0 &&
           flags.stories.bad_percent <= 100;
  } else if (name == "--seed")
    return ParseNumber(value, flags.stories.seed);
  else if (name == "--plain") {
    flags.plain = value == "yes";
    return value == "yes" || value == "no";
  } else if (name == "--first-user-percent") {
    return ParseNumber(value, flags.first_user_percent) && flags.first_user_percent >= 0 &&
           flags.first_user_percent <= 100;
  } else if (name == "--start-time") {
    const std::optional<int64_t> time_ms = ParseTime(value);
    if (time_ms) flags.stories.start_time_ms = *time_ms;
    return time_ms.has_value();
  } else
    return false;
  return true;
}

int64_t SixHoursAgoMs() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now).count();
  return static_cast<int64_t>(seconds) * 1000 - kDefaultAgeMs;
}

/// Writes `count` lines that `next` makes; false when the file cannot be written.
template <typename Next>
bool WriteLines(const std::string& path, uint64_t count, Next next) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  for (uint64_t i = 0; i < count && file; ++i) file << next(i) << '\n';
  file.close();
  if (!file) std::cerr << "generate_events: cannot write " << path << "\n";
  return static_cast<bool>(file);
}

bool WriteUsers(const Flags& flags) {
  const Population population(flags.stories.users);
  std::ofstream file(flags.users_out, std::ios::binary | std::ios::trunc);
  for (size_t i = 0; i < population.users() && file; ++i) {
    if (flags.plain)
      file << PlainUserLine(i) << '\n';
    else if (Population::IsInUsersFile(i))
      file << population.UserLine(i) << '\n';
  }
  file.close();
  if (!file) std::cerr << "generate_events: cannot write " << flags.users_out << "\n";
  return static_cast<bool>(file);
}

int Main(int argc, char** argv) {
  Flags flags;
  flags.stories.start_time_ms = SixHoursAgoMs();
  for (int i = 1; i < argc; i += 2) {
    if (i + 1 == argc || !SetFlag(flags, argv[i], argv[i + 1])) {
      std::cerr << "generate_events: cannot use " << argv[i] << "\n" << kUsage;
      return 2;
    }
  }
  if (flags.out.empty() || (flags.first_user_percent > 0 && !flags.plain)) {
    std::cerr << kUsage;
    return 2;
  }
  EventStories stories(flags.stories);
  PlainEvents plain({flags.stories.seed, flags.stories.users, flags.first_user_percent,
                     flags.stories.start_time_ms});
  const auto next_line = [&](uint64_t) {
    return flags.plain ? plain.NextLine() : stories.NextLine();
  };
  if (!WriteLines(flags.out, flags.events, next_line)) return 1;
  if (!flags.users_out.empty() && !WriteUsers(flags)) return 1;
  std::cout << "seed=" << flags.stories.seed
            << " start-time=" << FormatIsoTime(flags.stories.start_time_ms)
            << " events=" << flags.events << " bad=" << stories.bad_lines()
            << " users=" << flags.stories.users << "\n";
  return 0;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) { return bench::Main(argc, argv); }
