#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "serving/http_message.h"

namespace serving {

/// 404 "404 page not found", as text.
Response PlainNotFound();

/// Finds the handler of a request by method and path.
///
/// A pattern is literal segments and `{name}` segments, each of which takes one non-empty segment:
/// "/v1/users/{user}/inbox". Of several patterns that take a path the one with the fewest `{name}`
/// segments counts, whatever its methods. GET routes serve HEAD too.
///
/// Under /v1 a path is split before it is decoded, so a segment may hold an encoded slash, and what
/// no route takes is answered with problems: 404 for an unknown path, 405 with Allow for another
/// method, 400 for bad percent-encoding. Elsewhere a path is decoded first, as the clients of
/// kafka-notify know it, and everything unknown is PlainNotFound().
///
/// Threads: Add() before the first Handle(); Handle() from any. May be destroyed before the
/// responses to its requests come.
class Router {
 public:
  void Add(std::string_view method, std::string_view pattern, Handler handler);

  /// Calls `visit` with method and pattern of each route.
  void VisitRoutes(
      const std::function<void(std::string_view method, std::string_view pattern)>& visit) const;

  void Handle(Request request, Respond respond) const;

 private:
  struct Route {
    std::string method;
    std::string pattern;
    std::vector<std::string> segments;
    size_t parameters = 0;
    Handler handler;
  };

  static bool Matches(const Route& route, const std::vector<std::string>& path);
  static std::optional<std::vector<std::string>> Segments(std::string_view path, bool under_v1);

  /// The pattern that counts for the path; "" when none takes it.
  std::string_view PatternFor(const std::vector<std::string>& path) const;

  // Shared with the responses that are still to come: they may outlive the Router.
  std::vector<std::shared_ptr<const Route>> routes_;
};

}  // namespace serving
