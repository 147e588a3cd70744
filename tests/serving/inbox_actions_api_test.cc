#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/serving/api_fixture.h"

namespace serving {
namespace {

using nlohmann::json;
using testing::HasSubstr;

json Counts(int total, int unread, int unseen, int version) {
  return {{"total", total}, {"unread", unread}, {"unseen", unseen}, {"version", version}};
}

class InboxActionsApiTest : public ApiTest {
 protected:
  std::string Item(const std::string& id, const std::string& action = "") {
    return "/v1/users/1/inbox/" + id + (action.empty() ? "" : "/" + action);
  }

  /// Fails unless the answer says that the change may have been applied; its detail.
  std::string ExpectUnknown(const Received& received) {
    const json problem = Problem(received, 503);
    EXPECT_EQ(received.headers.at("retry-after"), "1");
    const std::string detail = problem.value("detail", "");
    EXPECT_THAT(detail, HasSubstr("may have been applied"));
    return detail;
  }
};

TEST_F(InboxActionsApiTest, AnswersWithTheCountsAfterTheChange) {
  Start();
  for (const char* actor : {"2", "3", "4"}) Notify("1", actor);
  const std::string id = NewestId("1");
  const Received read = Post(Item(id, "read"), "");
  EXPECT_EQ(read.status, 200);
  EXPECT_EQ(read.headers.at("content-type"), "application/json");
  EXPECT_EQ(read.body, R"({"total":3,"unread":2,"unseen":2,"version":4})");
  EXPECT_EQ(Json(Get("/v1/users/1/inbox/counts")), Counts(3, 2, 2, 4));
  EXPECT_EQ(Json(Post(Item(id, "unread"), "")), Counts(3, 3, 2, 5));
  EXPECT_EQ(Json(Delete(Item(id))), Counts(2, 2, 2, 6));
  EXPECT_EQ(Json(Post(Item(NewestId("1"), "seen"), "")), Counts(2, 2, 1, 7));
  const json inbox = Json(Get("/v1/users/1/inbox"));
  EXPECT_EQ(inbox["items"].size(), 2u);
  EXPECT_EQ(inbox["items"][0]["seen"], true);
  EXPECT_EQ(inbox["items"][0]["read"], false);
}

TEST_F(InboxActionsApiTest, ReadsAndSeesEverything) {
  Start();
  for (const char* actor : {"2", "3", "4"}) Notify("1", actor);
  EXPECT_EQ(Json(Post("/v1/users/1/inbox/seen-all", "")), Counts(3, 3, 0, 4));
  Notify("1", "5");
  EXPECT_EQ(Json(Post("/v1/users/1/inbox/read-all", "{}")), Counts(4, 0, 0, 6));
}

TEST_F(InboxActionsApiTest, ReadsAndSeesWhatHadArrivedAtAVersion) {
  Start();
  for (const char* actor : {"2", "3", "4"}) Notify("1", actor);
  EXPECT_EQ(Json(Post("/v1/users/1/inbox/seen-all", R"({"up_to":1})")), Counts(3, 3, 2, 4));
  EXPECT_EQ(Json(Post("/v1/users/1/inbox/read-all", R"({"up_to":2})")), Counts(3, 1, 1, 5));
  EXPECT_EQ(Json(Post("/v1/users/1/inbox/read-all", R"({"up_to":0})")), Counts(3, 1, 1, 5));
  EXPECT_EQ(Json(Post("/v1/users/1/inbox/read-all", R"({"up_to":null,"x":1})")),
            Counts(3, 0, 0, 6));
  EXPECT_EQ(Json(Post("/v1/users/1/inbox/read-all", R"({"up_to":6})")), Counts(3, 0, 0, 6));
}

TEST_F(InboxActionsApiTest, SaysWhatIsWrongWithUpTo) {
  Start();
  Notify("1", "2");
  for (const char* route : {"/v1/users/1/inbox/read-all", "/v1/users/1/inbox/seen-all"}) {
    for (const char* up_to : {"2", "-1", "1.0", "\"1\"", "true", "[1]", "99999999999999999999"}) {
      const std::string body = std::string(R"({"up_to":)") + up_to + "}";
      EXPECT_EQ(Problem(Post(route, body), 400)["field"], "up_to") << body;
    }
    for (const char* body : {"[]", "1", "nothing", "{\"up_to\":1"}) {
      EXPECT_FALSE(Problem(Post(route, body), 400).contains("field")) << body;
    }
  }
  EXPECT_TRUE(producer.produced().empty());
}

TEST_F(InboxActionsApiTest, ChangesNothingTheSecondTime) {
  Start();
  for (const char* actor : {"2", "3"}) Notify("1", actor);
  const std::string id = NewestId("1");
  for (const char* action : {"seen", "read", "unread"}) {
    const json first = Json(Post(Item(id, action), ""));
    EXPECT_EQ(Json(Post(Item(id, action), "")), first) << action;
  }
  const json all = Json(Post("/v1/users/1/inbox/read-all", ""));
  EXPECT_EQ(Json(Post("/v1/users/1/inbox/read-all", "")), all);
  EXPECT_EQ(Delete(Item(id)).status, 200);
  Problem(Delete(Item(id)), 404);
}

TEST_F(InboxActionsApiTest, KnowsNoNotificationThatIsNotInTheInbox) {
  Start();
  Notify("1", "2");
  Notify("9", "2");
  for (const std::string& id : {std::string("x"), std::string("counts%20"), std::string("%FF"),
                                std::string(32, '0') + "-1", NewestId("9"), NewestId("1") + "0"}) {
    for (const char* action : {"read", "unread", "seen"}) Problem(Post(Item(id, action), ""), 404);
    Problem(Delete(Item(id)), 404);
  }
  EXPECT_TRUE(producer.produced().empty());
}

TEST_F(InboxActionsApiTest, KeepsItsRoutesApart) {
  Start();
  Notify("1", "2");
  const std::string id = NewestId("1");
  const auto allowed = [this](const std::string& method, const std::string& target) {
    const Received received = HttpClient(address).Call(method, target);
    Problem(received, 405);
    return received.headers.at("allow");
  };
  EXPECT_EQ(allowed("DELETE", Item("counts")), "GET, HEAD");
  EXPECT_EQ(allowed("DELETE", Item("read-all")), "POST");
  EXPECT_EQ(allowed("GET", Item("seen-all")), "POST");
  EXPECT_EQ(allowed("GET", Item(id)), "DELETE");
  EXPECT_EQ(allowed("POST", Item(id)), "DELETE");
  EXPECT_EQ(allowed("GET", Item(id, "read")), "POST");
  Problem(Post(Item(id, "burn"), ""), 404);
  Problem(Delete("/v1/users/1/inbox/"), 404);
  for (const char* action : {"read", "unread", "seen"}) {
    Problem(Post(Item("counts", action), ""), 404);
    Problem(Post(Item("read-all", action), ""), 404);
  }
}

TEST_F(InboxActionsApiTest, KeysActionsByTheirRecipient) {
  Start();
  Notify("1", "2");
  const std::string id = NewestId("1");
  EXPECT_EQ(Post(Item(id, "seen"), "").status, 200);
  EXPECT_EQ(Post("/v1/users/1/inbox/read-all", R"({"up_to":1})").status, 200);
  const auto produced = producer.produced();
  ASSERT_EQ(produced.size(), 2u);
  for (const auto& record : produced) {
    EXPECT_EQ(record.topic, "inbox-actions");
    EXPECT_EQ(record.partition, PartitionOf("1"));
    EXPECT_EQ(record.key, "1");
  }
  const json seen = json::parse(*produced[0].value);
  EXPECT_EQ(seen, json({{"v", 1}, {"action", "seen"}, {"recipient", "1"}, {"id", id}}));
  const json all = json::parse(*produced[1].value);
  EXPECT_EQ(all, json({{"v", 1}, {"action", "read-all"}, {"recipient", "1"}, {"up_to", 1}}));
}

TEST_F(InboxActionsApiTest, PutsTheTraceOfTheRequestOnTheActionAndInItsAnswer) {
  Start();
  Notify("1", "2");
  const std::string parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const Received read = HttpClient(address).Call("POST", Item(NewestId("1"), "read"), "",
                                                 {{"traceparent", parent}});
  EXPECT_EQ(read.status, 200);
  EXPECT_EQ(read.headers.at("traceresponse"), parent);
  EXPECT_THAT(producer.produced().back().headers,
              testing::ElementsAre(testing::Pair("traceparent", parent)));
}

TEST_F(InboxActionsApiTest, WaitsUntilItsTaskHasCommitted) {
  applies_actions = false;
  Start();
  Notify("1", "2");
  HttpClient client(address);
  ASSERT_TRUE(client.Send(RequestText("POST", Item(NewestId("1"), "read"))));
  const auto produced = producer.WaitFor(1);
  // Another task's progress is none of its business.
  positions.Committed({"inbox-actions", {(PartitionOf("1").value + 1) % 4}}, base::Offset{100});
  Apply(produced[0]);
  EXPECT_EQ(Json(client.Receive()), Counts(1, 0, 0, 2));
}

TEST_F(InboxActionsApiTest, GivesUpWhenTheTaskTakesTooLong) {
  applies_actions = false;
  backend.action_timeout = std::chrono::milliseconds(20);
  Start();
  Notify("1", "2");
  EXPECT_THAT(ExpectUnknown(Post(Item(NewestId("1"), "read"), "")), HasSubstr("in time"));
  ExpectUnknown(Post("/v1/users/1/inbox/read-all", ""));
  // The waits are gone: nobody answers twice, and what comes now is applied.
  for (const auto& record : producer.produced()) Apply(record);
  EXPECT_EQ(Json(Get("/v1/users/1/inbox/counts"))["unread"], 0);
}

TEST_F(InboxActionsApiTest, GivesUpWhenKafkaTakesTooLong) {
  backend.action_timeout = std::chrono::milliseconds(20);
  Start();
  Notify("1", "2");
  producer.Hold();
  ExpectUnknown(Post(Item(NewestId("1"), "read"), ""));
  producer.Release();
}

TEST_F(InboxActionsApiTest, SaysThatAnInboxHasMovedMeanwhile) {
  applies_actions = false;
  Start();
  Notify("1", "2");
  HttpClient client(address);
  ASSERT_TRUE(client.Send(RequestText("POST", Item(NewestId("1"), "read"))));
  producer.WaitFor(1);
  Move("1", pipeline::Instance{"i-there", "10.0.0.2:8080", false});
  EXPECT_THAT(ExpectUnknown(client.Receive()), HasSubstr("moved"));
}

TEST_F(InboxActionsApiTest, SaysThatATaskWasNotThereToWaitFor) {
  Start();
  Notify("1", "2");
  const std::string id = NewestId("1");
  applies_actions = false;
  positions.Gone(ActionsOf("1"));
  ExpectUnknown(Post(Item(id, "read"), ""));
}

TEST_F(InboxActionsApiTest, DoesNotReadAnInboxThatLeftAfterTheCommit) {
  applies_actions = false;
  Start();
  Notify("1", "2");
  HttpClient client(address);
  ASSERT_TRUE(client.Send(RequestText("POST", Item(NewestId("1"), "read"))));
  const auto produced = producer.WaitFor(1);
  stores.Unpublish(stages::kInboxStore, PartitionOf("1"));
  Apply(produced[0]);
  ExpectUnknown(client.Receive());
}

TEST_F(InboxActionsApiTest, TellsWhatKafkaRefusesFromWhatItDidNotConfirm) {
  Start();
  Notify("1", "2");
  const std::string id = NewestId("1");
  producer.FailAt(0, base::Status::InvalidArgument("record is too large"));
  EXPECT_THAT(Problem(Post(Item(id, "read"), ""), 400)["detail"].get<std::string>(),
              HasSubstr("too large"));
  producer.FailAt(0, base::Status::Unavailable("no broker"));
  EXPECT_THAT(ExpectUnknown(Post(Item(id, "read"), "")), HasSubstr("no broker"));
}

TEST_F(InboxActionsApiTest, TurnsAwayWhatItCannotWaitFor) {
  applies_actions = false;
  Start();
  Notify("1", "2");
  const std::string id = NewestId("1");
  std::vector<uint64_t> waits;
  for (size_t i = 0; i < pipeline::PositionWatch::kWaitsMax; ++i) {
    waits.push_back(positions.Wait(ActionsOf("1"), base::Offset{1'000'000}, [](auto) {}));
  }
  EXPECT_THAT(ExpectUnknown(Post(Item(id, "read"), "")), HasSubstr("Too many"));
  for (const uint64_t wait : waits) positions.Cancel(wait);
}

TEST_F(InboxActionsApiTest, ComesAgainLaterForAnInboxThatRestores) {
  Start();
  Notify("1", "2");
  const std::string id = NewestId("1");
  stores.PublishRestoring(stages::kInboxStore, PartitionOf("1"));
  Problem(Post(Item(id, "read"), ""), 503);
  Problem(Delete(Item(id)), 503);
  Problem(Post("/v1/users/1/inbox/read-all", ""), 503);
  EXPECT_TRUE(producer.produced().empty());
}

TEST_F(InboxActionsApiTest, RefusesAUserIdThatIsNone) {
  Start();
  for (const char* user : {"%FF", "%C3"}) {
    const std::string inbox = std::string("/v1/users/") + user + "/inbox/";
    EXPECT_EQ(Problem(Post(inbox + "read-all", ""), 400)["field"], "user");
    EXPECT_EQ(Problem(Post(inbox + "x/read", ""), 400)["field"], "user");
    EXPECT_EQ(Problem(Delete(inbox + "x"), 400)["field"], "user");
  }
}

TEST_F(InboxActionsApiTest, SurvivesReportsThatComeAfterTheServer) {
  Start();
  Notify("1", "2");
  HttpClient client(address);
  const std::string id = NewestId("1");
  producer.Hold();
  ASSERT_TRUE(client.Send(RequestText("POST", Item(id, "read"))));
  producer.WaitFor(1);
  server->Stop(std::chrono::milliseconds(0));
  server.reset();
  service.reset();
  producer.Release();
  EXPECT_TRUE(client.WaitForClose());
}

}  // namespace
}  // namespace serving
