#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <regex>
#include <set>

#include "base/trace_context.h"
#include "pipeline/partitioner.h"
#include "tests/serving/api_fixture.h"

namespace serving {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

using EventsApiTest = ApiTest;

constexpr char kFollow[] = R"({"type":"follow","actor":"2","target":"1"})";
const std::regex kUuidV7("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}");

TEST_F(EventsApiTest, ProducesAnEventKeyedByItsFirstTarget) {
  Start();
  const Received received = Post(
      "/v1/events", R"({"type":"mention","actor":"1","targets":["42","4"],"text":"hi <&> ä"})");
  ASSERT_EQ(received.status, 202) << received.body;
  EXPECT_EQ(received.headers.at("content-type"), "application/json");
  const auto produced = producer.produced();
  ASSERT_EQ(produced.size(), 1u);
  EXPECT_EQ(produced[0].topic, "events");
  EXPECT_EQ(produced[0].key, "42");
  EXPECT_EQ(produced[0].partition, pipeline::PartitionForKey("42", kEventsPartitions));
  const json event = json::parse(*produced[0].value);
  EXPECT_EQ(event["text"], "hi <&> ä");
  EXPECT_EQ(event["targets"], json({"42", "4"}));
  const json ids = Json(received)["ids"];
  ASSERT_EQ(ids.size(), 1u);
  EXPECT_EQ(event["id"], ids[0]);
  EXPECT_TRUE(std::regex_match(ids[0].get<std::string>(), kUuidV7)) << ids[0];
}

TEST_F(EventsApiTest, AnInstanceThatTakesNoEventsSaysSoAndServesTheRest) {
  backend.takes_events = false;
  Start();
  EXPECT_THAT(Problem(Post("/v1/events", kFollow), 421)["detail"].get<std::string>(),
              HasSubstr("--role process"));
  EXPECT_THAT(producer.produced(), IsEmpty());
  Notify("1", "2");
  EXPECT_EQ(Get("/v1/users/1/inbox").status, 200);
  EXPECT_EQ(Post("/v1/users/1/inbox/read-all", "").status, 200);
  const Received send = Post("/send", "fromID=1&toID=2&message=x");
  EXPECT_EQ(send.status, 421);
  EXPECT_THAT(Json(send)["message"].get<std::string>(), HasSubstr("--role process"));
}

TEST_F(EventsApiTest, PutsTheTraceOfTheRequestOnEachEventAndInItsAnswer) {
  Start();
  const std::string parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const Received received = HttpClient(address).Call(
      "POST", "/v1/events", "[" + std::string(kFollow) + "," + kFollow + "]",
      {{"TraceParent", parent}, {"tracestate", "a=1"}, {"Tracestate", "b=2"}});
  ASSERT_EQ(received.status, 202) << received.body;
  EXPECT_EQ(received.headers.at("traceresponse"), parent);
  const auto produced = producer.produced();
  ASSERT_EQ(produced.size(), 2u);
  for (const auto& record : produced) {
    EXPECT_THAT(record.headers,
                ElementsAre(Pair("traceparent", parent), Pair("tracestate", "a=1,b=2")));
  }
}

TEST_F(EventsApiTest, BeginsATraceForARequestWithoutAValidOne) {
  Start();
  const std::string valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  std::set<std::string> traces;
  using Headers = std::vector<std::pair<std::string, std::string>>;
  for (const Headers& headers : {Headers{},
                                 Headers{{"traceparent", "00-1-2-3"}, {"tracestate", "a=1"}},
                                 Headers{{"traceparent", valid}, {"traceparent", valid}}}) {
    const Received received = HttpClient(address).Call("POST", "/v1/events", kFollow, headers);
    ASSERT_EQ(received.status, 202) << received.body;
    const std::string& trace = received.headers.at("traceresponse");
    EXPECT_TRUE(base::ParseTraceParent(trace).has_value()) << trace;
    EXPECT_NE(trace, valid);
    EXPECT_THAT(producer.produced().back().headers, ElementsAre(Pair("traceparent", trace)));
    traces.insert(trace);
  }
  EXPECT_EQ(traces.size(), 3u);
}

TEST_F(EventsApiTest, KeepsAnIdThatTheEventHas) {
  Start();
  const Received received = Post("/v1/events", R"([
      {"type":"follow","actor":"2","target":"1","id":"mine"},
      {"type":"follow","actor":2,"target":1,"id":77},
      {"type":"follow","actor":"3","target":"1","id":""},
      {"type":"follow","actor":"4","target":"1","id":null}])");
  ASSERT_EQ(received.status, 202) << received.body;
  const json ids = Json(received)["ids"];
  EXPECT_EQ(ids[0], "mine");
  EXPECT_EQ(ids[1], "77");
  EXPECT_TRUE(std::regex_match(ids[2].get<std::string>(), kUuidV7));
  EXPECT_TRUE(std::regex_match(ids[3].get<std::string>(), kUuidV7));
  const auto produced = producer.produced();
  ASSERT_EQ(produced.size(), 4u);
  EXPECT_EQ(json::parse(*produced[0].value)["id"], "mine");
  EXPECT_EQ(produced[1].key, "1");
}

TEST_F(EventsApiTest, MakesIdsThatDifferAndSortByTime) {
  Start();
  std::string previous;
  std::set<std::string> all;
  for (int i = 0; i < 3; ++i) {
    const json ids =
        Json(Post("/v1/events", "[" + std::string(kFollow) + "," + kFollow + "]"))["ids"];
    for (const auto& id : ids) all.insert(id.get<std::string>());
    // The first 48 bits are milliseconds.
    const std::string time = ids[0].get<std::string>().substr(0, 13);
    EXPECT_GE(time, previous);
    previous = time;
  }
  EXPECT_EQ(all.size(), 6u);
}

TEST_F(EventsApiTest, ProducesAnArrayInItsOrder) {
  Start();
  json events = json::array();
  for (int i = 0; i < 1000; ++i) {
    events.push_back(
        {{"type", "follow"}, {"actor", "2"}, {"target", "1"}, {"id", std::to_string(i)}});
  }
  const Received received = Post("/v1/events", events.dump());
  ASSERT_EQ(received.status, 202) << received.body;
  const auto produced = producer.produced();
  ASSERT_EQ(produced.size(), 1000u);
  const json ids = Json(received)["ids"];
  for (size_t i = 0; i < 1000; ++i) {
    EXPECT_EQ(ids[i], std::to_string(i));
    EXPECT_EQ(json::parse(*produced[i].value)["id"], std::to_string(i));
  }
}

TEST_F(EventsApiTest, AnswersWhenKafkaHasThemAllAndBlocksNobodyMeanwhile) {
  threads = 1;
  Start();
  producer.Hold();
  HttpClient waiting(address);
  ASSERT_TRUE(waiting.Send(
      RequestText("POST", "/v1/events", "[" + std::string(kFollow) + "," + kFollow + "]")));
  producer.WaitFor(2);
  // The one thread is free, and nothing has been said yet.
  EXPECT_EQ(Get("/health/live").status, 200);
  EXPECT_EQ(waiting.Receive(false, std::chrono::milliseconds(50)).status, 0);
  producer.Release();
  EXPECT_EQ(waiting.Receive().status, 202);
}

TEST_F(EventsApiTest, NamesTheFieldOfABadEventAndProducesNothing) {
  Start();
  const std::string far_ahead =
      std::to_string(base::SystemClock::Instance().NowMs() + 25 * 3'600'000);
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"({"actor":"2","target":"1"})", "type"},
      {R"({"type":"wave","actor":"2","target":"1"})", "type"},
      {R"({"type":7,"actor":"2","target":"1"})", "type"},
      {R"({"type":"follow","target":"1"})", "actor"},
      {R"({"type":"follow","actor":"","target":"1"})", "actor"},
      {R"({"type":"follow","actor":1.5,"target":"1"})", "actor"},
      {R"({"type":"follow","actor":"2"})", "target"},
      {R"({"type":"follow","actor":"2","targets":[]})", "target"},
      {R"({"type":"follow","actor":"2","targets":"1"})", "targets"},
      {R"({"type":"follow","actor":"2","target":"1","id":[]})", "id"},
      {R"({"type":"like","actor":"2","target":"1","object":"post"})", "object"},
      {R"({"type":"follow","actor":"2","target":"1","time":"yesterday"})", "time"},
      {R"({"type":"follow","actor":"2","target":"1","time":)" + far_ahead + "}", "time"},
      {R"({"type":"message","actor":"2","target":"1","text":")" + std::string(4097, 'x') + "\"}",
       "text"},
      {R"({"type":"follow","actor":"2","target":")" + std::string(257, 'x') + "\"}", "target"},
      {R"({"type":"unmention","actor":"2","target":"1"})", "undo_of"},
  };
  for (const auto& [event, field] : cases) {
    const json alone = Problem(Post("/v1/events", event), 400);
    EXPECT_EQ(alone["field"], field) << event.substr(0, 100);
    EXPECT_FALSE(alone.contains("index"));
    const json in_array =
        Problem(Post("/v1/events", "[" + std::string(kFollow) + "," + event + "]"), 400);
    EXPECT_EQ(in_array["field"], field) << event.substr(0, 100);
    EXPECT_EQ(in_array["index"], 1) << event.substr(0, 100);
  }
  json many = {{"type", "follow"}, {"actor", "2"}, {"targets", json::array()}};
  for (int i = 0; i < 10'001; ++i) many["targets"].push_back(std::to_string(i));
  EXPECT_EQ(Problem(Post("/v1/events", many.dump()), 400)["field"], "targets");
  EXPECT_THAT(producer.produced(), IsEmpty());
}

TEST_F(EventsApiTest, RefusesABodyThatIsNotEvents) {
  Start();
  for (const std::string& body :
       {std::string(""), std::string("{"), std::string("hello"), std::string("1"),
        std::string("null"), std::string("\"x\""), std::string("[]"), std::string("[[]]"),
        std::string("[1]"), std::string("{} {}"), std::string("{\"type\":\"\xff\"}"),
        std::string(100'000, '['), std::string("{\"type\":1e999}")}) {
    Problem(Post("/v1/events", body), 400);
  }
  std::string too_many = "[" + std::string(kFollow);
  for (int i = 0; i < 1000; ++i) too_many += "," + std::string(kFollow);
  Problem(Post("/v1/events", too_many + "]"), 400);
  EXPECT_EQ(Problem(Post("/v1/events", "[" + std::string(kFollow) + ",5]"), 400)["index"], 1);
  EXPECT_THAT(producer.produced(), IsEmpty());
}

TEST_F(EventsApiTest, TakesEventsAsDeepAsTheirDecoderDoes) {
  Start();
  const auto nested = [](size_t depth) {
    return R"({"type":"follow","actor":"2","target":"1","extra":)" + std::string(depth, '[') +
           std::string(depth, ']') + "}";
  };
  EXPECT_EQ(Post("/v1/events", nested(200)).status, 202);
  EXPECT_EQ(Post("/v1/events", "[" + nested(200) + "]").status, 202);
  Problem(Post("/v1/events", nested(257)), 400);
  Problem(Post("/v1/events", nested(1'000'000)), 400);
}

TEST_F(EventsApiTest, RefusesAnEventAboveOneMebibyteAndABodyAboveEight) {
  Start();
  const auto event_of = [](size_t bytes) {
    std::string event = R"({"type":"follow","actor":"2","target":"1","id":"i","extra":")";
    event += std::string(bytes - event.size() - 2, 'x') + "\"}";
    return event;
  };
  const size_t mebibyte = size_t{1} << 20;
  EXPECT_EQ(Post("/v1/events", event_of(mebibyte)).status, 202);
  Problem(Post("/v1/events", event_of(mebibyte + 1)), 400);
  std::string eight = "[" + event_of(mebibyte);
  for (int i = 1; i < 8; ++i) eight += "," + event_of(mebibyte);
  Problem(Post("/v1/events", eight + "]"), 413);
  EXPECT_EQ(producer.produced().size(), 1u);
}

TEST_F(EventsApiTest, AsksToTryAgainWithTheSameIdsWhenKafkaDoesNotConfirm) {
  Start();
  producer.FailAt(1, base::Status::Unavailable("no broker"));
  const Received received =
      Post("/v1/events", "[" + std::string(kFollow) + "," + kFollow + "," + kFollow + "]");
  const json problem = Problem(received, 503);
  EXPECT_EQ(received.headers.at("retry-after"), "1");
  EXPECT_THAT(problem["detail"].get<std::string>(), HasSubstr("may have been applied"));
  ASSERT_EQ(problem["ids"].size(), 3u);
  EXPECT_EQ(problem["ids"][2], json::parse(*producer.produced()[2].value)["id"]);
}

TEST_F(EventsApiTest, ValidatesAlsoWhenKafkaIsGone) {
  Start();
  producer.FailAll(base::Status::Unavailable("no broker"));
  Problem(Post("/v1/events", R"({"type":"follow"})"), 400);
  Problem(Post("/v1/events", kFollow), 503);
}

TEST_F(EventsApiTest, NamesTheEventThatTheBrokerRefuses) {
  Start();
  producer.FailAt(1, base::Status::InvalidArgument("record is too large"));
  const json problem =
      Problem(Post("/v1/events", "[" + std::string(kFollow) + "," + kFollow + "]"), 400);
  EXPECT_EQ(problem["index"], 1);
  EXPECT_THAT(problem["detail"].get<std::string>(), HasSubstr("too large"));
}

TEST_F(EventsApiTest, TakesNothingOfARequestThatIsForABackloggedPartition) {
  const base::Partition full = pipeline::PartitionForKey("1", kEventsPartitions);
  std::string elsewhere = "2";
  while (pipeline::PartitionForKey(elsewhere, kEventsPartitions) == full) elsewhere += "2";
  backend.events_backlogged = [full](base::Partition partition) { return partition == full; };
  Start();
  const std::string good = R"({"type":"follow","actor":"9","target":")" + elsewhere + R"("})";
  const std::string late = R"({"type":"follow","actor":"9","target":"1"})";
  EXPECT_EQ(Post("/v1/events", good).status, 202);
  const Received alone = Post("/v1/events", late);
  EXPECT_FALSE(Problem(alone, 429).contains("index"));
  EXPECT_EQ(alone.headers.at("retry-after"), "1");
  const json problem = Problem(Post("/v1/events", "[" + good + "," + late + "]"), 429);
  EXPECT_EQ(problem["index"], 1);
  EXPECT_EQ(producer.produced().size(), 1u);
  Problem(Post("/v1/events", "{}"), 400);
}

TEST_F(EventsApiTest, StopGivesEventsInFlightTheirTime) {
  Start();
  producer.Hold();
  HttpClient client(address);
  ASSERT_TRUE(client.Send(RequestText("POST", "/v1/events", kFollow)));
  producer.WaitFor(1);
  auto stopped = std::async(std::launch::async, [&] { server->Stop(std::chrono::seconds(30)); });
  producer.Release();
  EXPECT_EQ(client.Receive().status, 202);
  stopped.wait();
}

TEST_F(EventsApiTest, SurvivesReportsThatComeAfterTheServer) {
  Start();
  producer.Hold();
  HttpClient client(address);
  ASSERT_TRUE(client.Send(RequestText("POST", "/v1/events", kFollow)));
  producer.WaitFor(1);
  server->Stop(std::chrono::milliseconds(0));
  server.reset();
  service.reset();
  producer.Release();
  EXPECT_TRUE(client.WaitForClose());
}

TEST_F(EventsApiTest, IsNotThereForOtherMethods) {
  Start();
  const Received received = Get("/v1/events");
  Problem(received, 405);
  EXPECT_EQ(received.headers.at("allow"), "POST");
}

}  // namespace
}  // namespace serving
