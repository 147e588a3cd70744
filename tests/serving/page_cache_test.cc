#include "serving/page_cache.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace serving {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

std::string KeyOf(int user) { return PageCache::Key(1, std::to_string(user), 20); }

PageCache::Page PageOf(int user, size_t bytes = 8'000) {
  return {"stamp " + std::to_string(user), std::string(bytes, static_cast<char>('a' + user % 26))};
}

TEST(PageCache, FindsWhatWasPutLast) {
  PageCache cache(kMiB);
  EXPECT_EQ(cache.Find(KeyOf(1)), nullptr);
  cache.Put(KeyOf(1), PageOf(1));
  cache.Put(KeyOf(2), PageOf(2));
  cache.Put(KeyOf(1), PageOf(3));
  ASSERT_NE(cache.Find(KeyOf(1)), nullptr);
  EXPECT_EQ(cache.Find(KeyOf(1))->stamp, "stamp 3");
  EXPECT_EQ(cache.Find(KeyOf(1))->body, PageOf(3).body);
  EXPECT_EQ(cache.Find(KeyOf(2))->body, PageOf(2).body);
}

TEST(PageCache, TellsReadersUsersAndLimitsApart) {
  std::vector<std::string> keys;
  for (const uint64_t reader : {1u, 2u, 256u}) {
    for (const char* user : {"", "1", "11"}) {
      for (const int limit : {1, 20, 100}) keys.push_back(PageCache::Key(reader, user, limit));
    }
  }
  PageCache cache(kMiB);
  for (size_t i = 0; i < keys.size(); ++i) cache.Put(keys[i], {std::to_string(i), "body"});
  for (size_t i = 0; i < keys.size(); ++i) {
    ASSERT_NE(cache.Find(keys[i]), nullptr);
    EXPECT_EQ(cache.Find(keys[i])->stamp, std::to_string(i));
  }
}

TEST(PageCache, StaysWithinItsBytesAndForgetsWhatWasNotUsedForLongest) {
  PageCache cache(kMiB);
  for (int user = 0; user < 1000; ++user) {
    cache.Put(KeyOf(user), PageOf(user));
    ASSERT_NE(cache.Find(KeyOf(user)), nullptr) << user;
    ASSERT_NE(cache.Find(KeyOf(0)), nullptr) << "used again and again, at " << user;
    ASSERT_LE(cache.bytes(), kMiB);
  }
  EXPECT_EQ(cache.Find(KeyOf(1)), nullptr);
  EXPECT_GT(cache.bytes(), kMiB / 2);
}

TEST(PageCache, KeepsNoPageThatIsTooLarge) {
  PageCache cache(kMiB);
  cache.Put(KeyOf(1), PageOf(1));
  // And does not go on showing what it had.
  cache.Put(KeyOf(1), PageOf(1, PageCache::kPageBytesMax));
  EXPECT_EQ(cache.Find(KeyOf(1)), nullptr);
  EXPECT_EQ(cache.bytes(), 0u);
}

TEST(PageCache, KeepsNothingWithoutBytes) {
  PageCache cache(0);
  cache.Put(KeyOf(1), PageOf(1));
  EXPECT_EQ(cache.Find(KeyOf(1)), nullptr);
  EXPECT_EQ(cache.bytes(), 0u);
}

TEST(PageCache, TellsHowMuchItHasTaken) {
  size_t told = 0;
  PageCache cache(4 * kMiB, [&](size_t bytes) { told = bytes; });
  for (int user = 0; user < 1000; ++user) {
    cache.Put(KeyOf(user), PageOf(user));
    ASSERT_GE(told, cache.bytes());
    ASSERT_LT(told, cache.bytes() + PageCache::kStepBytes);
  }
  EXPECT_EQ(told, 4 * kMiB);
}

TEST(PageCache, ManyThreadsFindOnlyWhatWasPut) {
  PageCache cache(kMiB);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&cache, thread] {
      for (int i = 0; i < 2000; ++i) {
        const int user = (i * 7 + thread) % 200;
        if (const auto page = cache.Find(KeyOf(user))) {
          EXPECT_EQ(page->stamp, "stamp " + std::to_string(user));
        } else {
          cache.Put(KeyOf(user), PageOf(user));
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(cache.bytes(), kMiB);
}

}  // namespace
}  // namespace serving
