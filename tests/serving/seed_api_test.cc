#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/partitioner.h"
#include "tests/serving/api_fixture.h"

namespace serving {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::StartsWith;

constexpr const char* kForm = "application/x-www-form-urlencoded";
constexpr const char* kJson = "application/json; charset=utf-8";
constexpr const char* kSent = R"({"message":"Notification sent successfully!"})";
constexpr const char* kNone = R"({"message":"No notifications found for user","notifications":[]})";
constexpr const char* kBadFrom =
    R"({"message":"failed to parse ID from form value fromID: strconv.Atoi: parsing \"\": invalid syntax"})";
constexpr const char* kBadTo =
    R"({"message":"failed to parse ID from form value toID: strconv.Atoi: parsing \"\": invalid syntax"})";

class SeedApiTest : public ApiTest {
 protected:
  SeedApiTest() {
    int64_t offset = 0;
    for (const char* name : {"Emma", "Bruno", "Rick", "Lena"}) {
      ++offset;
      users.Apply({"users",
                   {0},
                   std::to_string(offset),
                   R"({"name":")" + std::string(name) + R"("})",
                   base::Offset{offset}});
    }
  }

  Received Send(const std::string& form, const std::string& content_type = kForm) {
    return HttpClient(address).Call("POST", "/send", form, {{"Content-Type", content_type}});
  }

  /// Fails unless the answer is this, to the byte.
  static void Expect(const Received& received, int status, const std::string& body) {
    EXPECT_EQ(received.status, status) << received.body;
    EXPECT_EQ(received.body, body);
    EXPECT_EQ(received.headers.at("content-type"), kJson);
    EXPECT_EQ(received.headers.at("content-length"), std::to_string(body.size()));
  }

  static void ExpectNotFound(const Received& received, bool head = false) {
    EXPECT_EQ(received.status, 404);
    EXPECT_EQ(received.headers.at("content-type"), "text/plain");
    EXPECT_EQ(received.headers.at("content-length"), "18");
    EXPECT_EQ(received.body, head ? "" : "404 page not found");
  }

  json Event(size_t n) { return json::parse(*producer.produced().at(n).value); }

  void Told(const std::string& to, const std::string& from, const std::optional<std::string>& name,
            const std::string& message) {
    stages::Notification notification;
    notification.kind = stages::FindEventKind("message");
    notification.recipient = to;
    notification.actor.id = from;
    notification.actor.name = name;
    notification.message = message;
    Tell(std::move(notification));
  }
};

TEST_F(SeedApiTest, SendsAMessageAsAnEventKeyedByItsTarget) {
  Start();
  Expect(Send("fromID=2&toID=1&message=Bruno started following you."), 200, kSent);
  ASSERT_EQ(producer.produced().size(), 1u);
  const auto record = producer.produced()[0];
  EXPECT_EQ(record.topic, "events");
  EXPECT_EQ(record.key, "1");
  EXPECT_EQ(record.partition, pipeline::PartitionForKey("1", kEventsPartitions));
  EXPECT_THAT(*record.value,
              MatchesRegex(R"(\{"id":"[0-9a-f-]{36}","type":"message","actor":"2","target":"1",)"
                           R"("text":"Bruno started following you\."\})"));
  pipeline::RawRecord raw;
  raw.value = *record.value;
  const auto event = pipeline::Serde<stages::Event>().Decode(raw);
  ASSERT_TRUE(event.ok()) << event.status().ToString();
  EXPECT_EQ(event->text, "Bruno started following you.");
}

TEST_F(SeedApiTest, PutsATraceOnTheEventButNotInTheAnswer) {
  Start();
  const Received sent = HttpClient(address).Call(
      "POST", "/send", "fromID=2&toID=1&message=hi",
      {{"Content-Type", "application/x-www-form-urlencoded"},
       {"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}});
  ASSERT_EQ(sent.status, 200) << sent.body;
  EXPECT_FALSE(sent.headers.contains("traceresponse"));
  EXPECT_THAT(producer.produced().back().headers,
              testing::ElementsAre(testing::Pair(
                  "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")));
}

TEST_F(SeedApiTest, SendsAnEmptyMessage) {
  Start();
  Expect(Send("fromID=2&toID=1"), 200, kSent);
  Expect(Send("fromID=2&toID=1&message="), 200, kSent);
  EXPECT_EQ(Event(0)["text"], "");
  EXPECT_EQ(Event(1)["text"], "");
}

TEST_F(SeedApiTest, SendsAMessageToOneself) {
  Start();
  Expect(Send("fromID=1&toID=1&message=note"), 200, kSent);
  EXPECT_EQ(Event(0)["actor"], "1");
  EXPECT_EQ(Event(0)["target"], "1");
}

TEST_F(SeedApiTest, LetsTheFirstValueOfAFieldCountAndAPlusBeASpace) {
  Start();
  Expect(Send("fromID=2&fromID=3&toID=1&toID=x&message=a+b&message=c"), 200, kSent);
  EXPECT_EQ(Event(0)["actor"], "2");
  EXPECT_EQ(Event(0)["text"], "a b");
}

TEST_F(SeedApiTest, TakesASignAndLeadingZeros) {
  Start();
  Expect(Send("fromID=%2B2&toID=01&message=x"), 200, kSent);
  EXPECT_EQ(Event(0)["actor"], "2");
  EXPECT_EQ(Event(0)["target"], "1");
}

TEST_F(SeedApiTest, TakesAMultipartForm) {
  Start();
  const auto part = [](const std::string& name, const std::string& value) {
    return "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n";
  };
  Expect(Send(part("fromID", "2") + part("toID", "1") + part("message", "a\r\nb") + "--b--\r\n",
              "multipart/form-data; boundary=b"),
         200, kSent);
  EXPECT_EQ(Event(0)["text"], "a\r\nb");
}

TEST_F(SeedApiTest, SaysWhichIdItCannotRead) {
  Start();
  Expect(Send("toID=1&message=x"), 400, kBadFrom);
  Expect(Send("message=x"), 400, kBadFrom);
  Expect(Send("fromID=2"), 400, kBadTo);
  Expect(Send("fromID=abc&toID=x"), 400,
         R"({"message":"failed to parse ID from form value fromID: strconv.Atoi: )"
         R"(parsing \"abc\": invalid syntax"})");
  Expect(Send("fromID=99999999999999999999&toID=1"), 400,
         R"({"message":"failed to parse ID from form value fromID: strconv.Atoi: )"
         R"(parsing \"99999999999999999999\": value out of range"})");
  Expect(Send("fromID=9&toID=%3Ca%3E%26%22%00%FF"), 400,
         R"({"message":"failed to parse ID from form value toID: strconv.Atoi: )"
         R"(parsing \"\u003ca\u003e\u0026\\\"\\x00\\xff\": invalid syntax"})");
  EXPECT_TRUE(producer.produced().empty());
}

TEST_F(SeedApiTest, LooksForFieldsInAFormBodyOnly) {
  Start();
  const std::string good = "fromID=2&toID=1&message=x";
  Expect(HttpClient(address).Call("POST", "/send?" + good), 400, kBadFrom);
  Expect(Send(R"({"fromID":2,"toID":1,"message":"x"})", "application/json"), 400, kBadFrom);
  Expect(Send(good, "text/plain"), 400, kBadFrom);
  Expect(HttpClient(address).Call("POST", "/send", good), 400, kBadFrom);
  Expect(Send("fromID=2&toID=1&x=%zz;", kForm), 200, kSent);
}

TEST_F(SeedApiTest, SendsNothingFromOrToNobody) {
  Start();
  constexpr const char* kNobody = R"({"message":"User not found"})";
  for (const char* form : {"fromID=9&toID=1", "fromID=2&toID=9", "fromID=-2&toID=1",
                           "fromID=0&toID=0", "fromID=9&toID=1&message=x"}) {
    Expect(Send(form), 404, kNobody);
  }
  EXPECT_TRUE(producer.produced().empty());
}

TEST_F(SeedApiTest, DoesNotTakeAUserForNobodyBeforeItIsReady) {
  ready = base::Status::Unavailable("the users table is being read");
  Start();
  const Received received = Send("fromID=9&toID=1");
  EXPECT_EQ(received.status, 500);
  EXPECT_THAT(Json(received)["message"].get<std::string>(), HasSubstr("users table"));
  Expect(Send("fromID=2&toID=1"), 200, kSent);
  users.FailReads(base::Status::Corruption("block checksum"));
  EXPECT_EQ(Send("fromID=2&toID=1").status, 500);
}

TEST_F(SeedApiTest, SaysWhatKafkaSays) {
  Start();
  producer.FailAll(base::Status::Unavailable("no <broker>"));
  Expect(Send("fromID=2&toID=1&message=x"), 500, R"({"message":"no \u003cbroker\u003e"})");
  Expect(Send("fromID=2"), 400, kBadTo);
}

TEST_F(SeedApiTest, AnswersWhenKafkaHasTheEvent) {
  Start();
  producer.Hold();
  HttpClient client(address);
  ASSERT_TRUE(
      client.Send(RequestText("POST", "/send", "fromID=2&toID=1", {{"Content-Type", kForm}})));
  producer.WaitFor(1);
  producer.Release();
  Expect(client.Receive(), 200, kSent);
}

TEST_F(SeedApiTest, RefusesAMessageThatNoEventCanHold) {
  Start();
  Expect(Send("fromID=2&toID=1&message=" + std::string(4096, 'x')), 200, kSent);
  Expect(Send("fromID=2&toID=1&message=" + std::string(4097, 'x')), 400,
         R"({"message":"message is longer than 4096 bytes"})");
  EXPECT_EQ(producer.produced().size(), 1u);
}

TEST_F(SeedApiTest, ReplacesWhatIsNotUtf8) {
  Start();
  Expect(Send("fromID=2&toID=1&message=a%FFb%C3"), 200, kSent);
  EXPECT_EQ(Event(0)["text"], "a\ufffdb\ufffd");
}

TEST_F(SeedApiTest, TakesNothingForABackloggedPartition) {
  const base::Partition full = pipeline::PartitionForKey("1", kEventsPartitions);
  backend.events_backlogged = [full](base::Partition partition) { return partition == full; };
  Start();
  const Received received = Send("fromID=2&toID=1&message=x");
  EXPECT_EQ(received.status, 429);
  EXPECT_EQ(received.headers.at("retry-after"), "1");
  EXPECT_EQ(received.headers.at("content-type"), kJson);
  EXPECT_TRUE(Json(received)["message"].is_string());
  EXPECT_TRUE(producer.produced().empty());
}

TEST_F(SeedApiTest, ListsNotificationsOldestFirst) {
  Start();
  Told("1", "2", "Bruno", "Bruno started following you.");
  Told("1", "4", "Lena", "");
  Told("3", "4", "Lena", "for Rick");
  Expect(Get("/notifications/1"), 200,
         R"({"notifications":[)"
         R"({"from":{"id":2,"name":"Bruno"},"to":{"id":1,"name":"Emma"},)"
         R"("message":"Bruno started following you."},)"
         R"({"from":{"id":4,"name":"Lena"},"to":{"id":1,"name":"Emma"},"message":""}]})");
}

TEST_F(SeedApiTest, WritesStringsAsGoDoes) {
  Start();
  Told("1", "2", "<B&\u2028>", "a\"b\\c\n\u00e9 <i>\x01");
  Expect(Get("/notifications/1"), 200,
         R"({"notifications":[{"from":{"id":2,"name":"\u003cB\u0026\u2028\u003e"},)"
         R"("to":{"id":1,"name":"Emma"},)"
         "\"message\":\"a\\\"b\\\\c\\n\u00e9 \\u003ci\\u003e\\u0001\"}]}");
}

TEST_F(SeedApiTest, ListsAllOfThem) {
  Start();
  for (int i = 0; i < 300; ++i) Told("1", "2", "Bruno", "n" + std::to_string(i));
  const json list = Json(Get("/notifications/1"));
  ASSERT_EQ(list["notifications"].size(), 300u);
  EXPECT_EQ(list["notifications"][0]["message"], "n0");
  EXPECT_EQ(list["notifications"][299]["message"], "n299");
}

TEST_F(SeedApiTest, HasZeroAndNothingForWhatIsNotKnown) {
  Start();
  Told("7", "emma", std::nullopt, "x");
  Told("7", "99999999999999999999", "Long", "y");
  Expect(Get("/notifications/7"), 200,
         R"({"notifications":[{"from":{"id":0,"name":""},"to":{"id":7,"name":""},"message":"x"},)"
         R"({"from":{"id":0,"name":"Long"},"to":{"id":7,"name":""},"message":"y"}]})");
}

TEST_F(SeedApiTest, SaysThatThereAreNone) {
  Start();
  Told("01", "2", "Bruno", "x");
  for (const char* user :
       {"1", "9", "abc", "01", "+1", "-1", "1.0", "99999999999999999999", "%FF", "1%20", "%00"}) {
    Expect(Get(std::string("/notifications/") + user), 200, kNone);
  }
}

TEST_F(SeedApiTest, DecodesThePathBeforeItMatches) {
  Start();
  Told("1", "2", "Bruno", "x");
  EXPECT_THAT(Get("/notifications/%31").body, StartsWith(R"({"notifications":[{"from")"));
  EXPECT_THAT(Get("/notifications%2F1").body, StartsWith(R"({"notifications":[{"from")"));
  EXPECT_THAT(Get("/notifications/1?x=%zz").body, StartsWith(R"({"notifications":[{"from")"));
  ExpectNotFound(Get("/notifications/a%2Fb"));
}

TEST_F(SeedApiTest, RedirectsFromASlashAtTheEnd) {
  Start();
  const Received get = Get("/notifications/1/");
  EXPECT_EQ(get.status, 301);
  EXPECT_EQ(get.reason, "Moved Permanently");
  EXPECT_EQ(get.headers.at("location"), "/notifications/1");
  EXPECT_EQ(get.headers.at("content-type"), "text/html; charset=utf-8");
  EXPECT_EQ(get.body, "<a href=\"/notifications/1\">Moved Permanently</a>.\n\n");
  const Received query = Get("/notifications/a%20b/?x=1&y=%22");
  EXPECT_EQ(query.headers.at("location"), "/notifications/a%20b?x=1&y=%22");
  EXPECT_EQ(query.body,
            "<a href=\"/notifications/a%20b?x=1&amp;y=%22\">Moved Permanently</a>.\n\n");

  const Received post =
      HttpClient(address).Call("POST", "/send/", "fromID=2&toID=1", {{"Content-Type", kForm}});
  EXPECT_EQ(post.status, 307);
  EXPECT_EQ(post.reason, "Temporary Redirect");
  EXPECT_EQ(post.headers.at("location"), "/send");
  EXPECT_EQ(post.headers.count("content-type"), 0u);
  EXPECT_EQ(post.headers.at("content-length"), "0");
  EXPECT_TRUE(producer.produced().empty());
}

TEST_F(SeedApiTest, KnowsNothingElse) {
  Start();
  Told("1", "2", "Bruno", "x");
  for (const char* target :
       {"/send", "/send/", "/Send", "/Notifications/1", "/notifications", "/notifications/",
        "/notifications//", "/notifications/1/2", "//notifications/1"}) {
    SCOPED_TRACE(target);
    ExpectNotFound(Get(target));
  }
  for (const char* target : {"/Send", "/notifications/1", "/notifications/1/", "/notifications"}) {
    SCOPED_TRACE(target);
    ExpectNotFound(Post(target, "fromID=2&toID=1"));
  }
  for (const char* target : {"/send", "/notifications/1", "/notifications/1/"}) {
    SCOPED_TRACE(target);
    ExpectNotFound(HttpClient(address).Call("HEAD", target), true);
    ExpectNotFound(Put(target, "x"));
    ExpectNotFound(Delete(target));
    ExpectNotFound(HttpClient(address).Call("OPTIONS", target));
  }
}

TEST_F(SeedApiTest, SaysComeAgainWhenRowsOrUsersCannotBeRead) {
  Start();
  Told("1", "2", "Bruno", "x");
  users.FailReads(base::Status::Corruption("block checksum"));
  EXPECT_EQ(Get("/notifications/1").status, 503);
  users.FailReads(base::Status::Ok());
  EXPECT_EQ(Get("/notifications/1").status, 200);
  state::TaskState& state = *tasks.at(PartitionOf("1"))->state;
  state.Store(stages::kInboxStore).Put(stages::InboxKeys("1").Head(), "not a head row");
  ASSERT_TRUE(state.Commit({}).ok());
  const Received received = Get("/notifications/1");
  EXPECT_EQ(received.status, 503);
  EXPECT_EQ(received.headers.at("retry-after"), "1");
  EXPECT_TRUE(Json(received)["message"].is_string());
}

}  // namespace
}  // namespace serving
