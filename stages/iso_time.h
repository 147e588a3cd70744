#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace stages {

/// The times that we can write: from year 1 to the end of year 9999, milliseconds since 1970 UTC.
inline constexpr int64_t kTimeMsMin = -62'135'596'800'000;
inline constexpr int64_t kTimeMsMax = 253'402'300'799'999;

/// Reads ISO 8601 with date, time to the second, any fraction (cut to milliseconds) and "Z" or an
/// offset: "2026-11-21T05:00:00Z", "2026-11-21T07:00:00.25+02:00". nullopt for anything else, and
/// for what lies outside of kTimeMsMin … kTimeMsMax.
std::optional<int64_t> ParseIsoTime(std::string_view text);

/// Appends "2026-11-21T05:00:00.000Z". REQUIRES: kTimeMsMin <= time_ms <= kTimeMsMax.
void AppendIsoTime(std::string& out, int64_t time_ms);

}  // namespace stages
