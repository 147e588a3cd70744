#include "app/topology_dot.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "app/exit_code.h"
#include "stages/notification_topology.h"
#include "tests/app/command_fixture.h"

namespace app {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

class TopologyCommandTest : public CommandTest {};

TEST_F(TopologyCommandTest, ShowsTheProductWithoutAServer) {
  const Ran ran = Run({"topology"});
  EXPECT_EQ(ran.exit_code, kExitDone);
  EXPECT_EQ(ran.out,
            stages::BuildNotificationTopology(stages::Topics(), stages::InboxLimits()).ToString());
  EXPECT_THAT(server.requests(), IsEmpty());
}

TEST_F(TopologyCommandTest, DrawsTopicsStagesAndStores) {
  const Ran ran = Run({"topology", "--dot"});
  EXPECT_EQ(ran.exit_code, kExitDone);
  EXPECT_THAT(
      ran.out,
      AllOf(StartsWith("digraph herald {\n"), HasSubstr("\"topic events\" -> \"decode-event\";\n"),
            HasSubstr("\"decode-event\" -> \"enrich-actor\";\n"),
            HasSubstr("\"route-to-recipients\" -> \"topic notifications\";\n"),
            HasSubstr("\"topic notifications\" -> \"decode-notification\";\n"),
            HasSubstr("\"table users\" -> \"enrich-actor\" [style=dashed];\n"),
            HasSubstr("\"write-inbox\" -> \"store inbox\" [style=dashed, dir=both];\n"),
            HasSubstr("subgraph cluster_1")));
  EXPECT_EQ(std::count(ran.out.begin(), ran.out.end(), '{'),
            std::count(ran.out.begin(), ran.out.end(), '}'));
}

TEST(TopologyDot, QuotesNames) {
  stages::Topics topics;
  topics.events = "a\"b\\c";
  EXPECT_THAT(ToDot(stages::BuildNotificationTopology(topics, stages::InboxLimits())),
              HasSubstr("\"topic a\\\"b\\\\c\""));
}

}  // namespace
}  // namespace app
