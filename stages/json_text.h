#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// Appends JSON to a string, for records that are written a million times a minute.
namespace stages {

/// How many bytes at the beginning of `text` stand in JSON as they are: up to the first quote,
/// backslash or control character.
size_t PlainLength(std::string_view text);

/// Appends `text` in quotes, escaped where JSON demands it. REQUIRES: valid UTF-8.
void AppendJsonString(std::string& out, std::string_view text);

/// As above; null when there is none.
void AppendJsonString(std::string& out, const std::optional<std::string>& text);

void AppendDecimal(std::string& out, int64_t number);

}  // namespace stages
