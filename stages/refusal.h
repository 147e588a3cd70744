#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/status.h"

namespace stages {

/// Why a record is refused: the `reason` label of the dead-letter metric, so few and fixed.
namespace refusal {
inline constexpr std::string_view kNotJson = "not-json";
inline constexpr std::string_view kInvalidUtf8 = "invalid-utf8";
inline constexpr std::string_view kNullValue = "null-value";
inline constexpr std::string_view kWrongShape = "wrong-shape";
inline constexpr std::string_view kMissingField = "missing-field";
inline constexpr std::string_view kUnknownType = "unknown-type";
inline constexpr std::string_view kLimit = "limit";
inline constexpr std::string_view kTimeAhead = "time-ahead";
inline constexpr std::array kAll = {kNotJson,      kInvalidUtf8, kNullValue, kWrongShape,
                                    kMissingField, kUnknownType, kLimit,     kTimeAhead};
}  // namespace refusal

/// InvalidArgument with the message "<code>: <text>"; the text names the field, never its value.
base::Status Refuse(std::string_view code, std::string_view text);

}  // namespace stages
