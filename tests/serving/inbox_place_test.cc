#include "serving/inbox_place.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "serving/problem.h"
#include "tests/serving/api_fixture.h"

namespace serving {
namespace {

using nlohmann::json;
using testing::HasSubstr;

struct Route {
  const char* method;
  const char* target;
  const char* body;
};

constexpr Route kRoutes[] = {
    {"GET", "/v1/users/1/inbox?limit=5&status=unread", ""},
    {"GET", "/v1/users/1/inbox/counts", ""},
    {"POST", "/v1/users/%31/inbox/n1/read", ""},
    {"POST", "/v1/users/1/inbox/n1/unread", ""},
    {"POST", "/v1/users/1/inbox/n1/seen", ""},
    {"POST", "/v1/users/1/inbox/read-all", "{\"up_to\":7}"},
    {"POST", "/v1/users/1/inbox/seen-all", ""},
    {"DELETE", "/v1/users/1/inbox/n1", ""},
    {"GET", "/notifications/1", ""},
};

class InboxPlaceTest : public ApiTest {
 protected:
  Received Ask(const Route& route, const NamesAndValues& headers = {}) {
    return HttpClient(address).Call(route.method, route.target, route.body, headers);
  }

  /// A 503 in the form of the route.
  void ExpectUnavailable(const Route& route, const Received& received) {
    EXPECT_EQ(received.status, 503) << route.target;
    EXPECT_EQ(received.headers.at("retry-after"), "1") << route.target;
    if (std::string_view(route.target).starts_with("/v1/")) {
      Problem(received, 503);
    } else {
      EXPECT_EQ(received.headers.at("content-type"), "application/json; charset=utf-8");
      EXPECT_TRUE(Json(received)["message"].is_string());
      EXPECT_EQ(Json(received).size(), 1u);
    }
  }

  const pipeline::Instance there{"i-there", "10.0.0.2:8080", false};
};

TEST_F(InboxPlaceTest, ForwardsEveryInboxRouteAsItCame) {
  Start();
  Move("1", there);
  Response answer;
  answer.status = 418;
  answer.content_type = "text/strange";
  answer.headers = {{"Retry-After", "9"}};
  answer.body = "from there";
  forwarder.Answer(answer);
  for (const Route& route : kRoutes) {
    const Received received = Ask(route, {{"Content-Type", "text/x"}});
    EXPECT_EQ(received.status, 418) << route.target;
    EXPECT_EQ(received.headers.at("content-type"), "text/strange") << route.target;
    EXPECT_EQ(received.headers.at("retry-after"), "9") << route.target;
    EXPECT_EQ(received.body, "from there") << route.target;
    const auto forwarded = forwarder.forwarded().back();
    EXPECT_EQ(forwarded.to.address, "10.0.0.2:8080");
    EXPECT_EQ(forwarded.request.method, route.method);
    EXPECT_EQ(forwarded.request.target, route.target);
    EXPECT_EQ(forwarded.request.body, route.body);
    EXPECT_EQ(forwarded.request.Header("content-type"), "text/x");
  }
  EXPECT_EQ(forwarder.forwarded().size(), std::size(kRoutes));
  EXPECT_TRUE(producer.produced().empty());
}

TEST_F(InboxPlaceTest, ForwardsNothingThatIsHere) {
  owner = there;
  Start();
  Notify("1", "2");
  EXPECT_EQ(Json(Get("/v1/users/1/inbox/counts"))["total"], 1);
  EXPECT_TRUE(forwarder.forwarded().empty());
}

TEST_F(InboxPlaceTest, TakesOneHopAndNoMore) {
  Start();
  Move("1", there);
  for (const Route& route : kRoutes) {
    ExpectUnavailable(route, Ask(route, {{"Herald-Forwarded", "app/i-here"}}));
  }
  EXPECT_TRUE(forwarder.forwarded().empty());
}

TEST_F(InboxPlaceTest, AnswersNothingThatIsMeantForAnotherInstance) {
  Start();
  Notify("1", "2");
  for (const Route& route : kRoutes) {
    for (const char* meant_for : {"app/i-there", "other/i-here", "i-here", ""}) {
      ExpectUnavailable(route, Ask(route, {{"Herald-Forwarded", meant_for}}));
    }
  }
}

TEST_F(InboxPlaceTest, AnswersForwardedRequestsForWhatIsHere) {
  Start();
  Notify("1", "2");
  const Received received = HttpClient(address).Call("GET", "/v1/users/1/inbox/counts", "",
                                                     {{"herald-forwarded", "app/i-here"}});
  EXPECT_EQ(Json(received)["total"], 1);
}

TEST_F(InboxPlaceTest, SaysComeAgainWhileNobodyIsKnownToHaveTheInbox) {
  Start();
  pipeline::Instance self = there;
  self.self = true;
  const pipeline::Instance silent{"i-silent", "", false};
  for (const auto& who :
       {std::optional<pipeline::Instance>(), std::optional(self), std::optional(silent)}) {
    Move("1", who);
    for (const Route& route : kRoutes) ExpectUnavailable(route, Ask(route));
  }
  EXPECT_TRUE(forwarder.forwarded().empty());
}

TEST_F(InboxPlaceTest, SaysComeAgainWithoutAForwarder) {
  backend.forwarder = nullptr;
  Start();
  Move("1", there);
  for (const Route& route : kRoutes) ExpectUnavailable(route, Ask(route));
}

TEST_F(InboxPlaceTest, DoesNotForwardWhatItIsRestoringItself) {
  owner = there;
  Start();
  stores.PublishRestoring(stages::kInboxStore, PartitionOf("1"));
  for (const Route& route : kRoutes) ExpectUnavailable(route, Ask(route));
  EXPECT_TRUE(forwarder.forwarded().empty());
}

TEST_F(InboxPlaceTest, TellsAClientOfKafkaNotifyInItsOwnWordsThatAnInstanceIsAway) {
  Start();
  Move("1", there);
  forwarder.Answer(Unavailable("The instance that has this inbox does not answer."));
  ExpectUnavailable(kRoutes[8], Ask(kRoutes[8]));
  EXPECT_EQ(Get("/notifications/1").body,
            R"({"message":"The instance that has this inbox does not answer."})");
  ExpectUnavailable(kRoutes[0], Ask(kRoutes[0]));
}

TEST_F(InboxPlaceTest, AsksForTheWholeAnswerToTellTheSizeOfHead) {
  Start();
  Move("1", there);
  Response answer;
  answer.body = "12345";
  forwarder.Answer(answer);
  const Received received = HttpClient(address).Call("HEAD", "/v1/users/1/inbox");
  EXPECT_EQ(received.status, 200);
  EXPECT_EQ(received.headers.at("content-length"), "5");
  EXPECT_EQ(forwarder.forwarded().back().request.method, "GET");
}

TEST_F(InboxPlaceTest, RefusesBadRequestsWithoutAskingAnybody) {
  Start();
  Move("1", there);
  Problem(Get("/v1/users/1/inbox?limit=x"), 400);
  Problem(Get("/v1/users/1/inbox?type=x"), 400);
  Problem(Post("/v1/users/1/inbox/read-all", "[]"), 400);
  EXPECT_TRUE(forwarder.forwarded().empty());
}

}  // namespace
}  // namespace serving
