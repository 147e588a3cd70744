#include "serving/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "base/metrics.h"
#include "base/mutex.h"
#include "tests/serving/http_client.h"

namespace serving {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::HasSubstr;
using testing::Pair;

Response Text(std::string body) {
  Response response;
  response.content_type = "text/plain";
  response.body = std::move(body);
  response.route = "/test";
  return response;
}

/// Says what it was asked: method, target, body.
void Echo(Request request, const Respond& respond) {
  respond(Text(request.method + " " + request.target + " " + request.body));
}

/// Keeps responses back until the test lets them go.
class Gate {
 public:
  Handler AsHandler() {
    return [this](Request, Respond respond) {
      const base::MutexLock lock(mutex_);
      waiting_.push_back(std::move(respond));
      changed_.NotifyAll();
    };
  }

  /// The n-th request's Respond; waits for it.
  Respond Wait(size_t n) {
    const base::MutexLock lock(mutex_);
    changed_.Wait(mutex_, [&]() REQUIRES(mutex_) { return waiting_.size() > n; });
    return waiting_[n];
  }

 private:
  base::Mutex mutex_;
  base::ConditionVariable changed_;
  std::vector<Respond> waiting_ GUARDED_BY(mutex_);
};

class HttpServerTest : public testing::Test {
 protected:
  void Start(Handler handler) {
    HttpServer::Options options;
    options.listen = {"127.0.0.1:0"};
    options.limits = limits;
    options.metrics = &metrics;
    server = std::make_unique<HttpServer>(options);
    auto bound = server->Start(std::move(handler));
    ASSERT_TRUE(bound.ok()) << bound.status().ToString();
    ASSERT_EQ(bound->size(), 1u);
    address = bound->front();
  }

  base::Metrics metrics;
  HttpLimits limits;
  std::unique_ptr<HttpServer> server;
  std::string address;
};

TEST_F(HttpServerTest, AnswersWithTheBytesOfTheHandlerAndKeepsTheConnection) {
  Start(Echo);
  HttpClient client(address);
  const Received first = client.Call("POST", "/a?b=c", "hello");
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(first.reason, "OK");
  EXPECT_EQ(first.body, "POST /a?b=c hello");
  EXPECT_EQ(first.headers.at("content-type"), "text/plain");
  EXPECT_EQ(first.headers.at("x-content-type-options"), "nosniff");
  EXPECT_THAT(first.headers.at("date"), HasSubstr("GMT"));
  EXPECT_EQ(first.headers.count("connection"), 0u);
  EXPECT_EQ(client.Call("GET", "/d").body, "GET /d ");
}

TEST_F(HttpServerTest, ListensOnSeveralAddresses) {
  HttpServer::Options options;
  options.listen = {"127.0.0.1:0", "localhost:0"};
  HttpServer two(options);
  auto bound = two.Start(Echo);
  ASSERT_TRUE(bound.ok());
  ASSERT_EQ(bound->size(), 2u);
  for (const std::string& each : *bound) EXPECT_EQ(HttpClient(each).Call("GET", "/").status, 200);
}

TEST_F(HttpServerTest, NamesTheAddressThatIsInUse) {
  Start(Echo);
  HttpServer::Options options;
  options.listen = {address};
  HttpServer second(options);
  auto bound = second.Start(Echo);
  ASSERT_FALSE(bound.ok());
  EXPECT_EQ(bound.status().code(), base::StatusCode::kFatal);
  EXPECT_THAT(bound.status().message(), AllOf(HasSubstr(address), HasSubstr("already")));
}

TEST_F(HttpServerTest, RefusesAnAddressThatItCannotRead) {
  for (const char* wrong : {"8080", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "::1:80",
                            "nowhere.example:80", ":80"}) {
    HttpServer::Options options;
    options.listen = {wrong};
    HttpServer broken(options);
    auto bound = broken.Start(Echo);
    ASSERT_FALSE(bound.ok()) << wrong;
    EXPECT_EQ(bound.status().code(), base::StatusCode::kInvalidArgument);
    EXPECT_THAT(bound.status().message(), HasSubstr(wrong));
  }
}

TEST_F(HttpServerTest, AnswersPipelinedRequestsInTheirOrder) {
  Gate gate;
  Start(gate.AsHandler());
  HttpClient client(address);
  ASSERT_TRUE(client.Send(RequestText("GET", "/1") + RequestText("POST", "/2", "body") +
                          RequestText("GET", "/3")));
  // Each response from another thread, and only when the one before is out.
  for (size_t i = 0; i < 3; ++i) {
    const Respond respond = gate.Wait(i);
    std::thread([&] { respond(Text(std::to_string(i + 1))); }).join();
    EXPECT_EQ(client.Receive().body, std::to_string(i + 1));
  }
}

TEST_F(HttpServerTest, AnswersManyPipelinedRequestsThatAHandlerAnswersAtOnce) {
  constexpr int kRequests = 1000;
  Start(Echo);
  HttpClient client(address);
  std::string requests;
  for (int i = 0; i < kRequests; ++i) requests += RequestText("GET", "/" + std::to_string(i));
  std::thread sender([&] { EXPECT_TRUE(client.Send(requests)); });
  for (int i = 0; i < kRequests; ++i) {
    EXPECT_EQ(client.Receive().body, "GET /" + std::to_string(i) + " ");
  }
  sender.join();
}

TEST_F(HttpServerTest, ReadsARequestTheSameWhereverItIsCut) {
  Start(Echo);
  const std::string request = RequestText("POST", "/a?b=c", "hello", {{"X-Some", "value"}});
  HttpClient client(address);
  for (size_t cut = 1; cut < request.size(); ++cut) {
    ASSERT_TRUE(client.Send(request.substr(0, cut)));
    ASSERT_TRUE(client.Send(request.substr(cut)));
    ASSERT_EQ(client.Receive().body, "POST /a?b=c hello") << cut;
  }
}

TEST_F(HttpServerTest, SendsAnAnswerThatTheSocketTakesInParts) {
  std::string large(size_t{24} << 20, 'x');
  for (size_t i = 0; i < large.size(); i += 1000) large[i] = static_cast<char>('a' + i % 26);
  Start([&](Request, const Respond& respond) { respond(Text(large)); });
  HttpClient client(address);
  EXPECT_TRUE(client.Call("GET", "/").body == large);
  EXPECT_TRUE(client.Call("GET", "/").body == large);
}

TEST_F(HttpServerTest, SendsNoBodyForHead) {
  Start(Echo);
  HttpClient client(address);
  const Received head = client.Call("HEAD", "/x");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.headers.at("content-length"), "8");
  EXPECT_EQ(client.Call("GET", "/y").body, "GET /y ");
}

TEST_F(HttpServerTest, ReadsAChunkedBody) {
  Start(Echo);
  HttpClient client(address);
  ASSERT_TRUE(
      client.Send("POST /c HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"));
  EXPECT_EQ(client.Receive().body, "POST /c abcde");
}

TEST_F(HttpServerTest, InvitesABodyThatWaitsForContinue) {
  Start(Echo);
  HttpClient client(address);
  ASSERT_TRUE(client.Send(
      "POST /c HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"));
  EXPECT_EQ(client.Receive(true).status, 100);
  ASSERT_TRUE(client.Send("abc"));
  EXPECT_EQ(client.Receive().body, "POST /c abc");
}

TEST_F(HttpServerTest, ServesHttp10AndClosesUnlessAskedToKeep) {
  Start(Echo);
  HttpClient closing(address);
  ASSERT_TRUE(closing.Send("GET /a HTTP/1.0\r\n\r\n"));
  EXPECT_EQ(closing.Receive().headers.at("connection"), "close");
  EXPECT_TRUE(closing.WaitForClose());
  HttpClient keeping(address);
  ASSERT_TRUE(keeping.Send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
  EXPECT_EQ(keeping.Receive().headers.at("connection"), "keep-alive");
  EXPECT_EQ(keeping.Call("GET", "/b").status, 200);
}

TEST_F(HttpServerTest, ClosesWhenTheClientAsksForIt) {
  Start(Echo);
  HttpClient client(address);
  const Received last = client.Call("GET", "/", "", {{"Connection", "close"}});
  EXPECT_EQ(last.status, 200);
  EXPECT_EQ(last.headers.at("connection"), "close");
  EXPECT_TRUE(client.WaitForClose());
}

TEST_F(HttpServerTest, RefusesWhatIsNotHttp) {
  Start(Echo);
  for (const char* wrong :
       {"not http at all\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nBad Header: b\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"}) {
    HttpClient client(address);
    ASSERT_TRUE(client.Send(wrong));
    Received received = client.Receive();
    EXPECT_EQ(received.status, 400) << wrong;
    EXPECT_EQ(received.headers["content-type"], "application/problem+json") << wrong;
    EXPECT_EQ(received.headers["connection"], "close") << wrong;
    EXPECT_TRUE(client.WaitForClose()) << wrong;
  }
}

TEST_F(HttpServerTest, RefusesATransferCodingThatItDoesNotKnow) {
  Start(Echo);
  HttpClient client(address);
  ASSERT_TRUE(
      client.Send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"));
  EXPECT_EQ(client.Receive().status, 501);
  EXPECT_TRUE(client.WaitForClose());
}

TEST_F(HttpServerTest, TakesAnAbsoluteTarget) {
  Start(Echo);
  HttpClient client(address);
  EXPECT_EQ(client.Call("GET", "http://somewhere/x?y=1").body, "GET /x?y=1 ");
}

TEST_F(HttpServerTest, RefusesAHeaderAboveTheLimit) {
  limits.header_bytes_max = 1000;
  Start(Echo);
  HttpClient fits(address);
  EXPECT_EQ(fits.Call("GET", "/", "", {{"X", std::string(800, 'x')}}).status, 200);
  HttpClient client(address);
  EXPECT_EQ(client.Call("GET", "/", "", {{"X", std::string(1000, 'x')}}).status, 431);
  EXPECT_TRUE(client.WaitForClose());
}

TEST_F(HttpServerTest, RefusesABodyAboveTheLimitBeforeItIsSent) {
  limits.body_bytes_max = 1000;
  Start(Echo);
  HttpClient fits(address);
  EXPECT_EQ(fits.Call("POST", "/", std::string(1000, 'x')).status, 200);
  HttpClient announced(address);
  ASSERT_TRUE(announced.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n"));
  EXPECT_EQ(announced.Receive().status, 413);
  HttpClient chunked(address);
  ASSERT_TRUE(
      chunked.Send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" +
                   std::string(1001, 'x') + "\r\n0\r\n\r\n"));
  EXPECT_EQ(chunked.Receive().status, 413);
}

TEST_F(HttpServerTest, ItsRefusalReachesAClientThatIsStillSending) {
  limits.body_bytes_max = 1000;
  Start(Echo);
  HttpClient client(address);
  const std::string body(size_t{8} << 20, 'x');
  ASSERT_TRUE(client.Send(RequestText("POST", "/", body)));
  EXPECT_EQ(client.Receive().status, 413);
}

TEST_F(HttpServerTest, RefusesBodiesThatTogetherAreTooLarge) {
  limits.body_bytes_max = 1000;
  limits.all_body_bytes_max = 1500;
  Gate gate;
  Start(gate.AsHandler());
  HttpClient first(address);
  ASSERT_TRUE(first.Send(RequestText("POST", "/", std::string(1000, 'x'))));
  const Respond respond = gate.Wait(0);
  HttpClient second(address);
  const Received refused = second.Call("POST", "/", std::string(600, 'x'));
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.headers.at("retry-after"), "1");
  // One that only announces much takes nothing.
  HttpClient announced(address);
  ASSERT_TRUE(announced.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"));
  HttpClient small(address);
  ASSERT_TRUE(small.Send(RequestText("POST", "/", std::string(400, 'x'))));
  gate.Wait(1)(Text("small"));
  EXPECT_EQ(small.Receive().body, "small");
  respond(Text("done"));
  EXPECT_EQ(first.Receive().body, "done");
  // Its bytes are given back.
  HttpClient third(address);
  ASSERT_TRUE(third.Send(RequestText("POST", "/", std::string(1000, 'x'))));
  gate.Wait(2)(Text("again"));
  EXPECT_EQ(third.Receive().body, "again");
}

TEST_F(HttpServerTest, ClosesAConnectionThatSendsItsHeaderTooSlowly) {
  limits.header_timeout = milliseconds(100);
  Start(Echo);
  HttpClient silent(address);
  EXPECT_TRUE(silent.WaitForClose());
  HttpClient slow(address);
  ASSERT_TRUE(slow.Send("GET / HTTP/1.1\r\nHo"));
  EXPECT_TRUE(slow.WaitForClose());
}

TEST_F(HttpServerTest, ADripOfBytesDoesNotStretchTheTimeForAHeader) {
  limits.header_timeout = milliseconds(200);
  Start(Echo);
  HttpClient drip(address);
  ASSERT_TRUE(drip.Send("GET / HTTP/1.1\r\nX: "));
  const auto start = std::chrono::steady_clock::now();
  while (!drip.WaitForClose(milliseconds(20))) {
    ASSERT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
    if (!drip.Send("x")) break;
  }
}

TEST_F(HttpServerTest, TheTimeForAHeaderIsOverWithTheHeader) {
  limits.header_timeout = milliseconds(100);
  Start([this](const Request& request, Respond respond) {
    if (request.target == "/at-once") return respond(Text("at once"));
    server->timers()->After(milliseconds(300), [respond] { respond(Text("late")); });
  });
  HttpClient client(address);
  EXPECT_EQ(client.Call("GET", "/at-once").body, "at once");
  // In two parts, so that the time for the header has begun.
  ASSERT_TRUE(client.Send("GET /late HTTP/1.1\r\n"));
  ASSERT_TRUE(client.Send("Host: t\r\n\r\n"));
  EXPECT_EQ(client.Receive().body, "late");
  EXPECT_EQ(client.Call("GET", "/at-once").body, "at once");
}

TEST_F(HttpServerTest, ClosesAConnectionThatSendsItsBodyTooSlowly) {
  limits.body_timeout = milliseconds(100);
  Start(Echo);
  HttpClient client(address);
  ASSERT_TRUE(client.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na"));
  EXPECT_TRUE(client.WaitForClose());
}

TEST_F(HttpServerTest, ClosesAnIdleConnection) {
  limits.idle_timeout = milliseconds(100);
  Start(Echo);
  HttpClient client(address);
  EXPECT_EQ(client.Call("GET", "/").status, 200);
  EXPECT_TRUE(client.WaitForClose());
}

TEST_F(HttpServerTest, ClosesAConnectionThatDoesNotTakeItsAnswer) {
  limits.write_timeout = milliseconds(100);
  std::atomic<int> done = 0;
  Start([&](Request, const Respond& respond) {
    respond(Text(std::string(size_t{64} << 20, 'x')));
    ++done;
  });
  HttpClient client(address);
  ASSERT_TRUE(client.Send(RequestText("GET", "/")));
  // The client reads nothing, so the server must give up by itself: Stop() has nothing to wait for.
  while (metrics.Serialize().find("herald_http_connections 0") == std::string::npos || done == 0) {
    std::this_thread::yield();
  }
}

TEST_F(HttpServerTest, AnswersForAHandlerThatTakesTooLong) {
  limits.handler_timeout = milliseconds(50);
  Gate gate;
  Start(gate.AsHandler());
  HttpClient client(address);
  ASSERT_TRUE(client.Send(RequestText("GET", "/")));
  const Received received = client.Receive();
  EXPECT_EQ(received.status, 503);
  EXPECT_EQ(received.headers.at("retry-after"), "1");
  EXPECT_THAT(received.body, HasSubstr("may have been applied"));
  // The late answer goes nowhere, least of all into the next response.
  gate.Wait(0)(Text("late"));
  ASSERT_TRUE(client.Send(RequestText("GET", "/next")));
  gate.Wait(1)(Text("next"));
  EXPECT_EQ(client.Receive().body, "next");
}

TEST_F(HttpServerTest, TurnsAnExceptionOfAHandlerIntoA500) {
  Start([](Request, const Respond&) { throw std::runtime_error("broken"); });
  HttpClient client(address);
  const Received received = client.Call("GET", "/");
  EXPECT_EQ(received.status, 500);
  EXPECT_THAT(received.body, testing::Not(HasSubstr("broken")));
}

TEST_F(HttpServerTest, SendsNoHeaderThatCouldBreakOutOfItsLine) {
  Start([](Request, const Respond& respond) {
    Response response = Text("x");
    response.headers.emplace_back("Location", "/a\r\nSet-Cookie: b=c");
    respond(std::move(response));
  });
  HttpClient client(address);
  const Received received = client.Call("GET", "/");
  EXPECT_EQ(received.status, 500);
  EXPECT_EQ(received.headers.count("set-cookie"), 0u);
}

TEST_F(HttpServerTest, TellsConnectionsBeyondTheLimitToComeBack) {
  limits.connections_max = 2;
  Start(Echo);
  HttpClient first(address);
  auto second = std::make_unique<HttpClient>(address);
  EXPECT_EQ(first.Call("GET", "/").status, 200);
  EXPECT_EQ(second->Call("GET", "/").status, 200);
  HttpClient third(address);
  const Received refused = third.Call("GET", "/");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.headers.at("retry-after"), "1");
  EXPECT_TRUE(third.WaitForClose());
  EXPECT_THAT(metrics.Serialize(), HasSubstr("herald_http_connections_refused_total 1"));
  // One gone makes room for another.
  second.reset();
  while (HttpClient(address).Call("GET", "/").status != 200) std::this_thread::yield();
}

TEST_F(HttpServerTest, ServesManyClientsAtOnce) {
  Start(Echo);
  constexpr int kClients = 16;
  constexpr int kRequests = 200;
  std::atomic<int> right = 0;
  std::vector<std::jthread> threads;
  for (int c = 0; c < kClients; ++c) {
    threads.emplace_back([&, c] {
      HttpClient client(address);
      for (int i = 0; i < kRequests; ++i) {
        const std::string body = std::to_string(c) + "-" + std::to_string(i);
        if (client.Call("POST", "/x", body).body == "POST /x " + body) ++right;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(right, kClients * kRequests);
}

TEST_F(HttpServerTest, CountsRequestsByRouteMethodAndStatus) {
  Start(Echo);
  HttpClient client(address);
  client.Call("GET", "/secret-path");
  client.Call("BREW", "/secret-path");
  HttpClient wrong(address);
  ASSERT_TRUE(wrong.Send("nonsense\r\n\r\n"));
  EXPECT_EQ(wrong.Receive().status, 400);
  const std::string text = metrics.Serialize();
  EXPECT_THAT(text, HasSubstr("herald_http_requests_total{method=\"GET\",route=\"/test\","
                              "status=\"200\"} 1"));
  EXPECT_THAT(text, HasSubstr("herald_http_requests_total{method=\"other\",route=\"/test\","
                              "status=\"200\"} 1"));
  EXPECT_THAT(text, HasSubstr("route=\"none\",status=\"400\"} 1"));
  EXPECT_THAT(text, HasSubstr("herald_http_request_duration_seconds_count{method=\"GET\","
                              "route=\"/test\",status_class=\"2xx\"} 1"));
  EXPECT_THAT(text, HasSubstr("herald_http_request_duration_seconds_count{method=\"other\","
                              "route=\"none\",status_class=\"4xx\"} 1"));
  EXPECT_THAT(text, testing::Not(HasSubstr("secret-path")));
}

TEST_F(HttpServerTest, CountsRequestsThatAreBeingHandled) {
  Gate gate;
  Start(gate.AsHandler());
  HttpClient client(address);
  ASSERT_TRUE(client.Send(RequestText("GET", "/")));
  const Respond respond = gate.Wait(0);
  EXPECT_THAT(metrics.Serialize(), HasSubstr("herald_http_requests_in_flight 1\n"));
  respond(Text("x"));
  EXPECT_EQ(client.Receive().status, 200);
  while (metrics.Serialize().find("herald_http_requests_in_flight 0\n") == std::string::npos) {
    std::this_thread::yield();
  }
}

TEST_F(HttpServerTest, StopFinishesRequestsInFlightAndClosesIdleConnections) {
  Gate gate;
  Start(gate.AsHandler());
  HttpClient idle(address);
  HttpClient busy(address);
  ASSERT_TRUE(busy.Send(RequestText("GET", "/")));
  const Respond respond = gate.Wait(0);
  auto stopped = std::async(std::launch::async, [&] { server->Stop(std::chrono::seconds(30)); });
  EXPECT_TRUE(idle.WaitForClose());
  EXPECT_FALSE(HttpClient(address).connected());
  respond(Text("in time"));
  const Received received = busy.Receive();
  EXPECT_EQ(received.body, "in time");
  EXPECT_EQ(received.headers.at("connection"), "close");
  EXPECT_EQ(stopped.wait_for(std::chrono::seconds(10)), std::future_status::ready);
}

TEST_F(HttpServerTest, StopClosesWhatIsNotDoneAtTheDeadline) {
  Gate gate;
  Start(gate.AsHandler());
  HttpClient busy(address);
  ASSERT_TRUE(busy.Send(RequestText("GET", "/")));
  const Respond respond = gate.Wait(0);
  HttpClient half_sent(address);
  ASSERT_TRUE(half_sent.Send("GET / HT"));
  server->Stop(milliseconds(20));
  EXPECT_TRUE(busy.WaitForClose());
  EXPECT_TRUE(half_sent.WaitForClose());
  // Too late, and harmless, also when the server is gone.
  respond(Text("late"));
  server.reset();
  respond(Text("later"));
}

TEST_F(HttpServerTest, RunsTimersUntilItStops) {
  Start(Echo);
  const auto timers = server->timers();
  std::promise<void> fired;
  timers->After(milliseconds(1), [&] { fired.set_value(); });
  EXPECT_EQ(fired.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
  std::atomic<bool> never = false;
  timers->After(std::chrono::hours(1), [&] { never = true; });
  server->Stop(milliseconds(0));
  timers->After(milliseconds(0), [&] { never = true; });
  server.reset();
  timers->After(milliseconds(0), [&] { never = true; });
  EXPECT_FALSE(never);
}

TEST_F(HttpServerTest, MayBeStoppedWithoutAStart) {
  HttpServer idle(HttpServer::Options{});
  idle.Stop(milliseconds(10));
}

}  // namespace
}  // namespace serving
