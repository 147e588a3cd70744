#pragma once

#include <optional>
#include <string_view>

#include "serving/problem.h"

namespace serving {

/// What is wrong with a user id out of a path: too long, or not UTF-8. nullopt: nothing.
std::optional<Problem> CheckUserId(std::string_view user);

}  // namespace serving
