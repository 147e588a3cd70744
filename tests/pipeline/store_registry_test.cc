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

}  // namespace
}  // namespace pipeline
