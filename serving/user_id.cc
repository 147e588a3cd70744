#include "serving/user_id.h"

#include <string>

#include "serving/json_input.h"
#include "stages/field_values.h"

namespace serving {

std::optional<Problem> CheckUserId(std::string_view user) {
  if (user.size() > stages::kIdBytesMax) {
    return Problem{
        .status = 400,
        .detail = "The user id is longer than " + std::to_string(stages::kIdBytesMax) + " bytes.",
        .field = "user"};
  }
  if (!IsUtf8(user)) {
    return Problem{.status = 400, .detail = "The user id is not UTF-8.", .field = "user"};
  }
  return std::nullopt;
}

}  // namespace serving
