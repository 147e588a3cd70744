#include "serving/operations_api.h"

#include <chrono>
#include <string>
#include <utility>

#include "serving/http_message.h"
#include "serving/index_page.h"
#include "serving/problem.h"
#include "serving/router.h"

namespace serving {
namespace {

Response Answer(std::string content_type, std::string body) {
  Response response;
  response.content_type = std::move(content_type);
  response.body = std::move(body);
  return response;
}

}  // namespace

void OperationsApi::AddRoutes(Router& router) {
  router.Add("GET", "/v1/status", [this](const Request&, const Respond& respond) {
    respond(Answer("application/json", backend_.status_json()));
  });
  router.Add("GET", "/metrics", [this](const Request&, const Respond& respond) {
    respond(Answer("text/plain; version=0.0.4; charset=utf-8", backend_.metrics->Serialize()));
  });
  router.Add("GET", "/health/live", [](const Request&, const Respond& respond) {
    respond(Answer("application/json", R"({"status":"live"})"));
  });
  router.Add("GET", "/health/ready", [this](const Request&, const Respond& respond) {
    const base::Status ready = backend_.readiness();
    if (ready.ok()) return respond(Answer("application/json", R"({"status":"ready"})"));
    respond(ToResponse({.status = 503,
                        .detail = "Not ready: " + ready.message() + ".",
                        .retry_after = std::chrono::seconds(1)}));
  });
  router.Add("GET", "/", [](const Request&, const Respond& respond) {
    Response response = Answer("text/html; charset=utf-8", IndexPage());
    response.headers.emplace_back("Content-Security-Policy",
                                  "default-src 'none'; style-src 'unsafe-inline'; "
                                  "script-src 'self'; connect-src 'self'; "
                                  "frame-ancestors 'none'; base-uri 'none'; form-action 'none'");
    respond(std::move(response));
  });
  router.Add("GET", "/page.js", [](const Request&, const Respond& respond) {
    respond(Answer("text/javascript; charset=utf-8", PageScript()));
  });
}

}  // namespace serving
