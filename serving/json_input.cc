#include "serving/json_input.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

namespace serving {
namespace {

/// The deepest nesting of brackets outside of strings; right for JSON, harmless for the rest.
size_t Depth(std::string_view text) {
  size_t depth = 0;
  size_t deepest = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return deepest;
}

}  // namespace

base::Status ReadJson(std::string_view text, nlohmann::ordered_json& json) {
  if (Depth(text) > kJsonDepthMax) {
    return base::Status::InvalidArgument("The body's JSON is nested more than " +
                                         std::to_string(kJsonDepthMax) + " deep.");
  }
  try {
    json = nlohmann::ordered_json::parse(text);
  } catch (const nlohmann::ordered_json::parse_error& error) {
    return base::Status::InvalidArgument("The body is not JSON in UTF-8; it breaks at byte " +
                                         std::to_string(error.byte) + ".");
  } catch (const nlohmann::ordered_json::exception&) {
    return base::Status::InvalidArgument("The body holds a number that is out of range.");
  }
  return base::Status::Ok();
}

bool IsUtf8(std::string_view text) {
  // ASCII is, and so are most of the texts that anybody asks about.
  if (std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; })) return true;
  try {
    static_cast<void>(nlohmann::json(text).dump());
    return true;
  } catch (const nlohmann::json::type_error&) {
    return false;
  }
}

}  // namespace serving
