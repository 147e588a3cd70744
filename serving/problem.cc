#include "serving/problem.h"

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

namespace serving {

std::string_view ReasonPhrase(int status) {
  static constexpr std::array<std::pair<int, std::string_view>, 25> kPhrases{{
      {100, "Continue"},
      {200, "OK"},
      {201, "Created"},
      {202, "Accepted"},
      {204, "No Content"},
      {301, "Moved Permanently"},
      {304, "Not Modified"},
      {307, "Temporary Redirect"},
      {400, "Bad Request"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {408, "Request Timeout"},
      {409, "Conflict"},
      {413, "Content Too Large"},
      {414, "URI Too Long"},
      {415, "Unsupported Media Type"},
      {417, "Expectation Failed"},
      {421, "Misdirected Request"},
      {429, "Too Many Requests"},
      {431, "Request Header Fields Too Large"},
      {500, "Internal Server Error"},
      {501, "Not Implemented"},
      {503, "Service Unavailable"},
      {504, "Gateway Timeout"},
      {505, "HTTP Version Not Supported"},
  }};
  for (const auto& [code, phrase] : kPhrases) {
    if (code == status) return phrase;
  }
  return "Error";
}

Response ToResponse(const Problem& problem) {
  nlohmann::ordered_json json;
  json["type"] = "about:blank";
  json["title"] = ReasonPhrase(problem.status);
  json["status"] = problem.status;
  if (!problem.detail.empty()) json["detail"] = problem.detail;
  if (problem.index.has_value()) json["index"] = *problem.index;
  if (!problem.field.empty()) json["field"] = problem.field;
  if (!problem.ids.empty()) json["ids"] = problem.ids;

  Response response;
  response.status = problem.status;
  response.content_type = "application/problem+json";
  response.body = json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  if (problem.retry_after.has_value()) {
    response.headers.emplace_back("Retry-After", std::to_string(problem.retry_after->count()));
  }
  return response;
}

Response Unavailable(std::string_view detail) {
  return ToResponse(
      {.status = 503, .detail = std::string(detail), .retry_after = std::chrono::seconds(1)});
}

Response MayHaveBeenApplied(std::string_view why) {
  return Unavailable(std::string(why) + " The change may have been applied.");
}

}  // namespace serving
