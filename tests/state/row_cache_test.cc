#include "state/row_cache.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

namespace state {
namespace {

std::string Found(RowCache& cache, std::string_view key) {
  const std::string* value = cache.Find(key);
  return value == nullptr ? "(none)" : *value;
}

TEST(RowCache, FindsWhatWasAddedUntilItIsErased) {
  RowCache cache(1000);
  EXPECT_TRUE(cache.empty());
  cache.Add("a", "1");
  cache.Add("a", "22");
  cache.Add("", "empty key");
  EXPECT_EQ(Found(cache, "a"), "22");
  EXPECT_EQ(Found(cache, ""), "empty key");
  EXPECT_EQ(Found(cache, "b"), "(none)");
  cache.Erase("a");
  cache.Erase("b");
  EXPECT_EQ(Found(cache, "a"), "(none)");
  cache.Clear();
  EXPECT_TRUE(cache.empty());
  EXPECT_EQ(cache.bytes(), 0u);
}

TEST(RowCache, UpdatesOnlyWhatItHolds) {
  RowCache cache(1000);
  cache.Add("a", "1");
  cache.Update("a", "longer");
  cache.Update("b", "2");
  EXPECT_EQ(Found(cache, "a"), "longer");
  EXPECT_EQ(Found(cache, "b"), "(none)");
  cache.Update("a", "s");
  EXPECT_EQ(Found(cache, "a"), "s");
  EXPECT_EQ(cache.bytes(), 2u);
}

TEST(RowCache, KeepsRowsThatAreUsedAndForgetsOthers) {
  RowCache cache(200);
  cache.Add("used", "u");
  cache.Add("unused", "x");
  for (int i = 0; i < 1000; ++i) {
    cache.Add("filler " + std::to_string(i), "1234567890");
    ASSERT_EQ(Found(cache, "used"), "u") << "after " << i;
  }
  EXPECT_EQ(Found(cache, "unused"), "(none)");
}

TEST(RowCache, RefusesARowThatIsTooLarge) {
  RowCache cache(100);
  cache.Add("a", std::string(60, 'x'));
  EXPECT_EQ(Found(cache, "a"), "(none)");
  cache.Add("a", "small");
  cache.Update("a", std::string(60, 'x'));
  EXPECT_EQ(Found(cache, "a"), "(none)") << "not the old value";
}

TEST(RowCache, NeverGivesAnOldValueAndStaysWithinItsBytes) {
  constexpr size_t kBytesMax = 300;
  RowCache cache(kBytesMax);
  std::map<std::string, std::string> newest;
  std::mt19937_64 random(3);
  for (int step = 0; step < 50'000; ++step) {
    const std::string key = std::to_string(random() % 30);
    const std::string value(random() % 20, static_cast<char>('a' + random() % 26));
    switch (random() % 4) {
      case 0:
        cache.Add(key, value);
        newest[key] = value;
        break;
      case 1:
        cache.Update(key, value);
        newest[key] = value;
        break;
      case 2:
        if (random() % 5 == 0) {
          cache.Erase(key);
          newest.erase(key);
        }
        break;
      default:
        if (const std::string* found = cache.Find(key)) {
          ASSERT_TRUE(newest.contains(key)) << "step " << step;
          ASSERT_EQ(*found, newest[key]) << "step " << step;
        }
    }
    ASSERT_LE(cache.bytes(), kBytesMax);
  }
}

}  // namespace
}  // namespace state
