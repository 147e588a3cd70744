#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "serving/http_message.h"

namespace serving {

/// Finds the handler of a request by method and path.
///
/// A pattern is literal segments and `{name}` segments, each of which takes one non-empty segment:
/// "/v1/users/{user}/inbox". GET routes serve HEAD too. Under /v1 the rest is answered with
/// problems: 404 for an unknown path, 405 with Allow for another method, 400 for bad
/// percent-encoding. Elsewhere everything unknown is a plain 404.
///
/// Threads: Add() before the first Handle(); Handle() from any. Outlives the responses to its
/// requests.
class Router {
 public:
  void Add(std::string_view method, std::string_view pattern, Handler handler);

  void Handle(Request request, Respond respond) const;

 private:
  struct Route {
    std::string method;
    std::string pattern;
    std::vector<std::string> segments;
    Handler handler;
  };

  static bool Matches(const Route& route, const std::vector<std::string>& path);

  // A deque keeps the patterns where they are: responses refer to them.
  std::deque<Route> routes_;
};

}  // namespace serving
