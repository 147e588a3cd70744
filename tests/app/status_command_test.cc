#include <gmock/gmock.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "app/exit_code.h"
#include "app/status_watch.h"
#include "tests/app/command_fixture.h"

namespace app {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class StatusCommandTest : public CommandTest {};

TEST_F(StatusCommandTest, ShowsTasksAndInstances) {
  server.Answer(200, R"({"version":"0.1.0","instance":"a","cluster":"Yk2","brokers":"b:9092",
    "guarantee":"exactly_once","ready":false,"waiting_for":"task 1_1 to be restored","tasks":[
    {"id":"1_0","thread":0,"state":"running","restore_remaining":{},"inputs":[
      {"topic":"notifications","partition":0,"position":1042,"lag":3},
      {"topic":"inbox-actions","partition":0,"position":null,"lag":null}]},
    {"id":"1_1","thread":1,"state":"restoring","restore_remaining":{"inbox":1200},"inputs":[]}],
    "instances":[
    {"id":"a","address":"10.0.0.7:8080","self":true,
     "partitions":{"events":[2],"notifications":[0,3,1,7]}},
    {"id":"b","address":null,"self":false,"partitions":{}}]})");
  const Ran ran = Run({"status"});
  EXPECT_EQ(ran.exit_code, kExitDone);
  EXPECT_EQ(ran.out,
            "instance   a\n"
            "version    0.1.0\n"
            "brokers    b:9092\n"
            "cluster    Yk2\n"
            "guarantee  exactly_once\n"
            "ready      no, waiting for task 1_1 to be restored\n"
            "\n"
            "TASK  THREAD  STATE                         INPUT            POSITION  LAG\n"
            "1_0   0       running                       notifications/0  1042      3\n"
            "                                            inbox-actions/0  ?         ?\n"
            "1_1   1       restoring, 1200 records left\n"
            "\n"
            "INSTANCE  ADDRESS        PARTITIONS\n"
            "a (this)  10.0.0.7:8080  events 2; notifications 0-1, 3, 7\n"
            "b\n");
  EXPECT_THAT(server.requests(), ElementsAre("GET /v1/status"));
}

TEST_F(StatusCommandTest, TakesADocumentOfAnotherShape) {
  for (const char* body : {"{}", "[]", "7", R"({"tasks":7,"instances":{"a":1},"ready":"x"})",
                           R"({"tasks":[7,{"inputs":[7]}]})"}) {
    server.Answer(200, body);
    EXPECT_EQ(Run({"status"}).exit_code, kExitDone) << body;
  }
}

TEST_F(StatusCommandTest, PrintsTheServersJsonForPrograms) {
  server.Answer(200, "{\"ready\":true}");
  EXPECT_EQ(Run({"status", "--json"}).out, "{\"ready\":true}\n");
}

TEST_F(StatusCommandTest, SaysThatThereAreNoTasks) {
  server.Answer(200, R"({"ready":true,"tasks":[],"instances":[]})");
  EXPECT_THAT(Run({"status"}).out, HasSubstr("No tasks"));
}

/// Answers /v1/status and /metrics; each look takes two seconds, `looks` of them.
class StatusWatchTest : public CommandTest {
 protected:
  StatusWatchTest() {
    server.AnswerAllWith([this](const serving::Request& request)
                             -> base::Result<serving::Response> {
      serving::Response response;
      if (look >= statuses.size()) return base::Status::Unavailable("connection refused");
      response.body = request.target == "/metrics" ? metrics[look] : statuses[look];
      return response;
    });
    pause = [this](std::chrono::milliseconds time) {
      clock.Advance(time);
      return ++look < looks;
    };
  }

  Ran Watch(std::vector<std::string> arguments = {}) {
    arguments.insert(arguments.begin(), {"status", "--watch", "--interval", "2"});
    return Run(arguments);
  }

  static std::string Metrics(int read, int fast, int all) {
    return "# HELP herald_records_consumed_total Records.\n"
           "herald_records_consumed_total{topic=\"events\"} " + std::to_string(read) + "\n"
           "herald_records_consumed_total{topic=\"notifications\"} 5\n"
           "herald_records_consumed_total_other 99999\n"
           "herald_end_to_end_latency_seconds_bucket{le=\"0.1\"} " + std::to_string(fast) + "\n"
           "herald_end_to_end_latency_seconds_bucket{le=\"0.2\"} " + std::to_string(all) + "\n"
           "herald_end_to_end_latency_seconds_bucket{le=\"+Inf\"} " + std::to_string(all) + "\n"
           "herald_dead_letters_total{reason=\"limit\"} 2\n"
           "herald_http_requests_total{route=\"/x\"} NaN\n";
  }

  std::vector<std::string> statuses;
  std::vector<std::string> metrics;
  size_t look = 0;
  size_t looks = 2;
};

constexpr char kRunning[] = R"({"started":"a","instance":"i","version":"1","ready":true,"tasks":[
  {"id":"0_0","state":"running","inputs":[{"topic":"events","lag":7},{"topic":"x","lag":null}]}]})";

TEST_F(StatusWatchTest, PrintsALineEachIntervalWithoutATerminal) {
  statuses = {kRunning, kRunning};
  metrics = {Metrics(100, 10, 10), Metrics(500, 60, 110)};
  const Ran ran = Watch();
  EXPECT_EQ(ran.exit_code, kExitDone);
  EXPECT_EQ(ran.out,
            "2026-11-21T05:00:00Z  ready  tasks 1  read ?  lag 7  latency p50 - p99 -  http ?  "
            "dead letters 2\n"
            "2026-11-21T05:00:02Z  ready  tasks 1  read 200/s  lag 7  latency p50 100 ms p99 198 ms"
            "  http 0/s  dead letters 2\n");
  EXPECT_THAT(pauses, ElementsAre(std::chrono::seconds(2), std::chrono::seconds(2)));
}

TEST_F(StatusWatchTest, SaysSinceWhenNobodyAnswersAndGoesOn) {
  statuses = {kRunning};
  metrics = {Metrics(1, 1, 1)};
  const Ran ran = Watch();
  EXPECT_EQ(ran.exit_code, kExitDone);
  EXPECT_THAT(ran.out, HasSubstr("\n2026-11-21T05:00:02Z  not reachable since "
                                 "2026-11-21T05:00:00Z: connection refused\n"));
}

TEST_F(StatusWatchTest, ARestartIsNoNegativeRate) {
  const std::string restarted = R"({"started":"b","ready":true,"tasks":[]})";
  statuses = {kRunning, restarted, restarted};
  metrics = {Metrics(1000, 1, 1), Metrics(10, 1, 1), Metrics(30, 1, 1)};
  looks = 3;
  const Ran ran = Watch();
  EXPECT_THAT(ran.out, testing::ContainsRegex("05:00:02Z  ready  tasks 0  read [?]"));
  EXPECT_THAT(ran.out, HasSubstr("05:00:04Z  ready  tasks 0  read 10/s"));
}

TEST_F(StatusWatchTest, RedrawsATerminalWithChartsAndTheTimeThatRestoresStillTake) {
  terminal = true;
  const auto status = [](int left) {
    return R"({"started":"a","ready":false,"waiting_for":"task 1_1\u001b[2J","tasks":[
      {"id":"1_1","state":"restoring","restore_remaining":{"inbox":)" + std::to_string(left) +
           R"(},"inputs":[{"topic":"notifications","lag":3}]}],
      "instances":[{"id":"a"},{"id":"b"}]})";
  };
  statuses = {status(3000), status(2000), status(1000)};
  metrics = {Metrics(0, 0, 0), Metrics(100, 0, 0), Metrics(300, 0, 0)};
  looks = 3;
  const std::string out = Watch().out;
  EXPECT_THAT(out, testing::StartsWith("\x1b[2J\x1b[HHerald at 127.0.0.1:8080"));
  const std::string last = out.substr(out.rfind("\x1b[H"));
  EXPECT_THAT(last, HasSubstr("not ready, waiting for task 1_1\\x1b[2J"));
  EXPECT_THAT(last, HasSubstr("records read   100/s "));
  EXPECT_THAT(last, HasSubstr("▅█\x1b[K\n"));
  EXPECT_THAT(last, HasSubstr("  1_1  restoring, 1000 records left, 500/s, 2 s to go\x1b[K\n"));
  EXPECT_THAT(last, HasSubstr("  notifications  lag 3\x1b[K\n"));
  EXPECT_THAT(last, HasSubstr("instances      a, b\x1b[K\n"));
  EXPECT_THAT(last, testing::EndsWith("\x1b[J"));
}

TEST_F(StatusWatchTest, WithJsonEachLookIsTheServersDocument) {
  terminal = true;
  statuses = {"{\"a\":1}", "{\"a\":2}"};
  EXPECT_EQ(Watch({"--json"}).out, "{\"a\":1}\n{\"a\":2}\n");
}

TEST_F(StatusWatchTest, TakesDocumentsOfAnotherShape) {
  statuses = {"7", "[]", R"({"tasks":7})", R"({"tasks":[7,{"state":"restoring","inputs":7,
    "restore_remaining":7}],"instances":{"a":1}})"};
  metrics = {"", "herald_records_consumed_total", "herald_records_consumed_total x\n \n",
             "herald_end_to_end_latency_seconds_bucket{} 1\n"
             "herald_end_to_end_latency_seconds_bucket{le=\"x\"} 1"};
  looks = statuses.size();
  for (const bool on_terminal : {false, true}) {
    terminal = on_terminal;
    look = 0;
    EXPECT_EQ(Watch().exit_code, kExitDone);
  }
}

TEST_F(StatusWatchTest, AnIntervalIsNamedWhenItIsWrongOrWithoutWatch) {
  EXPECT_EQ(Run({"status", "--interval", "2"}).exit_code, kExitUsage);
  EXPECT_EQ(Run({"status", "--watch", "--interval", "0"}).exit_code, kExitUsage);
  EXPECT_THAT(Run({"status", "--watch", "--interval", "x"}).err, HasSubstr("--interval"));
}

TEST(Sparkline, HasTheGreatestAsAFullBlockAndGapsForWhatIsNotKnown) {
  EXPECT_EQ(Sparkline({0.0, std::nullopt, 7.0, 14.0}), "▁ ▅█");
  EXPECT_EQ(Sparkline({0.0, 0.0}), "▁▁");
  EXPECT_EQ(Sparkline({}), "");
}

}  // namespace
}  // namespace app
