#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "bench/population.h"
#include "bench/random_source.h"

namespace bench {

/// An endless seeded stream of the events that a healthy network sends, for measuring speed: 60 %
/// likes, 20 % follows, 20 % mentions, each to one other user, some 125 bytes a line, times rising.
/// No undos, no odd ids, nothing that is refused; `EventStories` is for those.
///
/// Of a like, actor and object are drawn from so many that repeats are rare, as in life.
class PlainEvents {
 public:
  struct Options {
    uint64_t seed = 1;
    size_t users = 10'000;
    /// Of 100 events so many go to the first user; the others as the Zipf ranks say.
    double first_user_percent = 0;
    int64_t start_time_ms = 0;
  };

  explicit PlainEvents(const Options& options)
      : options_(options), random_(options.seed), recipients_(options.users) {}

  /// The next line, without a line break.
  std::string NextLine();

 private:
  const Options options_;
  RandomSource random_;
  const Population recipients_;
  uint64_t lines_ = 0;
};

/// A user of the plain world as one line of JSON; `index` from 0.
std::string PlainUserLine(size_t index);

}  // namespace bench
