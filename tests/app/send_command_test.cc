#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "app/exit_code.h"
#include "tests/app/command_fixture.h"

namespace app {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class SendCommandTest : public CommandTest {
 protected:
  /// Answers each request with as many ids as it has events: its number, a dash, theirs.
  void AnswerWithIds() {
    server.AnswerAllWith([this](const serving::Request& request) {
      const auto events = nlohmann::json::parse(request.body);
      batches.push_back(events.size());
      nlohmann::json ids = nlohmann::json::array();
      for (size_t i = 0; i < events.size(); ++i) {
        ids.push_back(std::to_string(batches.size()) + "-" + std::to_string(i));
      }
      serving::Response response;
      response.status = 202;
      response.body = nlohmann::json{{"ids", ids}}.dump();
      return response;
    });
  }

  std::vector<size_t> batches;
};

TEST_F(SendCommandTest, MakesTheSmallestEvent) {
  server.Answer(202, R"({"ids":["e1"]})");
  const Ran ran = Run({"send", "--type", "follow", "--actor", "2", "--target", "1"});
  EXPECT_EQ(ran.exit_code, kExitDone);
  EXPECT_EQ(ran.out, "e1\n");
  EXPECT_THAT(server.requests(),
              ElementsAre(R"(POST /v1/events {"type":"follow","actor":"2","target":"1"})"));
}

TEST_F(SendCommandTest, MakesAnEventOfAllFlags) {
  server.Answer(202, R"({"ids":["e1"]})");
  const Ran ran = Run({"send",
                       "--type",
                       "mention",
                       "--actor",
                       "1",
                       "--target",
                       "2",
                       "--target",
                       "4",
                       "--object-type",
                       "comment",
                       "--object-id",
                       "c9",
                       "--object-title",
                       "My \"getaway\"",
                       "--text",
                       "Great, @Bruno!",
                       "--id",
                       "e-71",
                       "--time",
                       "2026-11-21T05:00:00Z",
                       "--undo-of",
                       "e-70"});
  EXPECT_EQ(ran.exit_code, kExitDone);
  EXPECT_THAT(
      server.requests(),
      ElementsAre(
          R"(POST /v1/events {"id":"e-71","type":"mention","actor":"1","targets":["2","4"],)"
          R"("object":{"type":"comment","id":"c9","title":"My \"getaway\""},)"
          R"("text":"Great, @Bruno!","undo_of":"e-70","time":"2026-11-21T05:00:00Z"})"));
}

TEST_F(SendCommandTest, TakesATimeInMilliseconds) {
  server.Answer(202, R"({"ids":["e1"]})");
  Run({"send", "--type", "follow", "--actor", "2", "--target", "1", "--time", "1795237200000"});
  EXPECT_THAT(server.requests(), ElementsAre(HasSubstr(R"("time":1795237200000})")));
}

TEST_F(SendCommandTest, PrintsTheServersJsonForPrograms) {
  server.Answer(202, R"({"ids":["e1"]})");
  EXPECT_EQ(Run({"send", "--type", "follow", "--actor", "2", "--target", "1", "--json"}).out,
            "{\"ids\":[\"e1\"]}\n");
}

TEST_F(SendCommandTest, SaysWhatAnEventNeeds) {
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {"send"}, {"send", "--type", "like"}, {"send", "--actor", "1", "--target", "2"}}) {
    const Ran ran = Run(arguments);
    EXPECT_EQ(ran.exit_code, kExitUsage);
    EXPECT_THAT(ran.err, HasSubstr("--type, --actor and --target"));
  }
  EXPECT_EQ(Run({"send", "-", "--type", "like"}).exit_code, kExitUsage);
  EXPECT_THAT(Run({"send", "/nowhere/events"}).err, HasSubstr("/nowhere/events"));
  EXPECT_THAT(server.requests(), IsEmpty());
}

TEST_F(SendCommandTest, SendsTheLinesOfAFileAsTheyStand) {
  server.Answer(202, R"({"ids":["a","b"]})");
  const Ran ran = Run({"send", File("{\"n\": 1}\n\n{\"n\":1.50}")});
  EXPECT_EQ(ran.exit_code, kExitDone);
  EXPECT_EQ(ran.out, "a\nb\n");
  EXPECT_THAT(server.requests(), ElementsAre("POST /v1/events [{\"n\": 1},{\"n\":1.50}]"));
}

TEST_F(SendCommandTest, SendsStandardInputInBatchesAndNamesAllIds) {
  AnswerWithIds();
  for (int i = 0; i < 2500; ++i) input += "{}\n";
  Ran ran = Run({"send", "-"});
  EXPECT_EQ(ran.exit_code, kExitDone);
  EXPECT_THAT(batches, ElementsAre(1000u, 1000u, 500u));
  EXPECT_EQ(std::count(ran.out.begin(), ran.out.end(), '\n'), 2500);
  ran = Run({"send", "-", "--json"});
  EXPECT_THAT(nlohmann::json::parse(ran.out)["ids"], SizeIs(2500));
}

TEST_F(SendCommandTest, KeepsBatchesBelowTheBytesThatEveryServerTakes) {
  AnswerWithIds();
  const std::string line = "{\"text\":\"" + std::string(200'000, 'x') + "\"}\n";
  for (int i = 0; i < 5; ++i) input += line;
  input += "{\"text\":\"" + std::string(900'000, 'x') + "\"}\n";
  EXPECT_EQ(Run({"send", "-"}).exit_code, kExitDone);
  EXPECT_THAT(batches, ElementsAre(2u, 2u, 1u, 1u));
}

TEST_F(SendCommandTest, NothingToSendIsDone) {
  EXPECT_EQ(Run({"send", "-"}).exit_code, kExitDone);
  EXPECT_EQ(Run({"send", "-", "--json"}).out, "{\"ids\":[]}\n");
  EXPECT_THAT(server.requests(), IsEmpty());
}

TEST_F(SendCommandTest, NamesTheLineThatTheServerRefuses) {
  server.Answer(400, R"({"detail":"target is missing.","index":1,"field":"target"})");
  const Ran ran = Run({"send", File("\n{}\n\n{}\n{}\n")});
  EXPECT_EQ(ran.exit_code, kExitRefused);
  EXPECT_EQ(ran.out, "");
  EXPECT_EQ(ran.err,
            "herald send: line 4: target is missing. (field target)\n"
            "herald send: events sent before that: 0\n");
}

TEST_F(SendCommandTest, SendsWhatStandsBeforeALineThatIsNoJson) {
  AnswerWithIds();
  for (const char* wrong : {"],[", "{} {}", "{", "x"}) {
    input = std::string("{}\n{}\n") + wrong + "\n{}\n";
    const Ran ran = Run({"send", "-"});
    EXPECT_EQ(ran.exit_code, kExitRefused);
    EXPECT_THAT(ran.err, AllOf(HasSubstr("line 3 is not JSON"), HasSubstr("sent before that: 2")));
  }
  EXPECT_THAT(batches, ElementsAre(2u, 2u, 2u, 2u));
}

TEST_F(SendCommandTest, NamesTheLinesOfABatchThatFailed) {
  server.Answer(503, R"({"detail":"Kafka did not confirm all in time."})");
  const Ran ran = Run({"send", File("{}\n{}\n{}\n")});
  EXPECT_EQ(ran.exit_code, kExitFailure);
  EXPECT_THAT(ran.err, HasSubstr("lines 1 to 3: Kafka did not confirm"));
}

TEST_F(SendCommandTest, WaitsAsLongAsTheServerAsksWhenItHasNoRoom) {
  server.Answer(429, R"({"detail":"Too much is unread."})", {{"Retry-After", "2"}});
  server.Answer(429, R"({"detail":"Too much is unread."})");
  server.Answer(202, R"({"ids":["a"]})");
  const Ran ran = Run({"send", File("{}\n")});
  EXPECT_EQ(ran.exit_code, kExitDone);
  EXPECT_EQ(ran.out, "a\n");
  EXPECT_THAT(pauses, ElementsAre(std::chrono::seconds(2), std::chrono::seconds(1)));
  EXPECT_THAT(server.requests(), SizeIs(3));
}

TEST_F(SendCommandTest, GivesUpWhenTheServerNeverHasRoom) {
  server.AnswerAllWith([](const serving::Request&) {
    serving::Response response;
    response.status = 429;
    response.body = R"({"detail":"Too much is unread."})";
    return response;
  });
  const Ran ran = Run({"send", "--type", "follow", "--actor", "2", "--target", "1"});
  EXPECT_EQ(ran.exit_code, kExitRefused);
  EXPECT_THAT(ran.err, HasSubstr("Too much is unread."));
}

}  // namespace
}  // namespace app
