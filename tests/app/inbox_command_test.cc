#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "app/exit_code.h"
#include "tests/app/command_fixture.h"

namespace app {
namespace {

using nlohmann::ordered_json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

/// Notification number `n`, of minute `n`.
ordered_json Item(int n, bool read = false) {
  const std::string minute = (n < 10 ? "0" : "") + std::to_string(n);
  return {{"id", "id-" + std::to_string(n)},
          {"message", "Message " + std::to_string(n)},
          {"time", "2026-11-21T05:" + minute + ":00.000Z"},
          {"read", read}};
}

/// A page of notifications from `newest` down to `oldest`.
std::string Page(int newest, int oldest, const char* next = nullptr) {
  ordered_json items = ordered_json::array();
  for (int n = newest; n >= oldest; --n) items.push_back(Item(n));
  return ordered_json{{"items", items},
                      {"next", next == nullptr ? ordered_json() : ordered_json(next)},
                      {"counts", {{"total", 50}, {"unread", 7}, {"unseen", 3}}},
                      {"version", 9}}
      .dump();
}

class InboxCommandTest : public CommandTest {};

TEST_F(InboxCommandTest, ShowsCountsAndNotifications) {
  ordered_json page = ordered_json::parse(Page(2, 2));
  page["items"].push_back(Item(1, true));
  server.Answer(200, page.dump());
  const Ran ran = Run({"inbox", "1"});
  EXPECT_EQ(ran.exit_code, kExitDone);
  EXPECT_EQ(ran.out,
            "Inbox of 1: 50 in all, 7 unread\n"
            "* 2026-11-21 05:02:00  Message 2\n"
            "  2026-11-21 05:01:00  Message 1\n");
  EXPECT_THAT(server.requests(), ElementsAre("GET /v1/users/1/inbox?limit=20"));
}

TEST_F(InboxCommandTest, AsksForWhatTheFlagsSay) {
  server.Answer(200, Page(1, 1));
  const Ran ran = Run(
      {"inbox", "a/b ü", "--limit", "3", "--status", "unread", "--type", "like,follow", "--ids"});
  EXPECT_THAT(server.requests(),
              ElementsAre("GET /v1/users/a%2Fb%20%C3%BC/inbox?limit=3&status=unread&type=like%2C"
                          "follow"));
  EXPECT_THAT(ran.out, HasSubstr("Message 1  id-1\n"));
}

TEST_F(InboxCommandTest, ShowsTextOfOthersWithoutObeyingIt) {
  terminal = true;
  server.Answer(200, R"({"items":[{"message":"\u001b[2Jhi\u009b2J\nnext","read":true}]})");
  EXPECT_THAT(Run({"inbox", "1"}).out, HasSubstr("\\x1b[2Jhi\\x9b2J\\nnext\n"));
  server.Answer(200, "{\"items\":[{\"message\":\"\xc2\x9b\"}]}");
  EXPECT_EQ(Run({"inbox", "1", "--json"}).out, "{\"items\":[{\"message\":\"\\u009b\"}]}\n");
}

TEST_F(InboxCommandTest, HasColoursOnlyWhenAskedFor) {
  colours = true;
  server.Answer(200, Page(1, 1));
  EXPECT_THAT(Run({"inbox", "1"}).out, HasSubstr("\x1b[1mMessage 1\x1b[0m"));
}

TEST_F(InboxCommandTest, PrintsTheServersJsonAsItCame) {
  const std::string body = " {\"items\": [],\"next\":null}";
  server.Answer(200, body);
  EXPECT_EQ(Run({"inbox", "1", "--json"}).out, body + "\n");
}

TEST_F(InboxCommandTest, FollowsTheCursorToTheEndOrToTheLimit) {
  server.Answer(200, Page(50, 31, "c/1"));
  server.Answer(200, Page(30, 21, "c2"));
  server.Answer(200, Page(20, 11));
  const Ran all = Run({"inbox", "1", "--all"});
  EXPECT_EQ(std::count(all.out.begin(), all.out.end(), '\n'), 41);
  EXPECT_THAT(server.requests(), ElementsAre("GET /v1/users/1/inbox?limit=100",
                                             "GET /v1/users/1/inbox?limit=100&cursor=c%2F1",
                                             "GET /v1/users/1/inbox?limit=100&cursor=c2"));
  server.Answer(200, Page(50, 31, "c1"));
  server.Answer(200, Page(30, 29, "c2"));
  Run({"inbox", "1", "--limit", "22"});
  EXPECT_EQ(server.requests().back(), "GET /v1/users/1/inbox?limit=2&cursor=c1");
}

TEST_F(InboxCommandTest, MakesOneDocumentOfSeveralPages) {
  server.Answer(200, Page(50, 31, "c1"));
  server.Answer(200, Page(30, 11));
  const Ran ran = Run({"inbox", "1", "--all", "--json"});
  const auto document = ordered_json::parse(ran.out);
  ASSERT_THAT(document["items"], SizeIs(40));
  EXPECT_EQ(document["items"][0]["id"], "id-50");
  EXPECT_EQ(document["items"][39]["id"], "id-11");
  EXPECT_TRUE(document["next"].is_null());
  EXPECT_EQ(document["counts"]["total"], 50);
}

TEST_F(InboxCommandTest, SaysNothingHalfWhenALaterPageFails) {
  server.Answer(200, Page(50, 31, "c1"));
  server.Answer(503, R"({"detail":"Being restored."})");
  const Ran ran = Run({"inbox", "1", "--all", "--json"});
  EXPECT_EQ(ran.exit_code, kExitFailure);
  EXPECT_EQ(ran.out, "{\"detail\":\"Being restored.\"}\n");
}

TEST_F(InboxCommandTest, FollowShowsThePageThenWhatIsNewOldestFirst) {
  server.Answer(200, Page(3, 2, "more"));
  server.Answer(200, Page(3, 1));
  // 5 and 4 are new; 1 was always behind the page.
  server.Answer(200, Page(5, 1));
  server.Answer(200, Page(5, 1));
  pause = [this](std::chrono::milliseconds) { return pauses.size() < 4; };
  const Ran ran = Run({"inbox", "1", "--follow", "--limit", "2"});
  EXPECT_EQ(ran.exit_code, kExitDone);
  EXPECT_EQ(ran.out,
            "Inbox of 1: 50 in all, 7 unread\n"
            "* 2026-11-21 05:02:00  Message 2\n"
            "* 2026-11-21 05:03:00  Message 3\n"
            "* 2026-11-21 05:04:00  Message 4\n"
            "* 2026-11-21 05:05:00  Message 5\n");
  EXPECT_THAT(server.requests(), testing::Contains("GET /v1/users/1/inbox?limit=2").Times(1));
  EXPECT_THAT(pauses, testing::Each(std::chrono::milliseconds(1000)));
}

TEST_F(InboxCommandTest, FollowTellsOnceThatNobodyAnswersAndKeepsTrying) {
  server.AnswerWith(base::Status::Unavailable("cannot connect"));
  server.Answer(503, R"({"detail":"Being restored."})");
  server.AnswerWith(base::Status::Unavailable("cannot connect"));
  server.Answer(200, Page(1, 1));
  server.AnswerWith(base::Status::Unavailable("gone again"));
  pause = [this](std::chrono::milliseconds) { return pauses.size() < 5; };
  const Ran ran = Run({"inbox", "1", "--follow"});
  EXPECT_EQ(ran.exit_code, kExitDone);
  EXPECT_THAT(ran.out, HasSubstr("Message 1\n"));
  EXPECT_THAT(ran.err, AllOf(HasSubstr("cannot connect"), HasSubstr("answers again"),
                             HasSubstr("gone again")));
  EXPECT_EQ(ran.err.find("cannot connect"), ran.err.rfind("cannot connect"));
  EXPECT_EQ(ran.err.find("restored"), std::string::npos);
}

TEST_F(InboxCommandTest, FollowEndsWhenItIsRefused) {
  server.Answer(400, R"({"detail":"type is unknown.","field":"type"})");
  EXPECT_EQ(Run({"inbox", "1", "--follow", "--type", "x"}).exit_code, kExitRefused);
}

TEST_F(InboxCommandTest, FollowForProgramsIsALineForEachNotification) {
  server.Answer(200, Page(2, 1));
  pause = [](std::chrono::milliseconds) { return false; };
  EXPECT_EQ(Run({"inbox", "1", "--follow", "--json"}).out,
            Item(1).dump() + "\n" + Item(2).dump() + "\n");
}

TEST_F(InboxCommandTest, RefusesFlagsThatMakeNoSense) {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"inbox"},
                                             {"inbox", "1", "--limit", "0"},
                                             {"inbox", "1", "--status", "new"},
                                             {"inbox", "1", "--follow", "--all"},
                                             {"inbox", "1", "--follow", "--limit", "101"}}) {
    EXPECT_EQ(Run(arguments).exit_code, kExitUsage);
  }
}

}  // namespace
}  // namespace app
