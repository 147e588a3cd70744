#include "pipeline/store_registry.h"

#include <gtest/gtest.h>

namespace pipeline {
namespace {

TEST(StoreRegistry, TellsRestoringFromNotHere) {
  StoreRegistry registry;
  EXPECT_EQ(registry.Find("inbox", base::Partition{0}).where, StoreLookup::Where::kNotHere);
  registry.PublishRestoring("inbox", base::Partition{0});
  EXPECT_EQ(registry.Find("inbox", base::Partition{0}).where, StoreLookup::Where::kRestoring);
  EXPECT_EQ(registry.Find("inbox", base::Partition{1}).where, StoreLookup::Where::kNotHere);
  registry.Unpublish("inbox", base::Partition{0});
  EXPECT_EQ(registry.Find("inbox", base::Partition{0}).where, StoreLookup::Where::kNotHere);
}

TEST(StoreRegistry, KeepsWhatAnotherThreadHasTakenOver) {
  StoreRegistry registry;
  const base::Partition partition{3};
  registry.PublishRestoring("inbox", partition, /*slot=*/0);
  registry.PublishRestoring("inbox", partition, /*slot=*/1);
  registry.Unpublish("inbox", partition, /*slot=*/0);
  EXPECT_EQ(registry.Find("inbox", partition).where, StoreLookup::Where::kRestoring);
  registry.Unpublish("inbox", partition, /*slot=*/1);
  EXPECT_EQ(registry.Find("inbox", partition).where, StoreLookup::Where::kNotHere);
}

}  // namespace
}  // namespace pipeline
