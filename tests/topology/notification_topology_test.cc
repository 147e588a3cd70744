#include "stages/notification_topology.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/trace_context.h"
#include "stages/heartbeat.h"
#include "stages/inbox_query.h"
#include "stages/inbox_rows.h"
#include "tests/support/topology_test_driver.h"

namespace stages {
namespace {

using nlohmann::json;
using support::StoredRecord;
using support::TopologyTestDriver;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

/// The real graph with the four sample users.
class NotificationTopology : public ::testing::Test {
 protected:
  explicit NotificationTopology(const InboxLimits& limits = {},
                                const TopologyTestDriver::Options& options = {})
      : driver_([limits] { return BuildNotificationTopology(Topics(), limits); }, options) {
    for (const auto& [id, name] :
         {std::pair{"1", "Emma"}, {"2", "Bruno"}, {"3", "Rick"}, {"4", "Lena"}}) {
      driver_.PipeInput("users", id, json{{"name", name}}.dump());
    }
  }

  base::Offset Pipe(const json& event) {
    return driver_.PipeInput("events", std::nullopt, event.dump());
  }

  json Inbox(const std::string& recipient, size_t limit = 100) {
    const auto view = driver_.ViewOf(kInboxStore, recipient);
    auto page = ReadPage(view->Store(kInboxStore), view->Store(kInboxUnreadStore), recipient, {},
                         limit, "");
    EXPECT_TRUE(page.ok()) << page.status().ToString();
    json inbox;
    inbox["items"] = json::parse(page->items);
    inbox["total"] = page->counts.total;
    inbox["unread"] = page->counts.unread;
    inbox["unseen"] = page->counts.unseen;
    inbox["version"] = page->counts.version;
    return inbox;
  }

  std::vector<std::string> Messages(const std::string& recipient) {
    std::vector<std::string> messages;
    const json inbox = Inbox(recipient);
    for (const json& item : inbox["items"]) messages.push_back(item["message"]);
    return messages;
  }

  /// What a reader does; `fields` are behind the recipient.
  void Act(const std::string& recipient, const std::string& action, const json& fields = {}) {
    json value = {{"v", 1}, {"action", action}, {"recipient", recipient}};
    if (!fields.is_null()) value.update(fields);
    driver_.PipeInput("inbox-actions", recipient, value.dump());
  }

  std::vector<std::string> UnreadMessages(const std::string& recipient) {
    const auto view = driver_.ViewOf(kInboxStore, recipient);
    const auto page = ReadPage(view->Store(kInboxStore), view->Store(kInboxUnreadStore), recipient,
                               {InboxFilter::Status::kUnread, {}}, 100, "");
    EXPECT_TRUE(page.ok()) << page.status().ToString();
    std::vector<std::string> messages;
    for (const json& item : json::parse(page->items)) messages.push_back(item["message"]);
    return messages;
  }

  std::vector<std::string> DeadLetterReasons() {
    std::vector<std::string> reasons;
    for (const StoredRecord& letter : driver_.ReadOutput("dead-letters")) {
      const std::string reason = letter.Header("reason").value_or("?");
      reasons.push_back(reason.substr(0, reason.find(':')));
    }
    return reasons;
  }

  TopologyTestDriver driver_;
};

TEST_F(NotificationTopology, TellsTheRecipientOfAFollow) {
  const base::Offset offset = Pipe({{"type", "follow"}, {"actor", "2"}, {"target", "1"}});
  const auto notifications = driver_.ReadOutput("notifications");
  ASSERT_THAT(notifications, SizeIs(1));
  EXPECT_EQ(notifications[0].key, "1");
  EXPECT_EQ(notifications[0].timestamp_ms, driver_.clock().NowMs());
  const json inbox = Inbox("1");
  ASSERT_THAT(inbox["items"], SizeIs(1));
  const json& item = inbox["items"][0];
  EXPECT_EQ(item["message"], "Bruno started following you.");
  EXPECT_EQ(item["type"], "follow");
  EXPECT_EQ(item["recipient"], "1");
  EXPECT_EQ(item["actor"]["name"], "Bruno");
  EXPECT_EQ(item["time"], "2026-11-21T05:00:00.000Z");
  EXPECT_EQ(item["source"]["topic"], "events");
  EXPECT_EQ(item["source"]["offset"], offset.value);
  EXPECT_EQ(item["read"], false);
  EXPECT_EQ(item["seen"], false);
  EXPECT_EQ(inbox["total"], 1);
  EXPECT_EQ(inbox["unread"], 1);
  EXPECT_EQ(inbox["unseen"], 1);
  EXPECT_EQ(inbox["version"], 1);
}

TEST_F(NotificationTopology, TellsEachTargetOfAMentionOnceButNotTheActor) {
  Pipe({{"type", "mention"},
        {"id", "e-71"},
        {"actor", 1},
        {"targets", {"2", "4", "2", "1"}},
        {"object", {{"type", "comment"}, {"id", "c9"}, {"title", "My weekend getaway!"}}},
        {"text", "Great seeing you yesterday, @Bruno!"},
        {"time", "2026-11-21T05:00:00.000Z"}});
  EXPECT_THAT(driver_.ReadOutput("notifications"), SizeIs(2));
  for (const char* recipient : {"2", "4"}) {
    EXPECT_THAT(
        Messages(recipient),
        ElementsAre("Emma mentioned you in a comment: Great seeing you yesterday, @Bruno!"));
  }
  EXPECT_THAT(Messages("1"), IsEmpty());
}

TEST_F(NotificationTopology, DeliversAMessageToOneself) {
  Pipe({{"type", "message"}, {"actor", "1"}, {"target", "1"}, {"text", "remember the milk"}});
  EXPECT_THAT(Messages("1"), ElementsAre("remember the milk"));
}

TEST_F(NotificationTopology, CallsAnActorWhoIsNotAUserSomeone) {
  Pipe({{"type", "follow"}, {"actor", "99"}, {"target", "1"}});
  EXPECT_THAT(Messages("1"), ElementsAre("Someone started following you."));
  EXPECT_EQ(Inbox("1")["items"][0]["actor"]["name"], nullptr);
}

TEST_F(NotificationTopology, UsesAUserAsTheyStandAndForgetsOneWhoIsErased) {
  driver_.PipeInput("users", "2", R"({"name":"Bruno the Great"})");
  Pipe({{"type", "follow"}, {"actor", "2"}, {"target", "1"}});
  driver_.PipeInput("users", "3", std::nullopt);
  Pipe({{"type", "follow"}, {"actor", "3"}, {"target", "1"}});
  EXPECT_THAT(Messages("1"), UnorderedElementsAre("Bruno the Great started following you.",
                                                  "Someone started following you."));
}

TEST_F(NotificationTopology, FoldsARepeatButRepublishesIt) {
  const json like = {
      {"type", "like"},
      {"actor", "4"},
      {"target", "1"},
      {"object", {{"type", "post"}, {"id", "p1"}, {"title", "My weekend getaway!"}}}};
  Pipe(like);
  const json before = Inbox("1");
  Pipe(like);
  EXPECT_EQ(Inbox("1"), before);
  EXPECT_THAT(driver_.ReadOutput("notifications"), SizeIs(2));
  EXPECT_THAT(Messages("1"), ElementsAre("Lena liked your post: My weekend getaway!"));
}

TEST_F(NotificationTopology, DecidesByTheLatestTimeInWhateverOrderLikeAndUnlikeArrive) {
  struct Step {
    const char* type;
    int64_t time_ms;
  };
  const int64_t now = driver_.clock().NowMs();
  const std::vector<Step> story = {{"like", now}, {"unlike", now + 10}, {"like", now + 20}};
  std::vector<size_t> order = {0, 1, 2};
  int recipient = 100;
  do {
    const std::string id = std::to_string(recipient++);
    for (const size_t step : order) {
      Pipe({{"type", story[step].type},
            {"actor", "4"},
            {"target", id},
            {"object", {{"id", "p1"}}},
            {"time", story[step].time_ms}});
    }
    const json inbox = Inbox(id);
    ASSERT_THAT(inbox["items"], SizeIs(1)) << id;
    EXPECT_EQ(inbox["items"][0]["time"], "2026-11-21T05:00:00.020Z") << id;
    EXPECT_EQ(inbox["total"], 1);
    EXPECT_EQ(inbox["unread"], 1);
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_F(NotificationTopology, LetsTheUndoWinAtEqualTime) {
  const int64_t now = driver_.clock().NowMs();
  for (const auto& [recipient, first, second] :
       {std::tuple{"100", "follow", "unfollow"}, {"101", "unfollow", "follow"}}) {
    Pipe({{"type", first}, {"actor", "2"}, {"target", recipient}, {"time", now}});
    Pipe({{"type", second}, {"actor", "2"}, {"target", recipient}, {"time", now}});
    EXPECT_EQ(Inbox(recipient)["total"], 0) << first;
  }
}

TEST_F(NotificationTopology, ChangesNothingVisibleForAnUndoOfNothing) {
  Pipe({{"type", "unfollow"}, {"actor", "2"}, {"target", "1"}});
  const json inbox = Inbox("1");
  EXPECT_EQ(inbox["total"], 0);
  EXPECT_EQ(inbox["version"], 0);
  const auto notifications = driver_.ReadOutput("notifications");
  ASSERT_THAT(notifications, SizeIs(1));
  EXPECT_EQ(json::parse(*notifications[0].value)["retracted"], true);
}

TEST_F(NotificationTopology, TakesBackAMentionWithoutObjectByItsEvent) {
  Pipe({{"type", "mention"}, {"id", "m1"}, {"actor", "2"}, {"target", "1"}, {"text", "hi"}});
  Pipe({{"type", "mention"}, {"id", "m2"}, {"actor", "2"}, {"target", "1"}, {"text", "ho"}});
  Pipe({{"type", "unmention"}, {"undo_of", "m1"}, {"actor", "2"}, {"target", "1"}});
  EXPECT_THAT(Messages("1"), ElementsAre("Bruno mentioned you: ho"));
}

TEST_F(NotificationTopology, MakesADeadLetterOfEachBadRecordAndGoesOn) {
  const auto pipe = [&](std::optional<std::string> value) {
    driver_.PipeInput("events", "k", std::move(value));
  };
  pipe("{oops");
  pipe(std::nullopt);
  pipe("[1,2]");
  pipe("\"\xff\xfe\"");
  pipe(R"({"type":"poke","actor":"1","target":"2"})");
  pipe(R"({"type":"follow","target":"2"})");
  pipe(R"({"type":"follow","actor":"","target":"2"})");
  pipe(R"({"type":"follow","actor":"1"})");
  pipe(json{{"type", "message"}, {"actor", "1"}, {"target", "2"}, {"text", std::string(5000, 'x')}}
           .dump());
  pipe(json{{"type", "follow"},
            {"actor", "1"},
            {"target", "2"},
            {"time", driver_.clock().NowMs() + int64_t{365} * 24 * 3600 * 1000}}
           .dump());
  pipe(json{{"type", "follow"}, {"actor", "1"}, {"targets", std::vector<int>(10001, 7)}}.dump());
  Pipe({{"type", "follow"}, {"actor", "2"}, {"target", "1"}});
  EXPECT_THAT(Messages("1"), SizeIs(1));
  EXPECT_THAT(DeadLetterReasons(),
              UnorderedElementsAre("not-json", "null-value", "wrong-shape", "invalid-utf8",
                                   "unknown-type", "missing-field", "missing-field",
                                   "missing-field", "limit", "time-ahead", "limit"));
  EXPECT_THAT(driver_.ReadOutput("notifications"), SizeIs(1));
}

TEST_F(NotificationTopology, KeepsTheOriginalInADeadLetter) {
  TopologyTestDriver::Input input;
  input.key = "k";
  input.value = "{oops";
  input.timestamp_ms = 12345;
  input.partition = base::Partition{1};
  const base::Offset offset = driver_.PipeInput("events", input);
  const auto letters = driver_.ReadOutput("dead-letters");
  ASSERT_THAT(letters, SizeIs(1));
  EXPECT_EQ(letters[0].key, "k");
  EXPECT_EQ(letters[0].value, "{oops");
  EXPECT_EQ(letters[0].Header("stage"), "decode-event");
  EXPECT_EQ(letters[0].Header("topic"), "events");
  EXPECT_EQ(letters[0].Header("partition"), "1");
  EXPECT_EQ(letters[0].Header("offset"), std::to_string(offset.value));
  EXPECT_EQ(letters[0].Header("timestamp"), "12345");
}

constexpr char kTraceParent[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST_F(NotificationTopology, CarriesATraceFromAnEventToItsNotificationsAndDeadLetters) {
  TopologyTestDriver::Input input;
  input.headers = {{"traceparent", kTraceParent}, {"tracestate", "a=1"}, {"other", "x"}};
  for (const std::string value :
       {R"({"type":"follow","actor":"2","targets":["1","3"]})", R"({"type":"poke"})"}) {
    input.value = value;
    driver_.PipeInput("events", input);
  }
  const auto notifications = driver_.ReadOutput("notifications");
  ASSERT_THAT(notifications, SizeIs(2));
  for (const StoredRecord& record : notifications) {
    EXPECT_EQ(record.Header("traceparent"), kTraceParent);
    EXPECT_EQ(record.Header("tracestate"), "a=1");
    EXPECT_EQ(record.Header("other"), std::nullopt);
  }
  // And in again: the second half takes it from there.
  std::string broken = *notifications[0].value;
  broken.replace(broken.find("follow"), 6, "poke!!");
  driver_.PipeInput("notifications", {.key = notifications[0].key,
                                      .value = broken,
                                      .headers = notifications[0].headers});
  const auto letters = driver_.ReadOutput("dead-letters");
  ASSERT_THAT(letters, SizeIs(2));
  for (const StoredRecord& record : letters) {
    EXPECT_EQ(record.Header("traceparent"), kTraceParent);
    EXPECT_EQ(record.Header("tracestate"), "a=1");
  }
}

TEST_F(NotificationTopology, GivesAnEventWithoutATraceOneOfItsPlaceThatNeedsNoHeader) {
  const auto trace_at = [](base::Partition partition, base::Offset offset) {
    return base::TraceContextOfPlace("events", partition, offset).ToTraceParent();
  };
  TopologyTestDriver::Input input;
  input.partition = base::Partition{1};
  input.headers = {{"traceparent", "00-not-valid"}};
  input.value = R"({"type":"poke"})";
  const base::Offset refused = driver_.PipeInput("events", input);
  input.value = R"({"type":"follow","actor":"2","target":"1"})";
  const base::Offset good = driver_.PipeInput("events", input);
  const auto notifications = driver_.ReadOutput("notifications");
  ASSERT_THAT(notifications, SizeIs(1));
  EXPECT_EQ(notifications[0].Header("traceparent"), std::nullopt);
  // What the second half refuses belongs to the trace of the event that it was made from.
  std::string broken = *notifications[0].value;
  broken.replace(broken.find("follow"), 6, "poke!!");
  driver_.PipeInput("notifications", notifications[0].key, broken);
  const auto letters = driver_.ReadOutput("dead-letters");
  ASSERT_THAT(letters, SizeIs(2));
  for (const StoredRecord& record : letters) {
    EXPECT_EQ(record.Header("traceparent"),
              trace_at({1}, record.Header("topic") == "events" ? refused : good));
  }
}

TEST_F(NotificationTopology, NamesARefusedRecordInTheLogButNotWhatIsInIt) {
  TopologyTestDriver::Input input;
  input.partition = base::Partition{1};
  input.headers = {{"traceparent", kTraceParent}};
  input.value = R"({"type":"poke","text":"a secret"})";
  testing::internal::CaptureStderr();
  const base::Offset offset = driver_.PipeInput("events", input);
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, testing::HasSubstr("warning record refused: unknown-type task=0_1 topic=events "
                                      "partition=1 offset=" +
                                      std::to_string(offset.value) +
                                      " trace_id=0af7651916cd43dd8448eb211c80319c stage=decode-event why="));
  EXPECT_THAT(log, testing::Not(testing::HasSubstr("secret")));
}

TEST_F(NotificationTopology, AcceptsAnEventOfLongAgo) {
  const int64_t long_ago = driver_.clock().NowMs() - int64_t{400} * 24 * 3600 * 1000;
  Pipe({{"type", "follow"}, {"actor", "2"}, {"target", "1"}, {"time", long_ago}});
  EXPECT_THAT(Messages("1"), SizeIs(1));
  EXPECT_EQ(driver_.ReadOutput("notifications")[0].timestamp_ms, driver_.clock().NowMs());
}

TEST_F(NotificationTopology, RefusesAnEventWhoseOutputIsAboveSixteenMebibytes) {
  json event = {{"type", "message"}, {"actor", "1"}, {"text", std::string(4096, 'x')}};
  for (int i = 0; i < 5000; ++i) event["targets"].push_back(i);
  Pipe(event);
  EXPECT_THAT(DeadLetterReasons(), ElementsAre("limit"));
  EXPECT_THAT(driver_.ReadOutput("notifications"), IsEmpty());
  EXPECT_THAT(driver_.Rows(kInboxStore), IsEmpty());
}

TEST_F(NotificationTopology, ComesBackFromACrashWithTheSameInboxes) {
  Pipe({{"type", "follow"}, {"actor", "2"}, {"target", "1"}});
  Pipe({{"type", "unfollow"}, {"actor", "3"}, {"target", "1"}});
  Pipe({{"type", "message"}, {"actor", "3"}, {"target", "4"}, {"text", "hi"}});
  EXPECT_THAT(driver_.Rows(kInboxUnreadStore), IsEmpty()) << "what is newest needs no index";
  driver_.AdvanceClock(std::chrono::milliseconds(1));
  Pipe({{"type", "message"}, {"actor", "3"}, {"target", "1"}, {"text", "hi"}});
  Act("1", "read", {{"id", Inbox("1")["items"][0]["id"]}});
  const auto rows = driver_.Rows(kInboxStore);
  const auto unread = driver_.Rows(kInboxUnreadStore);
  EXPECT_THAT(unread, SizeIs(1));
  driver_.Restart();
  EXPECT_EQ(driver_.Rows(kInboxStore), rows);
  EXPECT_EQ(driver_.Rows(kInboxUnreadStore), unread);
  driver_.RestartWithoutState();
  EXPECT_EQ(driver_.Rows(kInboxStore), rows);
  EXPECT_EQ(driver_.Rows(kInboxUnreadStore), unread) << "the index is rebuilt from the rows";
  EXPECT_THAT(driver_.ReadOutput("notifications"), SizeIs(4));
}

TEST_F(NotificationTopology, ShowsWhatAReaderDid) {
  Pipe({{"type", "message"}, {"actor", "2"}, {"target", "1"}, {"text", "one"}});
  driver_.AdvanceClock(std::chrono::milliseconds(1));
  Pipe({{"type", "message"}, {"actor", "2"}, {"target", "1"}, {"text", "two"}});
  driver_.AdvanceClock(std::chrono::milliseconds(1));
  Pipe({{"type", "message"}, {"actor", "2"}, {"target", "1"}, {"text", "three"}});
  const json items = Inbox("1")["items"];
  Act("1", "read", {{"id", items[0]["id"]}});
  Act("1", "seen", {{"id", items[1]["id"]}});
  json inbox = Inbox("1");
  EXPECT_EQ(inbox["items"][0]["read"], true);
  EXPECT_EQ(inbox["items"][0]["seen"], true);
  EXPECT_EQ(inbox["items"][1]["read"], false);
  EXPECT_EQ(inbox["items"][1]["seen"], true);
  EXPECT_EQ(inbox["unread"], 2);
  EXPECT_EQ(inbox["unseen"], 1);
  EXPECT_EQ(inbox["version"], 5);
  EXPECT_THAT(UnreadMessages("1"), ElementsAre("two", "one"));
  Act("1", "read-all", {{"up_to", 1}});
  EXPECT_THAT(UnreadMessages("1"), ElementsAre("two"));
  Act("1", "read-all");
  EXPECT_THAT(UnreadMessages("1"), IsEmpty());
  Act("1", "unread", {{"id", items[2]["id"]}});
  EXPECT_THAT(UnreadMessages("1"), ElementsAre("one"));
  Act("1", "delete", {{"id", items[1]["id"]}});
  EXPECT_THAT(Messages("1"), ElementsAre("three", "one"));
  EXPECT_EQ(Inbox("1")["version"], 9);
}

TEST_F(NotificationTopology, KeepsWhatAReaderDidThroughACrash) {
  for (const char* text : {"one", "two", "three", "four"}) {
    Pipe({{"type", "message"}, {"actor", "2"}, {"target", "1"}, {"text", text}});
    driver_.AdvanceClock(std::chrono::milliseconds(1));
  }
  const json items = Inbox("1")["items"];
  Act("1", "read-all", {{"up_to", 2}});
  Act("1", "unread", {{"id", items[3]["id"]}});
  Act("1", "delete", {{"id", items[1]["id"]}});
  const json inbox = Inbox("1");
  EXPECT_THAT(UnreadMessages("1"), ElementsAre("four", "one"));
  const auto rows = driver_.Rows(kInboxStore);
  driver_.Restart();
  EXPECT_EQ(Inbox("1"), inbox);
  EXPECT_THAT(UnreadMessages("1"), ElementsAre("four", "one"));
  driver_.RestartWithoutState();
  EXPECT_EQ(Inbox("1"), inbox);
  EXPECT_EQ(driver_.Rows(kInboxStore), rows);
  EXPECT_THAT(UnreadMessages("1"), ElementsAre("four", "one"));
  EXPECT_THAT(driver_.Rows(kInboxUnreadStore), SizeIs(1))
      << "not what is newer than all that was read, and no part of an older mark";
}

TEST_F(NotificationTopology, MakesADeadLetterOfABadAction) {
  Pipe({{"type", "follow"}, {"actor", "2"}, {"target", "1"}});
  const json before = Inbox("1");
  Act("1", "poke");
  Act("1", "read");
  Act("1", "read-all", {{"up_to", -1}});
  driver_.PipeInput("inbox-actions", "2", R"({"v":1,"action":"read-all","recipient":"1"})");
  driver_.PipeInput("inbox-actions", "1", std::nullopt);
  EXPECT_EQ(Inbox("1"), before);
  const auto letters = driver_.ReadOutput("dead-letters");
  ASSERT_THAT(letters, SizeIs(5));
  EXPECT_EQ(letters[0].Header("stage"), "decode-action");
  EXPECT_EQ(letters[0].Header("topic"), "inbox-actions");
  Act("1", "read-all");
  EXPECT_EQ(Inbox("1")["unread"], 0) << "the stream goes on";
}

TEST_F(NotificationTopology, TakesRecordsAsKafkaNotifyWritesThem) {
  driver_.PipeInput("notifications", "1",
                    json{{"from", {{"id", 2}, {"name", "Bruno"}}},
                         {"to", {{"id", 1}, {"name", "Emma"}}},
                         {"message", "Hi Emma"}}
                        .dump());
  driver_.AdvanceClock(std::chrono::milliseconds(1));
  Pipe({{"type", "follow"}, {"actor", "3"}, {"target", "1"}});
  const json inbox = Inbox("1");
  ASSERT_THAT(Messages("1"), ElementsAre("Rick started following you.", "Hi Emma"));
  const json& item = inbox["items"][1];
  EXPECT_EQ(item["type"], "message");
  EXPECT_EQ(item["actor"]["id"], "2");
  EXPECT_EQ(item["actor"]["name"], "Bruno");
  EXPECT_EQ(item["text"], "Hi Emma");
  EXPECT_EQ(item["source"]["topic"], "notifications");
  Act("1", "read", {{"id", item["id"]}});
  const json after = Inbox("1");
  EXPECT_EQ(after["unread"], 1);
  driver_.RestartWithoutState();
  EXPECT_EQ(Inbox("1"), after);
  driver_.PipeInput("notifications", "1", R"({"from":{"id":2},"message":"to nobody"})");
  EXPECT_THAT(DeadLetterReasons(), ElementsAre("missing-field"));
}

class SmallInboxes : public NotificationTopology {
 protected:
  SmallInboxes() : NotificationTopology({.items_max = 3, .age_max_ms = 3'600'000}) {}
};

TEST_F(SmallInboxes, KeepTheNewest) {
  for (int i = 0; i < 5; ++i) {
    Pipe({{"type", "message"}, {"actor", "2"}, {"target", "1"}, {"text", std::to_string(i)}});
    driver_.AdvanceClock(std::chrono::milliseconds(1));
  }
  EXPECT_THAT(Messages("1"), ElementsAre("4", "3", "2"));
  EXPECT_EQ(Inbox("1")["total"], 3);
  EXPECT_EQ(Inbox("1")["unread"], 3);
}

TEST_F(SmallInboxes, LoseWhatIsTooOldAsTimePasses) {
  Pipe({{"type", "message"}, {"actor", "2"}, {"target", "1"}, {"text", "old"}});
  driver_.AdvanceClock(std::chrono::minutes(40));
  Pipe({{"type", "message"}, {"actor", "2"}, {"target", "1"}, {"text", "new"}});
  driver_.AdvanceClock(std::chrono::minutes(40));
  driver_.AdvanceClock(std::chrono::seconds(2));
  EXPECT_THAT(Messages("1"), ElementsAre("new"));
  EXPECT_EQ(Inbox("1")["unread"], 1);
  EXPECT_THAT(driver_.Rows(kInboxUnreadStore), IsEmpty());
}

/// Topics that refuse what Herald writes.
class NarrowTopics : public NotificationTopology {
 protected:
  NarrowTopics()
      : NotificationTopology({},
                             {.topic_config = {{"notifications", {{"max.message.bytes", "2000"}}}},
                              .dead_letters_topic = "dead-letters"}) {}
};

TEST_F(NarrowTopics, MakeADeadLetterOfWhatTheBrokerRefuses) {
  Pipe({{"type", "message"}, {"actor", "1"}, {"target", "2"}, {"text", "short"}});
  Pipe({{"type", "message"}, {"actor", "1"}, {"target", "2"}, {"text", std::string(3000, 'x')}});
  Pipe({{"type", "message"}, {"actor", "1"}, {"target", "2"}, {"text", "also short"}});
  EXPECT_THAT(Messages("2"), UnorderedElementsAre("short", "also short"));
  EXPECT_THAT(DeadLetterReasons(), ElementsAre("refused-by-broker"));
  EXPECT_THAT(driver_.ReadOutput("notifications"), SizeIs(2));
}

class AtLeastOnce : public NotificationTopology {
 protected:
  AtLeastOnce() : NotificationTopology({}, {.guarantee = pipeline::Guarantee::kAtLeastOnce}) {}
};

TEST_F(AtLeastOnce, LeadsToTheSameInboxes) {
  Pipe({{"type", "follow"}, {"actor", "2"}, {"target", "1"}});
  Pipe({{"type", "like"}, {"actor", "4"}, {"target", "1"}, {"object", {{"id", "p1"}}}});
  driver_.PipeInput("events", std::nullopt, "{oops");
  EXPECT_THAT(Messages("1"),
              UnorderedElementsAre("Bruno started following you.", "Lena liked your post."));
  EXPECT_THAT(DeadLetterReasons(), ElementsAre("not-json"));
  const auto rows = driver_.Rows(kInboxStore);
  driver_.RestartWithoutState();
  EXPECT_EQ(driver_.Rows(kInboxStore), rows);
}

TEST_F(NotificationTopology, TakesNoLatencyFromATimeThatCannotBe) {
  TopologyTestDriver::Input input;
  Pipe({{"type", "follow"}, {"actor", "2"}, {"target", "1"}});
  const StoredRecord written = driver_.ReadOutput("notifications").back();
  input.key = written.key;
  input.value = written.value;
  for (const char* origin : {"-9223372036854775807", "9223372036854775807"}) {
    input.headers = {{"herald-origin-ms", origin}};
    driver_.PipeInput("notifications", input);
  }
  EXPECT_THAT(driver_.engine().metrics().Serialize(),
              testing::HasSubstr("herald_end_to_end_latency_seconds_sum 0\n"));
}

TEST(Heartbeats, GoTheWholeWayBesideTheInboxes) {
  Topics topics;
  topics.AddHeartbeats("", "app");
  TopologyTestDriver driver([topics] { return BuildNotificationTopology(topics, {}); });
  std::string value;
  pipeline::Serde<Heartbeat>().Encode({"instance", 7}, value);
  driver.PipeInput("app-heartbeats", "some key", value);
  driver.PipeInput("app-heartbeats", "some key", "no heartbeat");

  const std::vector<StoredRecord> echoes = driver.ReadOutput("app-heartbeat-echoes");
  ASSERT_THAT(echoes, SizeIs(1));
  EXPECT_EQ(echoes[0].key, "some key");
  EXPECT_EQ(echoes[0].value, value);
  const auto newest = driver.ViewOf(kHeartbeatStore, "some key")
                          ->Store(kHeartbeatStore)
                          .Get(kNewestHeartbeatKey);
  ASSERT_TRUE(newest.ok()) << newest.status().ToString();
  EXPECT_EQ(*newest, value);
  EXPECT_THAT(driver.ReadOutput("dead-letters"), SizeIs(1));
  EXPECT_THAT(driver.ReadOutput("notifications"), IsEmpty());

  // The tasks of the product have the same numbers with and without.
  const pipeline::Topology with = BuildNotificationTopology(topics, {});
  const pipeline::Topology without = BuildNotificationTopology({}, {});
  for (const std::string& topic : without.SourceTopics()) {
    EXPECT_EQ(with.SubtopologyOf(topic), without.SubtopologyOf(topic)) << topic;
  }
}

}  // namespace
}  // namespace stages
