#include "app/command_line.h"

#include <gmock/gmock.h>

#include <cstdlib>

#include "app/exit_code.h"
#include "tests/app/command_fixture.h"

namespace app {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

class CommandLineTest : public CommandTest {};

TEST_F(CommandLineTest, WithoutACommandShowsHelpAndEndsWith2) {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{}, {"users"}}) {
    const Ran ran = Run(arguments);
    EXPECT_EQ(ran.exit_code, kExitUsage);
    EXPECT_EQ(ran.out, "");
    EXPECT_THAT(ran.err, HasSubstr("Usage: herald"));
  }
}

TEST_F(CommandLineTest, HelpTellsTheExitCodes) {
  const Ran ran = Run({"--help"});
  EXPECT_EQ(ran.exit_code, kExitDone);
  for (const char* line : {"0  done", "1  the server failed", "2  a wrong command line",
                           "3  the server cannot be reached", "4  refused"}) {
    EXPECT_THAT(ran.out, HasSubstr(line));
  }
}

TEST_F(CommandLineTest, EveryCommandHasHelpWithAnExample) {
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{"send"},
                                             {"inbox"},
                                             {"mark"},
                                             {"users"},
                                             {"users", "load"},
                                             {"users", "get"},
                                             {"users", "put"},
                                             {"users", "delete"},
                                             {"status"},
                                             {"topology"},
                                             {"completion"}}) {
    std::string name = "herald";
    for (const std::string& word : command) name += " " + word;
    std::vector<std::string> arguments = command;
    arguments.push_back("--help");
    const Ran ran = Run(arguments);
    EXPECT_EQ(ran.exit_code, kExitDone) << name;
    EXPECT_THAT(ran.out, AllOf(HasSubstr("Usage: " + name + " ["), HasSubstr("Example"),
                               HasSubstr("  " + name)));
    EXPECT_EQ(ran.err, "");
  }
}

TEST_F(CommandLineTest, SaysTheVersion) { EXPECT_EQ(Run({"--version"}).out, "test version\n"); }

TEST_F(CommandLineTest, NamesTheCommandWhoseLineIsWrong) {
  Ran ran = Run({"inbox", "1", "--nope"});
  EXPECT_EQ(ran.exit_code, kExitUsage);
  EXPECT_THAT(ran.err, AllOf(StartsWith("herald inbox: "), HasSubstr("--nope"),
                             HasSubstr("Try: herald inbox --help\n")));
  ran = Run({"users", "get"});
  EXPECT_EQ(ran.exit_code, kExitUsage);
  EXPECT_THAT(ran.err, AllOf(StartsWith("herald users get: "), HasSubstr("required")));
  EXPECT_EQ(Run({"nope"}).exit_code, kExitUsage);
  EXPECT_EQ(Run({"status", "status"}).exit_code, kExitUsage);
  EXPECT_THAT(server.requests(), IsEmpty());
}

TEST_F(CommandLineTest, RefusesAServerThatIsNoAddress) {
  const Ran ran = Run({"status", "--server", "localhost"});
  EXPECT_EQ(ran.exit_code, kExitUsage);
  EXPECT_THAT(ran.err, AllOf(HasSubstr("--server"), HasSubstr("there is no port")));
}

TEST_F(CommandLineTest, TakesTheServerFromTheFlagThenFromTheEnvironment) {
  server.AnswerAllWith([](const serving::Request&) {
    serving::Response response;
    response.body = "{}";
    return response;
  });
  Run({"status"});
  EXPECT_EQ(server_name, "127.0.0.1:8080");
  setenv("HERALD_SERVER", "herald.example:1", 1);
  Run({"status"});
  EXPECT_EQ(server_name, "herald.example:1");
  Run({"status", "--server", "http://localhost:2"});
  EXPECT_EQ(server_name, "http://localhost:2");
  unsetenv("HERALD_SERVER");
}

TEST_F(CommandLineTest, SaysWhatToDoWhenTheServerCannotBeReached) {
  server.AnswerWith(base::Status::Unavailable("cannot connect to 127.0.0.1:8080: refused"));
  const Ran ran = Run({"status"});
  EXPECT_EQ(ran.exit_code, kExitUnreachable);
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(ran.err, AllOf(StartsWith("herald status: cannot connect to 127.0.0.1:8080"),
                             HasSubstr("herald run --embedded"), HasSubstr("--server ADDR:PORT")));
}

TEST_F(CommandLineTest, AnAnswerThatIsNoneIsAFailure) {
  server.AnswerWith(base::Status::Fatal("what 127.0.0.1:8080 answers is not HTTP"));
  EXPECT_EQ(Run({"status"}).exit_code, kExitFailure);
  server.Answer(200, "<html>");
  const Ran ran = Run({"status", "--json"});
  EXPECT_EQ(ran.exit_code, kExitFailure);
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(ran.err, HasSubstr("not JSON"));
  server.Answer(301, "");
  EXPECT_EQ(Run({"status"}).exit_code, kExitFailure);
}

TEST_F(CommandLineTest, AFailureOfTheServerSaysWhenToTryAgain) {
  server.Answer(503, R"({"status":503,"detail":"Being restored."})", {{"Retry-After", "7"}});
  const Ran ran = Run({"users", "get", "1"});
  EXPECT_EQ(ran.exit_code, kExitFailure);
  EXPECT_EQ(ran.err, "herald users get: Being restored.\nTry again in 7 s.\n");
}

TEST_F(CommandLineTest, ARefusalTellsDetailAndFieldAndForProgramsTheDocument) {
  const std::string problem = R"({"status":400,"detail":"name is too long.","field":"name"})";
  server.Answer(400, problem);
  Ran ran = Run({"users", "put", "1", "--name", "x"});
  EXPECT_EQ(ran.exit_code, kExitRefused);
  EXPECT_EQ(ran.out, "");
  EXPECT_EQ(ran.err, "herald users put: name is too long. (field name)\n");
  server.Answer(400, problem);
  ran = Run({"users", "put", "1", "--name", "x", "--json"});
  EXPECT_EQ(ran.exit_code, kExitRefused);
  EXPECT_EQ(ran.out, problem + "\n");
  server.Answer(404, "nginx");
  EXPECT_EQ(Run({"users", "get", "1"}).err, "herald users get: the server answers 404 Not Found\n");
}

TEST_F(CommandLineTest, WhatAServerSaysCannotSteerTheTerminal) {
  server.Answer(400, R"({"detail":"\u001b[2Jgone\nherald: fine"})");
  const Ran ran = Run({"users", "get", "1"});
  EXPECT_EQ(ran.err, "herald users get: \\x1b[2Jgone\\nherald: fine\n");
}

}  // namespace
}  // namespace app
