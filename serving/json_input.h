#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "base/status.h"

// For JSON that comes with a request; of this folder's .cc files only.
namespace serving {

/// Arrays and objects within each other in a request's body at most: without a limit a body of
/// brackets would exhaust the stack. A little above what the decoders of events and users take, so
/// that it is them who decide.
inline constexpr size_t kJsonDepthMax = 260;

/// Reads one JSON document; object members keep their order.
/// Errors: InvalidArgument with a sentence that says where it breaks.
base::Status ReadJson(std::string_view text, nlohmann::ordered_json& json);

bool IsUtf8(std::string_view text);

}  // namespace serving
