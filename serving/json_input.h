#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "base/status.h"

// For JSON that comes with a request; of this folder's .cc files only.
namespace serving {

/// Arrays and objects within each other in a request's body at most. Our own fields need three;
/// without a limit a body of brackets would exhaust the stack.
inline constexpr size_t kJsonDepthMax = 64;

/// Reads one JSON document; object members keep their order.
/// Errors: InvalidArgument with a sentence that says where it breaks.
base::Status ReadJson(std::string_view text, nlohmann::ordered_json& json);

bool IsUtf8(std::string_view text);

}  // namespace serving
