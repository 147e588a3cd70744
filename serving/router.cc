#include "serving/router.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "serving/problem.h"
#include "serving/uri.h"

namespace serving {
namespace {

constexpr std::string_view kUnmatchedRoute = "other";

bool IsParameter(std::string_view segment) {
  return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}

bool IsUnderV1(std::string_view path) { return path == "/v1" || path.starts_with("/v1/"); }

void Refuse(const Problem& problem, const Respond& respond) {
  Response response = ToResponse(problem);
  response.route = kUnmatchedRoute;
  respond(std::move(response));
}

void AddAllowed(std::string& allowed, std::string_view method) {
  if (!allowed.empty()) allowed += ", ";
  allowed += method;
  if (method == "GET") allowed += ", HEAD";
}

}  // namespace

Response PlainNotFound() {
  Response response;
  response.status = 404;
  response.content_type = "text/plain";
  response.body = "404 page not found";
  return response;
}

void Router::Add(std::string_view method, std::string_view pattern, Handler handler) {
  auto segments = DecodePath(pattern);
  CHECK(segments.has_value(), "a pattern is a path");
  const auto parameters = std::count_if(segments->begin(), segments->end(), IsParameter);
  routes_.push_back(std::make_shared<const Route>(
      Route{std::string(method), std::string(pattern), std::move(*segments),
            static_cast<size_t>(parameters), std::move(handler)}));
}

void Router::VisitRoutes(
    const std::function<void(std::string_view method, std::string_view pattern)>& visit) const {
  for (const auto& route : routes_) visit(route->method, route->pattern);
}

bool Router::Matches(const Route& route, const std::vector<std::string>& path) {
  if (route.segments.size() != path.size()) return false;
  for (size_t i = 0; i < path.size(); ++i) {
    const std::string& segment = route.segments[i];
    if (IsParameter(segment) ? path[i].empty() : segment != path[i]) return false;
  }
  return true;
}

std::optional<std::vector<std::string>> Router::Segments(std::string_view path, bool under_v1) {
  if (under_v1) return DecodePath(path);
  const auto decoded = PercentDecode(path);
  if (!decoded.has_value()) return std::nullopt;
  return SplitPath(*decoded);
}

std::string_view Router::PatternFor(const std::vector<std::string>& path) const {
  const Route* best = nullptr;
  for (const auto& shared : routes_) {
    const Route& route = *shared;
    if (best != nullptr && route.parameters >= best->parameters) continue;
    if (Matches(route, path)) best = &route;
  }
  return best == nullptr ? std::string_view() : best->pattern;
}

void Router::Handle(Request request, Respond respond) const {
  const std::string_view target = request.target;
  const bool under_v1 = IsUnderV1(request.path());
  const size_t question = target.find('?');
  auto path = Segments(request.path(), under_v1);
  auto query = DecodeQuery(question == std::string_view::npos ? std::string_view()
                                                              : target.substr(question + 1));
  if (under_v1 && !path.has_value()) {
    return Refuse({.status = 400, .detail = "The path's percent-encoding is broken."}, respond);
  }
  if (under_v1 && !query.has_value()) {
    return Refuse({.status = 400, .detail = "The query's percent-encoding is broken."}, respond);
  }

  std::string allowed;
  if (path.has_value()) {
    const std::string_view pattern = PatternFor(*path);
    for (const auto& shared : routes_) {
      const Route& route = *shared;
      if (route.pattern != pattern) continue;
      const bool serves =
          route.method == request.method || (route.method == "GET" && request.method == "HEAD");
      if (!serves) {
        AddAllowed(allowed, route.method);
        continue;
      }
      request.query = query.value_or(NamesAndValues());
      for (size_t i = 0; i < path->size(); ++i) {
        const std::string_view segment = route.segments[i];
        if (!IsParameter(segment)) continue;
        request.path_parameters.emplace_back(segment.substr(1, segment.size() - 2),
                                             std::move((*path)[i]));
      }
      return route.handler(std::move(request),
                           [respond = std::move(respond), shared](Response response) {
                             response.route = shared->pattern;
                             respond(std::move(response));
                           });
    }
  }

  if (!under_v1) {
    Response response = PlainNotFound();
    response.route = kUnmatchedRoute;
    return respond(std::move(response));
  }
  if (allowed.empty()) {
    return Refuse({.status = 404, .detail = "There is nothing at this path."}, respond);
  }
  Response response =
      ToResponse({.status = 405, .detail = "This path answers to " + allowed + " only."});
  response.headers.emplace_back("Allow", allowed);
  response.route = kUnmatchedRoute;
  respond(std::move(response));
}

}  // namespace serving
