#include <gmock/gmock.h>

#include "app/exit_code.h"
#include "tests/app/command_fixture.h"

namespace app {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kCounts = R"({"total":3,"unread":1,"unseen":0,"version":9})";

class MarkCommandTest : public CommandTest {};

TEST_F(MarkCommandTest, AsksForEachAction) {
  struct Case {
    std::vector<std::string> arguments;
    std::string request;
  };
  for (const Case& each :
       std::vector<Case>{{{"mark", "1", "read", "a-1"}, "POST /v1/users/1/inbox/a-1/read"},
                         {{"mark", "1", "unread", "a-1"}, "POST /v1/users/1/inbox/a-1/unread"},
                         {{"mark", "1", "seen", "a/1"}, "POST /v1/users/1/inbox/a%2F1/seen"},
                         {{"mark", "1", "delete", "a-1"}, "DELETE /v1/users/1/inbox/a-1"},
                         {{"mark", "ü", "read-all"}, "POST /v1/users/%C3%BC/inbox/read-all"},
                         {{"mark", "1", "seen-all", "--up-to", "7"},
                          "POST /v1/users/1/inbox/seen-all {\"up_to\":7}"}}) {
    server.Answer(200, kCounts);
    const Ran ran = Run(each.arguments);
    EXPECT_EQ(ran.exit_code, kExitDone) << each.request;
    EXPECT_EQ(server.requests().back(), each.request);
    EXPECT_THAT(ran.out, HasSubstr("3 in all, 1 unread, 0 unseen\n"));
  }
}

TEST_F(MarkCommandTest, PrintsTheServersJsonForPrograms) {
  server.Answer(200, kCounts);
  EXPECT_EQ(Run({"mark", "1", "read-all", "--json"}).out, std::string(kCounts) + "\n");
}

TEST_F(MarkCommandTest, TellsThatThereIsNoSuchNotification) {
  server.Answer(404, R"({"detail":"There is no notification of this id."})");
  const Ran ran = Run({"mark", "1", "read", "x"});
  EXPECT_EQ(ran.exit_code, kExitRefused);
  EXPECT_THAT(ran.err, HasSubstr("There is no notification of this id."));
}

TEST_F(MarkCommandTest, RefusesArgumentsThatDoNotGoTogether) {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"mark", "1"},
                                             {"mark", "1", "read"},
                                             {"mark", "1", "eat", "a-1"},
                                             {"mark", "1", "read-all", "a-1"},
                                             {"mark", "1", "read", "a-1", "--up-to", "7"},
                                             {"mark", "1", "read-all", "--up-to", "-1"}}) {
    EXPECT_EQ(Run(arguments).exit_code, kExitUsage);
  }
  EXPECT_THAT(server.requests(), IsEmpty());
}

}  // namespace
}  // namespace app
