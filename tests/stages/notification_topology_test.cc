#include "stages/notification_topology.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/metrics.h"

namespace stages {
namespace {

TEST(NotificationTopology, ShowsTheWholeProduct) {
  const pipeline::Topology topology =
      BuildNotificationTopology(Topics::WithPrefix("test."), InboxLimits{});
  EXPECT_EQ(topology.ToString(),
            "sub-topology 0\n"
            "  source decode-event (topic test.events)\n"
            "    stage enrich-actor [global:test.users]\n"
            "      stage route-to-recipients\n"
            "        sink notifications (topic test.notifications)\n"
            "sub-topology 1\n"
            "  source decode-notification (topic test.notifications)\n"
            "    stage write-inbox [inbox] [inbox-unread]\n"
            "  source decode-action (topic test.inbox-actions)\n"
            "    stage apply-action [inbox] [inbox-unread]\n");
}

TEST(NotificationTopology, OnlyTheInboxHasAChangelogAndItIsRepaired) {
  const pipeline::Topology topology = BuildNotificationTopology({}, InboxLimits{});
  ASSERT_EQ(topology.stores().size(), 2u);
  EXPECT_EQ(topology.stores()[0].name, "inbox");
  EXPECT_TRUE(topology.stores()[0].options.changelog);
  EXPECT_TRUE(topology.stores()[0].options.repair.repair);
  EXPECT_EQ(topology.stores()[1].name, "inbox-unread");
  EXPECT_FALSE(topology.stores()[1].options.changelog);
}

TEST(NotificationTopology, TheReasonsOfItsRefusalsAreCountedFromZero) {
  base::Metrics metrics;
  CountIn(metrics);
  const std::string text = metrics.Serialize();
  for (const char* reason : {"not-json", "invalid-utf8", "null-value", "wrong-shape",
                             "missing-field", "unknown-type", "limit", "time-ahead"}) {
    EXPECT_THAT(text, testing::HasSubstr("herald_dead_letters_total{reason=\"" +
                                         std::string(reason) + "\"} 0\n"));
  }
}

}  // namespace
}  // namespace stages
