#include "serving/http_forwarder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <optional>

#include "base/metrics.h"
#include "base/mutex.h"
#include "serving/http_server.h"
#include "tests/serving/scripted_server.h"

namespace serving {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;
using testing::StartsWith;

Request Get(std::string target) {
  Request request;
  request.method = "GET";
  request.target = std::move(target);
  return request;
}

pipeline::Instance At(std::string address) { return {.id = "b", .address = std::move(address)}; }

/// Keeps requests until the test answers them.
class Gate {
 public:
  Handler AsHandler() {
    return [this](Request, Respond respond) {
      const base::MutexLock lock(mutex_);
      waiting_.push_back(std::move(respond));
      changed_.NotifyAll();
    };
  }
  /// Waits until so many requests have come.
  void WaitFor(size_t requests) {
    const base::MutexLock lock(mutex_);
    changed_.Wait(mutex_, [&]() REQUIRES(mutex_) { return waiting_.size() >= requests; });
  }
  size_t requests() {
    const base::MutexLock lock(mutex_);
    return waiting_.size();
  }
  void Answer(size_t request) {
    const base::MutexLock lock(mutex_);
    waiting_[request](Response());
  }

 private:
  base::Mutex mutex_;
  base::ConditionVariable changed_;
  std::vector<Respond> waiting_ GUARDED_BY(mutex_);
};

class HttpForwarderTest : public testing::Test {
 protected:
  void Start(Handler handler) {
    HttpServer::Options options;
    options.listen = {"127.0.0.1:0"};
    server = std::make_unique<HttpServer>(options);
    auto bound = server->Start(std::move(handler));
    ASSERT_TRUE(bound.ok()) << bound.status().ToString();
    address = bound->front();
  }

  HttpForwarder& forwarder() {
    if (!forwarder_.has_value()) forwarder_.emplace("app", limits, &metrics_);
    return *forwarder_;
  }

  std::future<Response> Forward(const Request& request, const std::string& to) {
    auto promise = std::make_shared<std::promise<Response>>();
    auto future = promise->get_future();
    forwarder().Forward(At(to), request, [promise](Response response) {
      // A second call would throw.
      promise->set_value(std::move(response));
    });
    return future;
  }
  Response Call(const Request& request, const std::string& to) {
    return Forward(request, to).get();
  }

  void ExpectNoAnswer(const Response& response) {
    EXPECT_EQ(response.status, 503);
    EXPECT_EQ(response.content_type, "application/problem+json");
    EXPECT_THAT(response.headers, ElementsAre(Pair("Retry-After", "1")));
    EXPECT_THAT(response.body, HasSubstr("The instance that has this inbox does not answer."));
  }

  void ExpectOutcome(const std::string& outcome, int times) {
    EXPECT_THAT(metrics_.Serialize(),
                HasSubstr("herald_http_forwarded_requests_total{outcome=\"" + outcome + "\"} " +
                          std::to_string(times) + "\n"));
  }

  ForwarderLimits limits;
  base::Metrics metrics_;
  /// Outlives the server, which may still have a request that the forwarder gave up.
  Gate gate;
  std::unique_ptr<HttpServer> server;
  std::string address;
  std::optional<HttpForwarder> forwarder_;
};

TEST_F(HttpForwarderTest, SendsTheRequestAsItCameAndSaysWhoForwardsIt) {
  Request seen;
  Start([&seen](Request request, const Respond& respond) {
    seen = std::move(request);
    respond(Response());
  });
  Request request;
  request.method = "POST";
  request.target = "/v1/users/a%2Fb/inbox/read-all?x=1";
  const std::string parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  request.headers = {{"Host", "here"},
                     {"content-type", "application/json"},
                     {"Cookie", "c"},
                     {"traceparent", parent}};
  request.body = "{\"up_to\":7}";
  EXPECT_EQ(Call(request, address).status, 200);
  EXPECT_EQ(seen.method, "POST");
  EXPECT_EQ(seen.target, request.target);
  EXPECT_EQ(seen.body, request.body);
  EXPECT_EQ(seen.Header("Host"), address);
  EXPECT_EQ(seen.Header("Content-Type"), "application/json");
  EXPECT_EQ(seen.Header(kForwardedHeader), "app/b");
  EXPECT_EQ(seen.Header("Cookie"), std::nullopt);
  EXPECT_EQ(seen.Header("traceparent"), parent);
}

TEST_F(HttpForwarderTest, PassesBackStatusTypeBodyAndEndToEndHeaders) {
  ScriptedServer peer(
      {{"HTTP/1.1 405 Method Not Allowed\r\nContent-Type: application/problem+json\r\n"
        "Allow: GET, HEAD\r\nRetry-After: 3\r\nLocation: /x\r\nDate: now\r\nConnection: X-Hop\r\n"
        "X-Hop: 1\r\nKeep-Alive: timeout=5\r\nX-Content-Type-Options: nosniff\r\n"
        "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"}});
  const Response response = Call(Get("/"), peer.address());
  EXPECT_EQ(response.status, 405);
  EXPECT_EQ(response.content_type, "application/problem+json");
  EXPECT_THAT(response.headers, ElementsAre(Pair("Allow", "GET, HEAD"), Pair("Retry-After", "3"),
                                            Pair("Location", "/x")));
  EXPECT_EQ(response.body, "abcde");
}

TEST_F(HttpForwarderTest, AsksWithGetForHeadSoThatTheLengthIsRight) {
  ScriptedServer peer({{AnswerText("abc")}});
  Request request = Get("/");
  request.method = "HEAD";
  EXPECT_EQ(Call(request, peer.address()).body, "abc");
  EXPECT_THAT(peer.requests(), ElementsAre(StartsWith("0 GET / HTTP/1.1\r\n")));
}

TEST_F(HttpForwarderTest, UsesAConnectionAgain) {
  ScriptedServer peer({{AnswerText("1"), AnswerText("2"), AnswerText("3")}});
  EXPECT_EQ(Call(Get("/1"), peer.address()).body, "1");
  EXPECT_EQ(Call(Get("/2"), peer.address()).body, "2");
  EXPECT_EQ(Call(Get("/3"), peer.address()).body, "3");
  EXPECT_THAT(peer.requests(),
              ElementsAre(StartsWith("0 GET /1"), StartsWith("0 GET /2"), StartsWith("0 GET /3")));
}

TEST_F(HttpForwarderTest, DoesNotUseAConnectionAgainThatTheOtherSideWillClose) {
  ScriptedServer peer(
      {{AnswerText("1", "Connection: close\r\n"), AnswerText("never")}, {AnswerText("2")}});
  EXPECT_EQ(Call(Get("/1"), peer.address()).body, "1");
  EXPECT_EQ(Call(Get("/2"), peer.address()).body, "2");
}

TEST_F(HttpForwarderTest, SendsAgainWhenAKeptConnectionWasClosed) {
  ScriptedServer peer({{AnswerText("1")}, {AnswerText("2")}, {AnswerText("3")}});
  EXPECT_EQ(Call(Get("/1"), peer.address()).body, "1");
  EXPECT_EQ(Call(Get("/2"), peer.address()).body, "2");
  EXPECT_EQ(Call(Get("/3"), peer.address()).body, "3");
  EXPECT_THAT(peer.requests(),
              ElementsAre(StartsWith("0 GET /1"), StartsWith("1 GET /2"), StartsWith("2 GET /3")));
}

TEST_F(HttpForwarderTest, DoesNotSendAgainOnceAnAnswerHasBegun) {
  ScriptedServer peer({{AnswerText("1"), "HTTP/1.1 200 OK\r\nConte"}, {AnswerText("never")}});
  EXPECT_EQ(Call(Get("/1"), peer.address()).body, "1");
  ExpectNoAnswer(Call(Get("/2"), peer.address()));
  EXPECT_EQ(peer.requests().size(), 2u);
}

TEST_F(HttpForwarderTest, SendsOnceOnAFreshConnection) {
  ScriptedServer peer({{""}, {AnswerText("never")}});
  ExpectNoAnswer(Call(Get("/"), peer.address()));
  EXPECT_EQ(peer.requests().size(), 1u);
}

TEST_F(HttpForwarderTest, SaysThatAChangeMayHaveBeenAppliedOnceItWasSent) {
  ScriptedServer peer({{""}, {""}});
  const std::string applied = "may have been applied";
  Request request = Get("/");
  EXPECT_THAT(Call(request, peer.address()).body, Not(HasSubstr(applied)));
  request.method = "DELETE";
  EXPECT_THAT(Call(request, peer.address()).body, HasSubstr(applied));
  const Response unreached = Call(request, DeadAddress());
  EXPECT_THAT(unreached.body, Not(HasSubstr(applied)));
}

TEST_F(HttpForwarderTest, Answers503WhenNobodyListens) {
  ExpectNoAnswer(Call(Get("/"), DeadAddress()));
  ExpectOutcome("not_reached", 1);
  ExpectOutcome("answered", 0);
}

TEST_F(HttpForwarderTest, Answers503WhenTheInstanceHasNoAddress) {
  ExpectNoAnswer(Call(Get("/"), ""));
  ExpectOutcome("not_reached", 1);
}

TEST_F(HttpForwarderTest, Answers503WhenNoAnswerComesInTime) {
  limits.request_timeout = milliseconds(30);
  Start(gate.AsHandler());
  ExpectNoAnswer(Call(Get("/"), address));
  ExpectOutcome("no_answer", 1);
}

TEST_F(HttpForwarderTest, GivesWaitingRequestsTheSameTime) {
  limits.request_timeout = milliseconds(30);
  limits.connections_per_address_max = 1;
  Start(gate.AsHandler());
  std::vector<std::future<Response>> answers;
  for (int i = 0; i < 5; ++i) answers.push_back(Forward(Get("/"), address));
  for (auto& answer : answers) ExpectNoAnswer(answer.get());
}

TEST_F(HttpForwarderTest, Answers500WhenTheAnswerIsTooLarge) {
  limits.body_bytes_max = 3;
  ScriptedServer peer({{AnswerText("abc"), AnswerText("abcd")}});
  EXPECT_EQ(Call(Get("/"), peer.address()).status, 200);
  EXPECT_EQ(Call(Get("/"), peer.address()).status, 500);
  ExpectOutcome("answered", 1);
  ExpectOutcome("too_large", 1);
  EXPECT_THAT(metrics_.Serialize(), HasSubstr("herald_http_forward_duration_seconds_count 2\n"));
}

TEST_F(HttpForwarderTest, Answers503WhenWhatComesIsNotHttp) {
  ScriptedServer peer({{"220 mail.example ESMTP\r\n"}});
  ExpectNoAnswer(Call(Get("/"), peer.address()));
}

TEST_F(HttpForwarderTest, AnswersManyRequestsAtOnceEachWithItsOwn) {
  limits.connections_per_address_max = 4;
  Start([](const Request& request, const Respond& respond) {
    Response response;
    response.body = request.target;
    respond(std::move(response));
  });
  std::vector<std::future<Response>> answers;
  for (int i = 0; i < 500; ++i) answers.push_back(Forward(Get("/" + std::to_string(i)), address));
  for (size_t i = 0; i < answers.size(); ++i) {
    EXPECT_EQ(answers[i].get().body, "/" + std::to_string(i));
  }
}

TEST_F(HttpForwarderTest, KeepsToItsConnectionsAndRefusesRequestsBeyondTheLimit) {
  limits.connections_per_address_max = 2;
  limits.requests_max = 3;
  Start(gate.AsHandler());
  std::vector<std::future<Response>> answers;
  for (int i = 0; i < 4; ++i) answers.push_back(Forward(Get("/"), address));
  const Response refused = answers[3].get();
  EXPECT_EQ(refused.status, 503);
  EXPECT_THAT(refused.headers, ElementsAre(Pair("Retry-After", "1")));
  EXPECT_THAT(refused.body, HasSubstr("Too many requests"));
  ExpectOutcome("too_many", 1);
  gate.WaitFor(2);
  EXPECT_EQ(gate.requests(), 2u);
  gate.Answer(0);
  gate.WaitFor(3);
  gate.Answer(1);
  gate.Answer(2);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(answers[i].get().status, 200);
  // Those that are answered make room for others.
  std::future<Response> another = Forward(Get("/"), address);
  gate.WaitFor(4);
  gate.Answer(3);
  EXPECT_EQ(another.get().status, 200);
}

TEST_F(HttpForwarderTest, ASlowInstanceDoesNotHoldUpAnother) {
  limits.connections_per_address_max = 1;
  Start(gate.AsHandler());
  std::future<Response> slow = Forward(Get("/"), address);
  std::future<Response> behind = Forward(Get("/"), address);
  gate.WaitFor(1);
  ScriptedServer other({{AnswerText("quick")}});
  EXPECT_EQ(Call(Get("/"), other.address()).body, "quick");
  gate.Answer(0);
  gate.WaitFor(2);
  gate.Answer(1);
  EXPECT_EQ(slow.get().status, 200);
  EXPECT_EQ(behind.get().status, 200);
}

TEST_F(HttpForwarderTest, AnswersWhatIsUnderWayWhenItGoes) {
  limits.connections_per_address_max = 2;
  Start(gate.AsHandler());
  std::vector<std::future<Response>> answers;
  for (int i = 0; i < 6; ++i) answers.push_back(Forward(Get("/"), address));
  gate.WaitFor(2);
  forwarder_.reset();
  for (auto& answer : answers) {
    const Response response = answer.get();
    EXPECT_EQ(response.status, 503);
    EXPECT_THAT(response.body, HasSubstr("stopping"));
  }
  ExpectOutcome("stopping", 6);
}

TEST_F(HttpForwarderTest, GoesWhileItsConnectionsAreIdle) {
  ScriptedServer peer({{AnswerText("1"), AnswerText("2")}});
  EXPECT_EQ(Call(Get("/"), peer.address()).body, "1");
  forwarder_.reset();
}

TEST_F(HttpForwarderTest, ForgetsConnectionsThatWereIdleForTooLong) {
  limits.idle_timeout = milliseconds(0);
  ScriptedServer peer({{AnswerText("1"), AnswerText("never")}, {AnswerText("2")}});
  EXPECT_EQ(Call(Get("/"), peer.address()).body, "1");
  EXPECT_EQ(Call(Get("/"), peer.address()).body, "2");
}

}  // namespace
}  // namespace serving
