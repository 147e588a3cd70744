#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "stages/inbox_rows.h"
#include "tests/serving/api_fixture.h"

namespace serving {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

using InboxApiTest = ApiTest;

std::vector<std::string> Actors(const json& inbox) {
  std::vector<std::string> actors;
  for (const auto& item : inbox["items"]) actors.push_back(item["actor"]["id"]);
  return actors;
}

TEST_F(InboxApiTest, ServesAnEmptyInboxToOneWhomNobodyWroteTo) {
  Start();
  const Received received = Get("/v1/users/nobody/inbox");
  EXPECT_EQ(received.status, 200);
  EXPECT_EQ(received.headers.at("content-type"), "application/json");
  EXPECT_EQ(received.body,
            R"({"items":[],"next":null,"counts":{"total":0,"unread":0,"unseen":0},"version":0})");
  EXPECT_EQ(Get("/v1/users/nobody/inbox/counts").body,
            R"({"total":0,"unread":0,"unseen":0,"version":0})");
}

TEST_F(InboxApiTest, ServesWhatWasCommittedNewestFirst) {
  Start();
  Notify("1", "2");
  Notify("1", "3");
  Notify("9", "4");
  const json inbox = Json(Get("/v1/users/1/inbox"));
  EXPECT_THAT(Actors(inbox), ElementsAre("3", "2"));
  EXPECT_EQ(inbox["next"], nullptr);
  EXPECT_EQ(inbox["counts"], json({{"total", 2}, {"unread", 2}, {"unseen", 2}}));
  EXPECT_EQ(inbox["version"], 2);
  const json& item = inbox["items"][0];
  EXPECT_EQ(item["recipient"], "1");
  EXPECT_EQ(item["type"], "follow");
  EXPECT_EQ(item["message"], "3 started following you.");
  EXPECT_EQ(item["read"], false);
  EXPECT_EQ(item["seen"], false);
  EXPECT_EQ(Json(Get("/v1/users/1/inbox/counts")),
            json({{"total", 2}, {"unread", 2}, {"unseen", 2}, {"version", 2}}));
}

TEST_F(InboxApiTest, PagesThroughAnInboxWithItsCursors) {
  Start();
  for (int i = 0; i < 45; ++i) Notify("1", std::to_string(i));
  std::vector<std::string> seen;
  std::vector<size_t> sizes;
  std::string target = "/v1/users/1/inbox";
  while (true) {
    const json page = Json(Get(target));
    for (auto& actor : Actors(page)) seen.push_back(actor);
    sizes.push_back(page["items"].size());
    if (page["next"].is_null()) break;
    target = "/v1/users/1/inbox?cursor=" + page["next"].get<std::string>();
  }
  EXPECT_THAT(sizes, ElementsAre(20, 20, 5));
  ASSERT_EQ(seen.size(), 45u);
  for (int i = 0; i < 45; ++i) EXPECT_EQ(seen[static_cast<size_t>(i)], std::to_string(44 - i));
}

TEST_F(InboxApiTest, TakesALimitFromOneToAHundred) {
  Start();
  for (int i = 0; i < 120; ++i) Notify("1", std::to_string(i));
  EXPECT_EQ(Json(Get("/v1/users/1/inbox?limit=1"))["items"].size(), 1u);
  EXPECT_EQ(Json(Get("/v1/users/1/inbox?limit=100"))["items"].size(), 100u);
  for (const char* limit : {"0", "101", "-1", "", "x", "5x", "1.5", "+5", "99999999999999999999"}) {
    const json problem = Problem(Get(std::string("/v1/users/1/inbox?limit=") + limit), 400);
    EXPECT_EQ(problem["field"], "limit") << limit;
    EXPECT_THAT(problem["detail"].get<std::string>(), HasSubstr("1 to 100")) << limit;
  }
}

/// The answer of a service that keeps no pages.
std::string Plain(const Backend& backend, std::shared_ptr<Timers> timers,
                  const std::string& target) {
  Backend keeps_nothing = backend;
  keeps_nothing.kept_pages_bytes_max = 0;
  InboxService plain(std::move(keeps_nothing), std::move(timers));
  Request request;
  request.method = "GET";
  request.target = target;
  std::string body;
  plain.handler()(std::move(request), [&](const Response& response) { body = response.body; });
  return body;
}

TEST_F(InboxApiTest, AKeptPageIsTheOneThatWouldBeReadNow) {
  Start();
  std::mt19937 random(1);
  std::map<std::string, std::vector<std::string>> ids;
  for (int step = 0; step < 300; ++step) {
    const std::string user(1, static_cast<char>('a' + random() % 5));
    const std::string inbox = "/v1/users/" + user + "/inbox";
    const auto one_of_them = [&] {
      return ids[user].empty() ? "x" : ids[user][random() % ids[user].size()];
    };
    switch (random() % 10) {
      case 0:
        Post(inbox + "/" + one_of_them() + "/read", "");
        break;
      case 1:
        Post(inbox + "/" + one_of_them() + "/unread", "");
        break;
      case 2:
        Post(inbox + "/" + one_of_them() + "/seen", "");
        break;
      case 3:
        Delete(inbox + "/" + one_of_them());
        break;
      case 4:
        Post(inbox + (random() % 2 == 0 ? "/read-all" : "/seen-all"), "");
        break;
      case 5:
        Post(inbox + "/read-all", R"({"up_to":)" + std::to_string(random() % 5) + "}");
        break;
      default:
        Notify(user, std::to_string(step));
        ids[user].push_back(NewestId(user));
    }
    for (const std::string& target :
         {inbox, inbox + "?limit=3", std::string("/v1/users/a/inbox"), inbox + "?status=unread"}) {
      const std::string expected = Plain(backend, server->timers(), target);
      for (int time = 0; time < 2; ++time) ASSERT_EQ(Get(target).body, expected) << step;
    }
  }
}

TEST_F(InboxApiTest, KeepsNoPageOfAnotherReader) {
  Start();
  Notify("1", "2");
  EXPECT_THAT(Actors(Json(Get("/v1/users/1/inbox"))), ElementsAre("2"));
  // The same head row and another history, as after a reset.
  state::SharedMemory memory(size_t{1} << 20, size_t{1} << 20);
  state::TaskState::Options options;
  options.directory = scratch.path() / "other";
  options.stores = {{std::string(stages::kInboxStore), true},
                    {std::string(stages::kInboxUnreadStore), false}};
  options.memory = &memory;
  auto other = state::TaskState::Open(options);
  ASSERT_TRUE(other.ok()) << other.status().ToString();
  state::TaskState& known = *tasks.at(PartitionOf("1"))->state;
  const auto copy = [&](std::string_view key, std::string_view value) {
    std::string row(value);
    const std::string actor = R"("actor":{"id":")";
    if (const size_t at = row.find(actor); at != std::string::npos) row[at + actor.size()] = '3';
    (*other)->Store(stages::kInboxStore).Put(key, std::move(row));
    return true;
  };
  ASSERT_TRUE(known.Store(stages::kInboxStore).Scan("", "", copy).ok());
  ASSERT_TRUE((*other)->Commit({}).ok());
  stores.Publish(stages::kInboxStore, PartitionOf("1"), (*other)->MakeReader());
  EXPECT_THAT(Actors(Json(Get("/v1/users/1/inbox"))), ElementsAre("3"));
  stores.Publish(stages::kInboxStore, PartitionOf("1"), known.MakeReader());
}

TEST_F(InboxApiTest, RefusesACursorThatItDidNotGiveOut) {
  Start();
  for (const char* cursor : {"x", "a", "a00", "%F0%9F%98%80"}) {
    const json problem = Problem(Get(std::string("/v1/users/1/inbox?cursor=") + cursor), 400);
    EXPECT_EQ(problem["field"], "cursor") << cursor;
  }
  EXPECT_EQ(Get("/v1/users/1/inbox?cursor=").status, 200);
}

TEST_F(InboxApiTest, ShowsOnlyWhatIsUnreadOrRead) {
  Start();
  for (const char* actor : {"2", "3", "4"}) Notify("1", actor);
  EXPECT_EQ(Post("/v1/users/1/inbox/" + NewestId("1") + "/read", "").status, 200);
  const json unread = Json(Get("/v1/users/1/inbox?status=unread"));
  EXPECT_THAT(Actors(unread), ElementsAre("3", "2"));
  EXPECT_EQ(unread["counts"], json({{"total", 3}, {"unread", 2}, {"unseen", 2}}));
  EXPECT_THAT(Actors(Json(Get("/v1/users/1/inbox?status=read"))), ElementsAre("4"));
  EXPECT_THAT(Actors(Json(Get("/v1/users/1/inbox?status=all"))), ElementsAre("4", "3", "2"));
}

TEST_F(InboxApiTest, ShowsOnlyTheKindsThatAreAskedFor) {
  Start();
  const char* actor[] = {"2", "3", "4", "5"};
  const char* kind[] = {"follow", "like", "mention", "like"};
  for (size_t i = 0; i < 4; ++i) {
    stages::Notification notification;
    notification.kind = stages::FindEventKind(kind[i]);
    notification.recipient = "1";
    notification.actor.id = actor[i];
    Tell(std::move(notification));
  }
  EXPECT_THAT(Actors(Json(Get("/v1/users/1/inbox?type=like"))), ElementsAre("5", "3"));
  EXPECT_THAT(Actors(Json(Get("/v1/users/1/inbox?type=follow,mention"))), ElementsAre("4", "2"));
  EXPECT_THAT(Actors(Json(Get("/v1/users/1/inbox?type=like%2Clike&status=unread"))),
              ElementsAre("5", "3"));
  EXPECT_THAT(Actors(Json(Get("/v1/users/1/inbox?type=message"))), ElementsAre());
}

TEST_F(InboxApiTest, PagesThroughWhatAFilterLetsThrough) {
  Start();
  for (int i = 0; i < 5; ++i) Notify("1", std::to_string(i));
  const json first = Json(Get("/v1/users/1/inbox?status=unread&limit=3"));
  EXPECT_THAT(Actors(first), ElementsAre("4", "3", "2"));
  const json second =
      Json(Get("/v1/users/1/inbox?status=unread&cursor=" + first["next"].get<std::string>()));
  EXPECT_THAT(Actors(second), ElementsAre("1", "0"));
  EXPECT_EQ(second["next"], nullptr);
}

TEST_F(InboxApiTest, NamesTheFilterThatIsWrong) {
  Start();
  for (const char* status : {"", "seen", "UNREAD", "read,unread"}) {
    const json problem = Problem(Get(std::string("/v1/users/1/inbox?status=") + status), 400);
    EXPECT_EQ(problem["field"], "status") << status;
  }
  for (const char* type : {"", "poke", "unlike", "like,", ",like", "like,poke", "Like"}) {
    const json problem = Problem(Get(std::string("/v1/users/1/inbox?type=") + type), 400);
    EXPECT_EQ(problem["field"], "type") << type;
    EXPECT_THAT(problem["detail"].get<std::string>(), HasSubstr("follow")) << type;
  }
}

TEST_F(InboxApiTest, IgnoresParametersThatItDoesNotKnow) {
  Start();
  Notify("1", "2");
  EXPECT_EQ(Json(Get("/v1/users/1/inbox?colour=red&limit=1&limit=x"))["items"].size(), 1u);
}

TEST_F(InboxApiTest, NeverTakesAPartitionThatRestoresForAnEmptyInbox) {
  Start();
  Notify("1", "2");
  stores.PublishRestoring(stages::kInboxStore, PartitionOf("1"));
  for (const char* target : {"/v1/users/1/inbox", "/v1/users/1/inbox/counts"}) {
    const Received restoring = Get(target);
    Problem(restoring, 503);
    EXPECT_EQ(restoring.headers.at("retry-after"), "1");
  }
  stores.Unpublish(stages::kInboxStore, PartitionOf("1"));
  for (const char* target : {"/v1/users/1/inbox", "/v1/users/1/inbox/counts"}) {
    Problem(Get(target), 503);
  }
  stores.Publish(stages::kInboxStore, PartitionOf("1"),
                 tasks.at(PartitionOf("1"))->state->MakeReader());
  EXPECT_EQ(Json(Get("/v1/users/1/inbox/counts"))["total"], 1);
}

TEST_F(InboxApiTest, SaysThatAnInboxCannotBeReadWhenARowIsBroken) {
  Start();
  state::TaskState& state = *tasks.at(PartitionOf("1"))->state;
  state.Store(stages::kInboxStore).Put(stages::InboxKeys("1").Head(), "not a head row");
  ASSERT_TRUE(state.Commit({}).ok());
  Problem(Get("/v1/users/1/inbox"), 503);
  Problem(Get("/v1/users/1/inbox/counts"), 503);
}

TEST_F(InboxApiTest, TakesAnyUserIdOfUpTo256BytesOfUtf8) {
  Start();
  Notify("a/b ä%", "2");
  EXPECT_EQ(Json(Get("/v1/users/a%2Fb%20%C3%A4%25/inbox"))["counts"]["total"], 1);
  EXPECT_EQ(Get("/v1/users/" + std::string(256, 'x') + "/inbox").status, 200);
  for (const std::string& user :
       {std::string(257, 'x'), std::string("%FF"), std::string("%C3"), std::string("%ED%A0%80")}) {
    for (const char* route : {"/inbox", "/inbox/counts", ""}) {
      EXPECT_EQ(Problem(Get("/v1/users/" + user + route), 400)["field"], "user") << user;
    }
  }
}

TEST_F(InboxApiTest, AnswersHeadWithoutTheBody) {
  Start();
  Notify("1", "2");
  HttpClient client(address);
  const Received get = client.Call("GET", "/v1/users/1/inbox");
  const Received head = client.Call("HEAD", "/v1/users/1/inbox");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.headers.at("content-length"), std::to_string(get.body.size()));
  EXPECT_EQ(client.Call("GET", "/v1/users/1/inbox").body, get.body);
}

TEST_F(InboxApiTest, NamesTheMethodsOfItsRoutes) {
  Start();
  const Received received = Post("/v1/users/1/inbox", "{}");
  Problem(received, 405);
  EXPECT_EQ(received.headers.at("allow"), "GET, HEAD");
  Problem(Get("/v1/users/1/outbox"), 404);
}

TEST_F(InboxApiTest, CountsAndRowsOfOneAnswerAreOfOneMoment) {
  Start();
  std::atomic<bool> done = false;
  std::jthread reader([&] {
    HttpClient client(address);
    while (!done) {
      const json inbox = Json(client.Call("GET", "/v1/users/1/inbox?limit=100"));
      // Every commit adds one row, so the version is the number of rows, in any one moment.
      EXPECT_EQ(inbox["items"].size(), inbox["version"]);
      EXPECT_EQ(inbox["counts"]["total"], inbox["version"]);
    }
  });
  for (int i = 0; i < 100; ++i) Notify("1", std::to_string(i));
  done = true;
}

TEST_F(InboxApiTest, LabelsItsMetricsByRoute) {
  Start();
  Get("/v1/users/secret-user/inbox?limit=1");
  Get("/v1/users/secret-user/inbox?limit=x");
  const std::string text = Get("/metrics").body;
  EXPECT_THAT(text, HasSubstr("herald_http_requests_total{method=\"GET\",route=\"/v1/users/{user}/"
                              "inbox\",status=\"200\"} 1"));
  EXPECT_THAT(text, HasSubstr("route=\"/v1/users/{user}/inbox\",status=\"400\"} 1"));
  EXPECT_THAT(text, testing::Not(HasSubstr("secret-user")));
}

}  // namespace
}  // namespace serving
