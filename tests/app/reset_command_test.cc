#include "app/reset_command.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "app/exit_code.h"
#include "pipeline/state_directory.h"
#include "tests/app/borrowed_clients.h"
#include "tests/app/command_fixture.h"
#include "tests/support/fake_kafka.h"
#include "tests/support/scratch_directory.h"

namespace app {
namespace {

using base::Partition;
using base::Positions;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr std::chrono::milliseconds kTimeout{100};
constexpr char kChangelog[] = "app-inbox-changelog";

class ResetCommandTest : public testing::Test {
 protected:
  ResetCommandTest() {
    for (const char* topic : {"events", "notifications", "inbox-actions", kChangelog}) {
      cluster_.CreateTopic(topic, 1);
      for (int i = 0; i < 3; ++i) {
        cluster_.Append(topic, Partition{0}, "k", "x", {}, 1'000 * (i + 1));
      }
    }
    EXPECT_TRUE(clients_.admin()
                    .SetGroupPositions("app", {{{"events", Partition{0}}, {2}}}, kTimeout)
                    .ok());
  }

  /// `arguments` behind those that are always needed.
  Ran Run(std::vector<std::string> arguments, int input = -1) {
    std::vector<const char*> argv = {"herald", "reset", "--brokers", "b:1"};
    for (const std::string& argument : arguments) argv.push_back(argument.c_str());
    std::ostringstream out;
    std::ostringstream err;
    const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    Environment environment{.console = {out, err, false, false},
                            .input = input >= 0 ? input : nothing,
                            .connect = nullptr,
                            .pause = nullptr,
                            .end_on_interrupt = nullptr};
    CommandLine command_line("test version");
    AddResetCommand(
        command_line,
        [this](const std::string& brokers, const std::map<std::string, std::string>& properties)
            -> base::Result<std::unique_ptr<pipeline::KafkaClients>> {
          brokers_ = brokers;
          properties_ = properties;
          if (properties.contains("wrong")) {
            return base::Status::InvalidArgument("librdkafka property \"wrong\"");
          }
          return std::unique_ptr<pipeline::KafkaClients>(
              std::make_unique<BorrowedClients>(clients_));
        });
    Ran ran;
    ran.exit_code = command_line.Main(static_cast<int>(argv.size()), argv.data(), environment);
    ran.out = out.str();
    ran.err = err.str();
    close(nothing);
    return ran;
  }

  /// With a terminal on which somebody has typed `answer`.
  Ran RunAndAnswer(std::vector<std::string> arguments, const std::string& answer) {
    int master = -1;
    int terminal = -1;
    EXPECT_EQ(openpty(&master, &terminal, nullptr, nullptr, nullptr), 0);
    EXPECT_EQ(write(master, answer.data(), answer.size()), static_cast<ssize_t>(answer.size()));
    Ran ran = Run(std::move(arguments), terminal);
    close(terminal);
    close(master);
    return ran;
  }

  bool ChangelogExists() {
    const std::vector<std::string> names = {kChangelog};
    return !clients_.admin().DescribeTopics(names, kTimeout).value().empty();
  }
  Positions Committed() const { return cluster_.CommittedPositions("app"); }

  /// A state directory with one task, of the application's changelog unless told otherwise.
  std::filesystem::path MakeStateDirectory(const std::string& changelog = kChangelog) {
    const std::filesystem::path path = scratch_.path() / "state";
    auto directory = pipeline::StateDirectory::Open(path);
    EXPECT_TRUE(directory.ok());
    EXPECT_TRUE(directory->Set("instance-id", "i-1").ok());
    EXPECT_TRUE(directory->Set("cluster-id", "twin-cluster").ok());
    EXPECT_TRUE(directory->Set("topic-id:" + changelog, "some-id").ok());
    std::filesystem::create_directories(path / "tasks" / "1_0");
    std::filesystem::create_directories(path / "global" / "users");
    return path;
  }

  support::ScratchDirectory scratch_;
  support::FakeCluster cluster_;
  support::FakeClients clients_{cluster_};
  std::string brokers_;
  std::map<std::string, std::string> properties_;
};

TEST_F(ResetCommandTest, SaysWhatItDidALineAThing) {
  const Ran ran = Run({"--application-id", "app", "--to-latest", "--yes", "-X", "a=b=c"});
  EXPECT_EQ(ran.exit_code, kExitDone) << ran.err;
  EXPECT_EQ(ran.err, "");
  EXPECT_THAT(ran.out, StartsWith("deleted group app with its positions\n"
                                  "deleted topic app-inbox-changelog\n"
                                  "set events[0]: 2 -> 3\n"));
  EXPECT_THAT(ran.out, HasSubstr("set notifications[0]: none -> 3\n"));
  EXPECT_THAT(ran.out, HasSubstr("set inbox-actions[0]: none -> 3\n"));
  EXPECT_THAT(ran.out, HasSubstr("state directory is to be removed as well"));
  EXPECT_FALSE(ChangelogExists());
  EXPECT_EQ(Committed().size(), 3U);
  EXPECT_EQ(brokers_, "b:1");
  EXPECT_EQ(properties_, (std::map<std::string, std::string>{{"a", "b=c"}}));
}

TEST_F(ResetCommandTest, WithoutATargetThePositionsAreGone) {
  const Ran ran = Run({"--application-id", "app", "--yes"});
  EXPECT_EQ(ran.exit_code, kExitDone) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("set events[0]: 2 -> none\n"));
  EXPECT_TRUE(Committed().empty());
}

TEST_F(ResetCommandTest, ADryRunSaysWhatWouldBeDoneAndChangesNothing) {
  const auto state = MakeStateDirectory();
  const Ran ran = Run({"--application-id", "app", "--to-datetime", "1970-01-01T00:00:02Z",
                       "--dry-run", "--state-dir", state.string()});
  EXPECT_EQ(ran.exit_code, kExitDone) << ran.err;
  EXPECT_THAT(ran.out, StartsWith("would delete group app with its positions\n"
                                  "would delete topic app-inbox-changelog\n"
                                  "would set events[0]: 2 -> 1\n"));
  EXPECT_THAT(ran.out, HasSubstr("would delete the rows of 1 tasks in " + state.string()));
  EXPECT_TRUE(ChangelogExists());
  EXPECT_EQ(Committed(), (Positions{{{"events", Partition{0}}, {2}}}));
  EXPECT_TRUE(std::filesystem::exists(state / "tasks" / "1_0"));
}

TEST_F(ResetCommandTest, DeletesTheRowsOfAStateDirectoryAndNothingElseOfIt) {
  const auto state = MakeStateDirectory();
  const Ran ran = Run({"--application-id", "app", "--yes", "--state-dir", state.string()});
  EXPECT_EQ(ran.exit_code, kExitDone) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("deleted the rows of 1 tasks in " + state.string()));
  EXPECT_FALSE(std::filesystem::exists(state / "tasks" / "1_0"));
  EXPECT_TRUE(std::filesystem::exists(state / "global" / "users"));
  auto directory = pipeline::StateDirectory::Open(state);
  ASSERT_TRUE(directory.ok());
  EXPECT_EQ(directory->Get("instance-id"), "i-1");
  EXPECT_EQ(directory->Get("cluster-id"), "twin-cluster");
  EXPECT_TRUE(directory->Changelogs().empty());
}

TEST_F(ResetCommandTest, RefusesAStateDirectoryThatItMustNotTouch) {
  const auto state = MakeStateDirectory();
  const std::vector<std::string> arguments = {"--application-id", "app", "--yes", "--state-dir",
                                              state.string()};
  {
    auto running = pipeline::StateDirectory::Open(state);
    const Ran ran = Run(arguments);
    EXPECT_EQ(ran.exit_code, kExitRefused);
    EXPECT_THAT(ran.err, HasSubstr("in use by another process"));
    EXPECT_THAT(ran.err, HasSubstr(state.string()));
    ASSERT_TRUE(running->Set("cluster-id", "elsewhere").ok());
  }
  Ran ran = Run(arguments);
  EXPECT_EQ(ran.exit_code, kExitRefused);
  EXPECT_THAT(ran.err, HasSubstr("belongs to cluster elsewhere"));
  std::filesystem::remove_all(state);
  ran = Run(arguments);
  EXPECT_EQ(ran.exit_code, kExitRefused);
  EXPECT_THAT(ran.err, HasSubstr("no state directory of Herald"));
  EXPECT_FALSE(std::filesystem::exists(state));
  MakeStateDirectory("other-inbox-changelog");
  ran = Run(arguments);
  EXPECT_EQ(ran.exit_code, kExitRefused);
  EXPECT_THAT(ran.err, HasSubstr("other-inbox-changelog"));
  EXPECT_TRUE(std::filesystem::exists(state / "tasks" / "1_0"));
  EXPECT_TRUE(ChangelogExists());
}

TEST_F(ResetCommandTest, AsksOnATerminalAndTakesOnlyYes) {
  for (const char* answer : {"n\n", "yes please\n", "\x04"}) {
    const Ran ran = RunAndAnswer({"--application-id", "app"}, answer);
    EXPECT_EQ(ran.exit_code, kExitRefused) << answer;
    EXPECT_THAT(ran.out, HasSubstr("would delete topic app-inbox-changelog\n"));
    EXPECT_THAT(ran.out, HasSubstr("Go on? [y/N] "));
    EXPECT_THAT(ran.err, HasSubstr("Nothing was changed"));
    EXPECT_TRUE(ChangelogExists());
  }
  const Ran ran = RunAndAnswer({"--application-id", "app"}, "y\n");
  EXPECT_EQ(ran.exit_code, kExitDone) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("\ndeleted topic app-inbox-changelog\n"));
  EXPECT_FALSE(ChangelogExists());
}

TEST_F(ResetCommandTest, WantsYesWhereNobodyCanBeAsked) {
  const Ran ran = Run({"--application-id", "app"});
  EXPECT_EQ(ran.exit_code, kExitUsage);
  EXPECT_THAT(ran.err, HasSubstr("--yes"));
  EXPECT_TRUE(ChangelogExists());
}

TEST_F(ResetCommandTest, NamesTheFlagThatIsWrong) {
  const auto expect = [this](std::vector<std::string> arguments, const std::string& flag) {
    arguments.push_back("--yes");
    const Ran ran = Run(arguments);
    EXPECT_EQ(ran.exit_code, kExitUsage) << flag;
    EXPECT_THAT(ran.err, HasSubstr(flag));
    EXPECT_TRUE(ChangelogExists());
  };
  expect({}, "--application-id");
  expect({"--application-id", ""}, "--application-id");
  expect({"--application-id", "app", "--to-earliest", "--to-latest"}, "--to-latest");
  expect({"--application-id", "app", "--to-datetime", "yesterday"}, "--to-datetime");
  expect({"--application-id", "app", "--to-datetime", "-5"}, "--to-datetime");
  expect({"--application-id", "app", "--to-datetime", "2026-13-01T00:00:00Z"}, "--to-datetime");
  expect({"--application-id", "app", "-X", "novalue"}, "-X");
  expect({"--application-id", "app", "-X", "wrong=1"}, "\"wrong\"");
  expect({"--application-id", "app", "--broker-timeout-ms", "1"}, "--broker-timeout-ms");
}

TEST_F(ResetCommandTest, TakesMillisecondsAsATime) {
  const Ran ran = Run({"--application-id", "app", "--to-datetime", "2000", "--yes"});
  EXPECT_EQ(ran.exit_code, kExitDone) << ran.err;
  EXPECT_EQ(Committed().at({"events", Partition{0}}), base::Offset{1});
}

TEST_F(ResetCommandTest, SaysThatNoBrokerAnswers) {
  cluster_.SetReachable(false);
  const Ran ran = Run({"--application-id", "app", "--yes"});
  EXPECT_EQ(ran.exit_code, kExitUnreachable);
  EXPECT_THAT(ran.err, StartsWith("herald reset: "));
  EXPECT_THAT(ran.err, Not(HasSubstr("not complete")));
}

TEST_F(ResetCommandTest, ATopicPrefixThatIsWrongIsNamed) {
  const Ran ran = Run({"--application-id", "app", "--topic-prefix", "typo.", "--yes"});
  EXPECT_EQ(ran.exit_code, kExitRefused);
  EXPECT_THAT(ran.err, HasSubstr("typo."));
  EXPECT_THAT(ran.err, HasSubstr("--topic-prefix"));
}

TEST_F(ResetCommandTest, SaysHowToCompleteWhatBrokeOff) {
  clients_.FailNext("admin.delete_topics", base::Status::Unavailable("no broker"));
  Ran ran = Run({"--application-id", "app", "--yes"});
  EXPECT_EQ(ran.exit_code, kExitUnreachable);
  EXPECT_THAT(ran.out, HasSubstr("deleted group app"));
  EXPECT_THAT(ran.err, HasSubstr("run the same command again"));
  ran = Run({"--application-id", "app", "--yes"});
  EXPECT_EQ(ran.exit_code, kExitDone) << ran.err;
  EXPECT_FALSE(ChangelogExists());
}

}  // namespace
}  // namespace app
