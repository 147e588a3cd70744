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
using testing::UnorderedElementsAre;

constexpr const char* kEmma = R"({"id":"1","name":"Emma","handle":"emma","avatar_url":null})";

class UsersCommandTest : public CommandTest {
 protected:
  void AnswerWithTheUser() {
    server.AnswerAllWith([](const serving::Request& request) {
      serving::Response response;
      response.body = request.body;
      if (request.body.find("bad") != std::string::npos) {
        response.status = 400;
        response.body = R"({"detail":"name is too long.","field":"name"})";
      }
      return response;
    });
  }
};

TEST_F(UsersCommandTest, ShowsAUser) {
  server.Answer(200, kEmma);
  const Ran ran = Run({"users", "get", "1"});
  EXPECT_EQ(ran.exit_code, kExitDone);
  EXPECT_EQ(ran.out,
            "ID  NAME  HANDLE  AVATAR\n"
            "1   Emma  emma\n");
  server.Answer(200, kEmma);
  EXPECT_EQ(Run({"users", "get", "a/b", "--json"}).out, std::string(kEmma) + "\n");
  EXPECT_THAT(server.requests(), ElementsAre("GET /v1/users/1", "GET /v1/users/a%2Fb"));
}

TEST_F(UsersCommandTest, ReplacesAUserWithWhatIsGiven) {
  server.Answer(200, kEmma);
  server.Answer(200, kEmma);
  Run({"users", "put", "1", "--name", "Emma", "--handle", "emma", "--avatar-url", "https://e"});
  EXPECT_EQ(Run({"users", "put", "1"}).exit_code, kExitDone);
  EXPECT_THAT(
      server.requests(),
      ElementsAre(R"(PUT /v1/users/1 {"name":"Emma","handle":"emma","avatar_url":"https://e"})",
                  "PUT /v1/users/1 {}"));
}

TEST_F(UsersCommandTest, ErasesAUser) {
  server.Answer(204, "");
  server.Answer(204, "");
  EXPECT_EQ(Run({"users", "delete", "1"}).out, "User 1 is erased.\n");
  EXPECT_EQ(Run({"users", "delete", "1", "--json"}).out, "{}\n");
  EXPECT_THAT(server.requests(), ElementsAre("DELETE /v1/users/1", "DELETE /v1/users/1"));
}

TEST_F(UsersCommandTest, LoadsEachLineOfAFile) {
  AnswerWithTheUser();
  const std::string file = File("{\"id\":\"1\",\"name\":\"Emma\"}\n\n{\"id\":2}\n");
  const Ran ran = Run({"users", "load", file});
  EXPECT_EQ(ran.exit_code, kExitDone);
  EXPECT_EQ(ran.out, "2 users loaded\n");
  EXPECT_THAT(server.requests(),
              UnorderedElementsAre("PUT /v1/users/1 {\"id\":\"1\",\"name\":\"Emma\"}",
                                   "PUT /v1/users/2 {\"id\":2}"));
}

TEST_F(UsersCommandTest, LoadsManyUsersFromStandardInput) {
  AnswerWithTheUser();
  for (int i = 0; i < 3000; ++i) input += "{\"id\":" + std::to_string(i) + "}\n";
  EXPECT_EQ(Run({"users", "load", "-"}).out, "3000 users loaded\n");
  EXPECT_THAT(server.requests(), SizeIs(3000));
}

TEST_F(UsersCommandTest, KeepsTheOrderOfLinesOfOneUser) {
  AnswerWithTheUser();
  for (int i = 0; i < 100; ++i) {
    input += "{\"id\":\"other" + std::to_string(i) + "\"}\n";
    input += "{\"id\":\"same\",\"name\":\"" + std::to_string(i) + "\"}\n";
  }
  Run({"users", "load", "-"});
  int expected = 0;
  for (const std::string& request : server.requests()) {
    if (!request.starts_with("PUT /v1/users/same ")) continue;
    EXPECT_THAT(request, HasSubstr("\"name\":\"" + std::to_string(expected) + "\""));
    ++expected;
  }
  EXPECT_EQ(expected, 100);
}

TEST_F(UsersCommandTest, NamesTheLinesThatAreRefusedAndGoesOn) {
  AnswerWithTheUser();
  const std::string file = File(
      "{\"id\":\"1\"}\n{\"id\":\n\n{\"name\":\"x\"}\n{\"id\":\"5\",\"name\":\"bad\"}\n[]\n"
      "{\"id\":\"7\"}\n");
  Ran ran = Run({"users", "load", file});
  EXPECT_EQ(ran.exit_code, kExitRefused);
  EXPECT_EQ(ran.out, "2 users loaded, 4 lines refused\n");
  EXPECT_THAT(ran.err, AllOf(HasSubstr("line 2: not JSON"), HasSubstr("line 4: there is no id"),
                             HasSubstr("line 5: name is too long. (field name)"),
                             HasSubstr("line 6: there is no id")));
  ran = Run({"users", "load", file, "--json"});
  const auto document = nlohmann::json::parse(ran.out);
  EXPECT_EQ(document["loaded"], 2);
  EXPECT_THAT(document["refused"], SizeIs(4));
  EXPECT_EQ(document["refused"][0]["line"], 2);
}

TEST_F(UsersCommandTest, StopsLoadingWhenTheServerIsGone) {
  server.AnswerAllWith([](const serving::Request&) -> base::Result<serving::Response> {
    return base::Status::Unavailable("cannot connect");
  });
  for (int i = 0; i < 3000; ++i) input += "{\"id\":" + std::to_string(i) + "}\n";
  const Ran ran = Run({"users", "load", "-"});
  EXPECT_EQ(ran.exit_code, kExitUnreachable);
  EXPECT_EQ(ran.out, "0 users loaded\n");
  EXPECT_EQ(ran.err.find("cannot connect"), ran.err.rfind("cannot connect"));
  EXPECT_LT(server.requests().size(), 100u);
}

TEST_F(UsersCommandTest, RefusesAFileThatItCannotRead) {
  EXPECT_EQ(Run({"users", "load", "/nowhere/users"}).exit_code, kExitUsage);
  EXPECT_THAT(server.requests(), IsEmpty());
}

}  // namespace
}  // namespace app
