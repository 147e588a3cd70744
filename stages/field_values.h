#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "stages/json_reader.h"

/// From JSON values to the fields of our types; every refusal names the field.
namespace stages {

/// Bytes of an id (event, user, object) at most.
inline constexpr size_t kIdBytesMax = 256;

/// Takes an id: a string, or an integer as decimal text. Missing and empty both give "".
/// Errors: wrong-shape, limit.
base::Status TakeId(const JsonValue& value, std::string_view field, std::string& id);

/// Takes a string of at most `bytes_max` bytes; nullopt when it is missing.
/// Errors: wrong-shape, limit.
base::Status TakeText(const JsonValue& value, std::string_view field, size_t bytes_max,
                      std::optional<std::string>& text);

/// Takes a string that must be there, empty or not.
/// Errors: missing-field, wrong-shape, limit.
base::Status TakeRequiredText(const JsonValue& value, std::string_view field, size_t bytes_max,
                              std::string& text);

/// Takes an integer that must be there.
/// Errors: missing-field, wrong-shape (also when it does not fit 64 bits).
base::Status TakeInteger(const JsonValue& value, std::string_view field, int64_t& number);

/// "limit: <field> is larger than <max> bytes"
base::Status RefuseSize(std::string_view field, size_t bytes_max);

}  // namespace stages
