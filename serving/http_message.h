#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What a request handler sees of HTTP: plain values, no library's types.
namespace serving {

using NamesAndValues = std::vector<std::pair<std::string, std::string>>;

/// A whole request. The server has checked its form and limits, the Router fills in what comes from
/// matching the path.
struct Request {
  /// As sent, e.g. "GET"; HEAD stays HEAD although a GET handler serves it.
  std::string method;
  /// As sent, still percent-encoded: "/v1/users/1/inbox?limit=5". Begins with '/'.
  std::string target;
  /// In order of arrival, names as sent.
  NamesAndValues headers;
  std::string body;

  /// Decoded, in order; filled by the Router.
  NamesAndValues query;
  /// The values of the pattern's `{name}` segments, decoded, never empty; filled by the Router.
  NamesAndValues path_parameters;

  /// The target up to the '?', still encoded.
  std::string_view path() const;

  /// The first header of that name (case does not matter), or nullopt.
  std::optional<std::string_view> Header(std::string_view name) const;

  /// The first query parameter of that name, or nullopt.
  std::optional<std::string_view> Query(std::string_view name) const;

  /// REQUIRES: the route's pattern has a `{name}` segment.
  const std::string& PathParameter(std::string_view name) const;
};

/// A whole response. The server adds Content-Length, Date, Connection and X-Content-Type-Options;
/// all else is sent as it stands here.
struct Response {
  int status = 200;
  /// Empty: no Content-Type header.
  std::string content_type;
  /// Further headers, in order. One whose name or value could break out of its line turns the
  /// whole response into a 500.
  NamesAndValues headers;
  std::string body;

  /// The `route` label of the metrics: a route's pattern, never a raw path. Set by the Router;
  /// outlives the response.
  std::string_view route = "none";
};

/// Answers one request. Call it once, from any thread, at once or later; calls after the first and
/// calls after the request's time is over are ignored. Never blocks. May outlive the server.
using Respond = std::function<void(Response)>;

/// Handles one request; runs on a server thread, so it must not block. The handler keeps `respond`
/// when it has to wait for something.
using Handler = std::function<void(Request request, Respond respond)>;

}  // namespace serving
