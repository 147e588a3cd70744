#include "serving/http_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "serving/http_server.h"
#include "serving/server_address.h"
#include "tests/serving/scripted_server.h"

namespace serving {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

constexpr milliseconds kLong{10'000};

Request Get(std::string target) {
  Request request;
  request.method = "GET";
  request.target = std::move(target);
  return request;
}

HttpServer::Options Listening(const HttpLimits& limits = {}) {
  HttpServer::Options options;
  options.listen = {"127.0.0.1:0"};
  options.limits = limits;
  return options;
}

TEST(HttpClientCall, SendsTheRequestAndReturnsTheWholeAnswer) {
  Request seen;
  HttpServer server(Listening());
  auto bound = server.Start([&seen](Request request, const Respond& respond) {
    seen = std::move(request);
    Response response;
    response.status = 429;
    response.content_type = "application/problem+json";
    response.headers = {{"Retry-After", "7"}};
    response.body = "{}";
    respond(std::move(response));
  });
  ASSERT_TRUE(bound.ok());
  Request request;
  request.method = "POST";
  request.target = "/v1/events?x=%20";
  request.headers = {{"Content-Type", "application/json"}};
  request.body = std::string(100'000, 'b');
  for (const std::string& name : {bound->front(), "http://" + bound->front() + "/"}) {
    const auto response = Call(name, request, kLong);
    ASSERT_TRUE(response.ok()) << response.status().ToString();
    EXPECT_EQ(response->status, 429);
    EXPECT_EQ(response->content_type, "application/problem+json");
    EXPECT_THAT(response->headers, ElementsAre(Pair("Retry-After", "7")));
    EXPECT_EQ(response->body, "{}");
    EXPECT_EQ(seen.method, "POST");
    EXPECT_EQ(seen.target, "/v1/events?x=%20");
    EXPECT_EQ(seen.Header("Host"), bound->front());
    EXPECT_EQ(seen.Header("Content-Type"), "application/json");
    EXPECT_EQ(seen.body, request.body);
  }
}

TEST(HttpClientCall, TakesAnAnswerThatComesBeforeTheRequestWasRead) {
  HttpLimits limits;
  limits.body_bytes_max = 10;
  HttpServer server(Listening(limits));
  auto bound = server.Start([](const Request&, const Respond& respond) { respond(Response()); });
  ASSERT_TRUE(bound.ok());
  Request request = Get("/");
  request.method = "POST";
  request.body = std::string(size_t{4} << 20, 'b');
  const auto response = Call(bound->front(), request, kLong);
  ASSERT_TRUE(response.ok()) << response.status().ToString();
  EXPECT_EQ(response->status, 413);
}

TEST(HttpClientCall, NamesTheServerThatCannotBeReached) {
  const std::string dead = DeadAddress();
  const auto response = Call(dead, Get("/"), kLong);
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.status().code(), base::StatusCode::kUnavailable);
  EXPECT_THAT(response.status().message(), AllOf(HasSubstr(dead), HasSubstr("refused")));
}

TEST(HttpClientCall, EndsWhenNoAnswerComesInTime) {
  Respond kept;
  HttpServer server(Listening());
  auto bound =
      server.Start([&kept](const Request&, Respond respond) { kept = std::move(respond); });
  ASSERT_TRUE(bound.ok());
  const auto response = Call(bound->front(), Get("/"), milliseconds(20));
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.status().code(), base::StatusCode::kUnavailable);
  EXPECT_THAT(response.status().message(),
              AllOf(HasSubstr(bound->front()), HasSubstr("within 20 ms")));
}

TEST(HttpClientCall, RefusesWhatIsNoWholeAnswer) {
  struct Case {
    std::string answer;
    base::StatusCode code;
    std::string says;
  };
  for (const Case& each :
       std::vector<Case>{{"", base::StatusCode::kUnavailable, "closed the connection"},
                         {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
                          base::StatusCode::kUnavailable, "closed the connection"},
                         {"220 mail.example ESMTP\r\n", base::StatusCode::kFatal, "not HTTP"},
                         {"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
                          base::StatusCode::kFatal, "larger than"}}) {
    ScriptedServer server({{each.answer}});
    const auto response = Call(server.address(), Get("/"), kLong);
    ASSERT_FALSE(response.ok()) << each.answer;
    EXPECT_EQ(response.status().code(), each.code) << response.status().ToString();
    EXPECT_THAT(response.status().message(),
                AllOf(HasSubstr(server.address()), HasSubstr(each.says)));
  }
}

TEST(HttpClientCall, RefusesAnAddressThatItCannotRead) {
  const auto response = Call("localhost", Get("/"), kLong);
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.status().code(), base::StatusCode::kInvalidArgument);
}

TEST(ServerAddress, ReadsHostAndPort) {
  struct Case {
    std::string text;
    std::string host;
    std::string again;
  };
  for (const Case& each : std::vector<Case>{
           {"127.0.0.1:8080", "127.0.0.1", "127.0.0.1:8080"},
           {"http://localhost:8080", "localhost", "localhost:8080"},
           {"http://herald-1.example:08080/", "herald-1.example", "herald-1.example:8080"},
           {"[::1]:8080", "::1", "[::1]:8080"}}) {
    const auto address = ParseServerAddress(each.text);
    ASSERT_TRUE(address.ok()) << address.status().ToString();
    EXPECT_EQ(address->host, each.host);
    EXPECT_EQ(address->port, "8080");
    EXPECT_EQ(address->ToText(), each.again);
  }
}

TEST(ServerAddress, QuotesWhatItCannotRead) {
  for (const char* wrong :
       {"", "localhost", ":8080", "localhost:", "localhost:0", "localhost:65536", "localhost:x",
        "::1:8080", "[::1]", "https://localhost:8080", "http://localhost:8080/v1", "a b:80",
        "a\r\nX: b:80", "me@localhost:8080"}) {
    const auto address = ParseServerAddress(wrong);
    ASSERT_FALSE(address.ok()) << wrong;
    EXPECT_EQ(address.status().code(), base::StatusCode::kInvalidArgument);
    EXPECT_THAT(address.status().message(), HasSubstr("\"" + std::string(wrong) + "\""));
  }
}

}  // namespace
}  // namespace serving
