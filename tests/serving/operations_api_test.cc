#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/serving/api_fixture.h"

namespace serving {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

using OperationsApiTest = ApiTest;

TEST_F(OperationsApiTest, ServesTheStatusAsItIsGiven) {
  Start();
  const Received received = Get("/v1/status");
  EXPECT_EQ(received.status, 200);
  EXPECT_EQ(received.headers.at("content-type"), "application/json");
  EXPECT_EQ(received.body, R"({"ready":true})");
}

TEST_F(OperationsApiTest, ServesMetricsInPrometheusTextFormat) {
  Start();
  Get("/health/live");
  const Received received = Get("/metrics");
  EXPECT_EQ(received.status, 200);
  EXPECT_EQ(received.headers.at("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_THAT(received.body, HasSubstr("# TYPE herald_http_requests_total counter"));
  EXPECT_THAT(received.body, HasSubstr("# TYPE herald_http_connections gauge"));
  EXPECT_THAT(received.body, HasSubstr("route=\"/health/live\""));
}

TEST_F(OperationsApiTest, IsReadyOnlyWhenEverythingIs) {
  ready = base::Status::Unavailable("waiting for partition 3 to be restored");
  Start();
  EXPECT_EQ(Get("/health/live").status, 200);
  EXPECT_THAT(Problem(Get("/health/ready"), 503)["detail"].get<std::string>(),
              HasSubstr("partition 3"));
  {
    const base::MutexLock lock(ready_mutex);
    ready = base::Status::Ok();
  }
  const Received received = Get("/health/ready");
  EXPECT_EQ(received.status, 200);
  EXPECT_EQ(received.body, R"({"status":"ready"})");
}

TEST_F(OperationsApiTest, ShowsAPageAtTheRoot) {
  Start();
  const Received received = Get("/");
  EXPECT_EQ(received.status, 200);
  EXPECT_EQ(received.headers.at("content-type"), "text/html; charset=utf-8");
  EXPECT_THAT(received.headers.at("content-security-policy"), HasSubstr("default-src 'none'"));
  EXPECT_THAT(received.body, StartsWith("<!doctype html>"));
  for (const char* link : {"href=\"/v1/status\"", "href=\"/metrics\"", "href=\"/health/ready\""}) {
    EXPECT_THAT(received.body, HasSubstr(link));
  }
  EXPECT_THAT(received.body, HasSubstr("<script src=\"/page.js\"></script>"));
  EXPECT_LT(received.body.size(), 12'000u);
}

TEST_F(OperationsApiTest, ThePageLoadsNothingFromElsewhereAndPutsNothingInAsHtml) {
  Start();
  const Received page = Get("/");
  EXPECT_THAT(page.headers.at("content-security-policy"),
              AllOf(HasSubstr("script-src 'self'"), HasSubstr("connect-src 'self'"),
                    Not(HasSubstr("script-src 'self' 'unsafe-inline'"))));
  const Received script = Get("/page.js");
  EXPECT_EQ(script.status, 200);
  EXPECT_EQ(script.headers.at("content-type"), "text/javascript; charset=utf-8");
  EXPECT_EQ(script.headers.at("x-content-type-options"), "nosniff");
  for (const std::string& text : {page.body, script.body}) {
    EXPECT_THAT(text, Not(HasSubstr("https://")));
    EXPECT_THAT(text, Not(HasSubstr("innerHTML")));
    EXPECT_THAT(text, Not(HasSubstr("insertAdjacentHTML")));
    EXPECT_THAT(text, Not(HasSubstr(" onclick=")));
  }
  EXPECT_LT(script.body.size(), 24'000u);
}

TEST_F(OperationsApiTest, KnowsNothingElseOutsideOfV1) {
  Start();
  for (const char* target : {"/favicon.ico", "/metrics/", "/status", "/health"}) {
    const Received received = Get(target);
    EXPECT_EQ(received.status, 404) << target;
    EXPECT_EQ(received.headers.at("content-type"), "text/plain") << target;
    EXPECT_EQ(received.body, "404 page not found") << target;
  }
  EXPECT_EQ(Post("/metrics", "x").status, 404);
}

}  // namespace
}  // namespace serving
