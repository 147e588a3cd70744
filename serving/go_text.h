#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

/// Text as Go's standard library reads and writes it: the clients of kafka-notify know its answers
/// to the byte.
namespace serving {

/// strconv.Atoi on a 64-bit machine: the number, or the text of the error
/// (`strconv.Atoi: parsing "x": invalid syntax`).
std::variant<int64_t, std::string> GoAtoi(std::string_view text);

/// strconv.Quote: in quotes, with escapes for what cannot be printed. Code points that Unicode has
/// not assigned count as printable here, which needs no table of a Unicode version.
std::string GoQuote(std::string_view text);

/// Appends `text` as encoding/json writes a string: with <, >, & and the line separators escaped,
/// and U+FFFD for each byte that is not UTF-8.
void AppendGoJsonString(std::string& out, std::string_view text);

/// The text with U+FFFD for each byte that is not UTF-8, as it comes out of encoding/json.
std::string ReplaceInvalidUtf8(std::string_view text);

/// url.URL.String() of a decoded path: what may not stand in a path is percent-encoded.
std::string GoEscapePath(std::string_view path);

/// html.EscapeString.
std::string GoEscapeHtml(std::string_view text);

}  // namespace serving
