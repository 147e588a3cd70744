#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "serving/http_message.h"

namespace serving {

/// An error in the form of RFC 9457, `application/problem+json`.
struct Problem {
  int status = 500;
  /// One sentence for people that says what is wrong with this request.
  std::string detail = {};
  /// The number in the array of the element that is wrong, from 0.
  std::optional<size_t> index = {};
  /// The field or parameter that is wrong.
  std::string field = {};
  /// Ids of what may have been applied all the same, for sending again.
  std::vector<std::string> ids = {};
  /// Sent as Retry-After, whole seconds.
  std::optional<std::chrono::seconds> retry_after = {};
};

/// Bytes in `detail` that are not UTF-8 are replaced.
Response ToResponse(const Problem& problem);

/// What cannot be had now and may be had soon: 503, and when to come again.
Response Unavailable(std::string_view detail);

/// A change of which nobody here knows whether it was made: 503, after the sentence `why`.
Response MayHaveBeenApplied(std::string_view why);

/// The words that belong to a status code: "Not Found"; "Error" for one we do not use.
std::string_view ReasonPhrase(int status);

}  // namespace serving
