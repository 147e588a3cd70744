#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/serving/api_fixture.h"

namespace serving {
namespace {

using testing::HasSubstr;
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
  EXPECT_LT(received.body.size(), 8000u);
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
