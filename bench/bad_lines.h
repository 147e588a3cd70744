#pragma once

#include <string>

#include "bench/event_line.h"
#include "bench/population.h"
#include "bench/random_source.h"

namespace bench {

/// Bytes of the line with 10,001 targets are many: so rarely is it drawn among the bad ones.
inline constexpr int kTooManyTargetsOneIn = 250;

/// A line that Herald must refuse: not JSON, of the wrong shape, over a limit, invalid UTF-8, a
/// time far ahead. `draft` is the good event that it spoils. Never empty, no line break inside.
std::string MakeBadLine(EventDraft draft, RandomSource& random);

/// A good event but for its 10,001 targets, one more than allowed.
std::string MakeTooManyTargetsLine(EventDraft draft, RandomSource& random);

}  // namespace bench
