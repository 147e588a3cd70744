#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "serving/http_message.h"

namespace serving {

/// The text with each %XX as its byte; nullopt when a '%' is not followed by two hex digits.
std::optional<std::string> PercentDecode(std::string_view text);

/// As above, and '+' is a space: a name or value of a query or an urlencoded form.
std::optional<std::string> DecodeFormText(std::string_view text);

/// The segments of a path that begins with '/', as they stand: "/a/b/" gives "a", "b", "".
std::vector<std::string> SplitPath(std::string_view path);

/// The decoded segments of a path that begins with '/': "/a/b%2Fc/" gives "a", "b/c", "". Splits
/// before decoding, so an encoded slash stays inside its segment. nullopt: bad encoding.
std::optional<std::vector<std::string>> DecodePath(std::string_view path);

/// The parameters of a query string (without '?'), where '+' is a space. nullopt: bad encoding.
std::optional<NamesAndValues> DecodeQuery(std::string_view query);

}  // namespace serving
