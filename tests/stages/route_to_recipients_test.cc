#include "stages/route_to_recipients.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/stages/stage_test_util.h"

namespace stages {
namespace {

/// Decodes a raw event of an unknown or known actor and routes it.
class RouteToRecipientsTest : public testing::Test {
 protected:
  base::Status Route(std::string_view json, std::shared_ptr<const User> actor = nullptr) {
    auto event = serde_.Decode(MakeRawRecord(json));
    if (!event.ok()) return event.status();
    context_.records.clear();
    return stage_.Process(
        {"key", {std::move(*event), std::move(actor)}, MakeRawRecord("").metadata}, context_);
  }

  /// The identity of the event's only notification.
  Identity IdentityOf(std::string_view json) {
    const base::Status status = Route(json);
    EXPECT_TRUE(status.ok()) << status.ToString();
    EXPECT_EQ(context_.records.size(), 1u);
    return context_.records.at(0).value.identity;
  }

  std::vector<std::string> Recipients() const {
    std::vector<std::string> recipients;
    for (const auto& record : context_.records) {
      EXPECT_EQ(record.key, record.value.recipient);
      recipients.push_back(record.key);
    }
    return recipients;
  }

  pipeline::Serde<Event> serde_;
  RouteToRecipients stage_;
  CollectingContext<Notification> context_;
};

TEST_F(RouteToRecipientsTest, TellsEachTargetOnceInOrderOfMention) {
  ASSERT_TRUE(Route(R"({"type":"mention","actor":"9","targets":["3","1","3","2","1"]})").ok());
  EXPECT_EQ(Recipients(), (std::vector<std::string>{"3", "1", "2"}));
}

TEST_F(RouteToRecipientsTest, TellsEachOfManyTargetsOnceInOrderOfMention) {
  std::string targets;
  std::vector<std::string> expected;
  for (int i = 0; i < 200; ++i) {
    targets += (i > 0 ? ",\"" : "\"") + std::to_string(i % 100) + "\"";
    if (i < 100 && i != 9) expected.push_back(std::to_string(i));
  }
  ASSERT_TRUE(Route(R"({"type":"follow","actor":"9","targets":[)" + targets + "]}").ok());
  EXPECT_EQ(Recipients(), expected);
}

TEST_F(RouteToRecipientsTest, TellsNobodyOfTheirOwnDoings) {
  for (const char* type : {"follow", "like", "mention", "unfollow", "unlike"}) {
    ASSERT_TRUE(
        Route(R"({"actor":"2","targets":["2","1","2"],"type":")" + std::string(type) + "\"}").ok());
    EXPECT_EQ(Recipients(), std::vector<std::string>{"1"}) << type;
  }
  ASSERT_TRUE(Route(R"({"type":"like","actor":"2","target":"2"})").ok());
  EXPECT_TRUE(context_.records.empty());
}

TEST_F(RouteToRecipientsTest, DeliversAMessageToOneself) {
  ASSERT_TRUE(Route(R"({"type":"message","actor":"2","target":"2","text":"note"})").ok());
  EXPECT_EQ(Recipients(), std::vector<std::string>{"2"});
  EXPECT_EQ(context_.records[0].value.message, "note");
}

TEST_F(RouteToRecipientsTest, KeepsTheActorAsTheUsersTableHasIt) {
  const auto bruno = std::make_shared<const User>(User{"2", "Bruno", "bruno", std::nullopt});
  ASSERT_TRUE(Route(R"({"type":"follow","actor":"2","target":"1"})", bruno).ok());
  const Notification& notification = context_.records.at(0).value;
  EXPECT_EQ(notification.actor.id, "2");
  EXPECT_EQ(notification.actor.name, "Bruno");
  EXPECT_EQ(notification.actor.handle, "bruno");
  EXPECT_EQ(notification.message, "Bruno started following you.");
  EXPECT_EQ(notification.source.topic, "events");
  EXPECT_EQ(notification.source.partition.value, 3);
  EXPECT_EQ(notification.source.offset.value, 42);
}

TEST_F(RouteToRecipientsTest, AnUnknownActorIsSomeone) {
  ASSERT_TRUE(Route(R"({"type":"follow","actor":"77","target":"1"})").ok());
  const Notification& notification = context_.records.at(0).value;
  EXPECT_EQ(notification.actor.id, "77");
  EXPECT_EQ(notification.actor.name, std::nullopt);
  EXPECT_EQ(notification.message, "Someone started following you.");
}

TEST_F(RouteToRecipientsTest, AnUndoIsARetractionOfWhatItTakesBack) {
  const Identity like =
      IdentityOf(R"({"type":"like","actor":"2","target":"1","object":{"id":"p"}})");
  const Identity unlike =
      IdentityOf(R"({"type":"unlike","actor":2,"targets":[1],"object":{"type":"post","id":"p"}})");
  EXPECT_EQ(like, unlike);
  EXPECT_TRUE(context_.records[0].value.retracted);
  EXPECT_EQ(context_.records[0].value.kind->name, "like");
  EXPECT_EQ(IdentityOf(R"({"type":"mention","actor":"2","target":"1","id":"e1"})"),
            IdentityOf(R"({"type":"unmention","actor":"2","target":"1","undo_of":"e1"})"));
}

TEST_F(RouteToRecipientsTest, IdentityIsWhatTheEventSays) {
  const Identity like =
      IdentityOf(R"({"type":"like","actor":"2","target":"1","object":{"id":"p"}})");
  EXPECT_EQ(like, IdentityOf(R"({"id":"x","type":"like","actor":"2","target":"1","text":"t",)"
                             R"("object":{"id":"p","title":"T"},"time":5})"));
  for (const char* other : {R"({"type":"like","actor":"2","target":"1","object":{"id":"q"}})",
                            R"({"type":"like","actor":"2","target":"1"})",
                            R"({"type":"like","actor":"3","target":"1","object":{"id":"p"}})",
                            R"({"type":"like","actor":"2","target":"4","object":{"id":"p"}})",
                            R"({"type":"mention","actor":"2","target":"1","object":{"id":"p"}})",
                            R"({"type":"follow","actor":"2","target":"1","object":{"id":"p"}})"}) {
    EXPECT_NE(IdentityOf(other), like) << other;
  }
  // A follow is a follow, whatever object comes with it.
  EXPECT_EQ(IdentityOf(R"({"type":"follow","actor":"2","target":"1","object":{"id":"p"}})"),
            IdentityOf(R"({"type":"follow","actor":"2","target":"1"})"));
}

TEST_F(RouteToRecipientsTest, MessagesAndPlainMentionsAreTheirEvents) {
  for (const std::string type : {"message", "mention"}) {
    const std::string start = R"({"actor":"2","target":"1","type":")" + type + "\"";
    EXPECT_EQ(IdentityOf(start + R"(,"id":"e1"})"),
              IdentityOf(start + R"(,"id":"e1","text":"t"})"));
    EXPECT_NE(IdentityOf(start + R"(,"id":"e1"})"), IdentityOf(start + R"(,"id":"e2"})"));
  }
  // An event id is not an object id.
  EXPECT_NE(IdentityOf(R"({"type":"mention","actor":"2","target":"1","id":"x"})"),
            IdentityOf(R"({"type":"mention","actor":"2","target":"1","object":{"id":"x"}})"));
}

TEST_F(RouteToRecipientsTest, FieldsDoNotRunIntoEachOther) {
  EXPECT_NE(IdentityOf(R"({"type":"follow","actor":"21","target":"1"})"),
            IdentityOf(R"({"type":"follow","actor":"2","target":"11"})"));
}

TEST_F(RouteToRecipientsTest, StopsAtTheFirstRefusedOutput) {
  context_.refuse_after = 2;
  const base::Status status = Route(R"({"type":"follow","actor":"9","targets":["1","2","3","4"]})");
  EXPECT_EQ(status.code(), base::StatusCode::kInvalidArgument);
  EXPECT_EQ(context_.records.size(), 2u);
}

}  // namespace
}  // namespace stages
