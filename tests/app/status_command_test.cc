#include <gmock/gmock.h>

#include "app/exit_code.h"
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

}  // namespace
}  // namespace app
