#include "app/completion_script.h"

#include <gmock/gmock.h>

#include <array>
#include <cstdio>

#include "app/exit_code.h"
#include "tests/app/command_fixture.h"

namespace app {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class CompletionTest : public CommandTest {
 protected:
  /// What bash offers behind these words, the last of which is being typed.
  std::string Offered(const std::string& words) {
    const std::string script = File(Run({"completion", "bash"}).out + "COMP_WORDS=(" + words +
                                    ") COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n"
                                    "_herald\necho \"${COMPREPLY[*]}\"\n");
    FILE* const bash = popen(("bash '" + script + "'").c_str(), "r");
    std::string offered;
    std::array<char, 256> chunk;
    while (std::fgets(chunk.data(), chunk.size(), bash) != nullptr) offered += chunk.data();
    EXPECT_EQ(pclose(bash), 0);
    return offered;
  }
};

TEST_F(CompletionTest, BashOffersCommandsFlagsAndChoices) {
  EXPECT_EQ(Offered("herald us"), "users\n");
  EXPECT_EQ(Offered("herald users ''"), "load get put delete -h --help\n");
  EXPECT_EQ(Offered("herald users put 5 --n"), "--name\n");
  EXPECT_EQ(Offered("herald inbox 1 --status ''"), "unread read all\n");
  EXPECT_EQ(Offered("herald inbox 1 --status un"), "unread\n");
  EXPECT_EQ(Offered("herald mark 1 read"), "read read-all\n");
  EXPECT_EQ(Offered("herald completion z"), "zsh\n");
  // A file, or nothing that we know.
  EXPECT_EQ(Offered("herald inbox 1 --server l"), "\n");
}

TEST_F(CompletionTest, ZshHasTheSameWithDescriptions) {
  const Ran ran = Run({"completion", "zsh"});
  EXPECT_EQ(ran.exit_code, kExitDone);
  EXPECT_THAT(ran.out, AllOf(testing::StartsWith("#compdef herald\n"),
                             HasSubstr("'status:Show what an instance is doing'"),
                             HasSubstr("'herald inbox --status') compadd -- unread read all"),
                             HasSubstr("'users:Load, show, change or erase users")));
}

TEST_F(CompletionTest, KnowsTwoShells) {
  EXPECT_EQ(Run({"completion"}).exit_code, kExitUsage);
  EXPECT_EQ(Run({"completion", "fish"}).exit_code, kExitUsage);
}

}  // namespace
}  // namespace app
