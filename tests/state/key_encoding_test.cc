#include "state/key_encoding.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace state {
namespace {

constexpr uint64_t kSeed = 20261121;
constexpr int kRounds = 20000;

/// Few different bytes, the special ones among them, so that prefixes and ties are common.
std::string RandomText(std::mt19937_64& random) {
  static constexpr std::string_view kBytes("\x00\x01\x02\x41\x7f\x80\xfe\xff", 8);
  std::string text(random() % 6, '\0');
  for (char& c : text) c = kBytes[random() % kBytes.size()];
  return text;
}

int64_t RandomNumber(std::mt19937_64& random) {
  switch (random() % 4) {
    case 0:
      return static_cast<int64_t>(random() % 5) - 2;
    case 1:
      return std::numeric_limits<int64_t>::min() + static_cast<int64_t>(random() % 2);
    case 2:
      return std::numeric_limits<int64_t>::max() - static_cast<int64_t>(random() % 2);
    default:
      return static_cast<int64_t>(random());
  }
}

int Sign(int order) { return (order > 0) - (order < 0); }

template <typename T>
int Order(const T& a, const T& b) {
  return (b < a) - (a < b);
}

template <typename T>
std::string Encode(void (*append)(std::string&, T), T number) {
  std::string key;
  append(key, number);
  return key;
}

TEST(KeyEncoding, KeepsTheOrderOfStringsAndNumbersTogether) {
  std::mt19937_64 random(kSeed);
  for (int round = 0; round < kRounds; ++round) {
    const std::pair a(RandomText(random), RandomNumber(random));
    const std::pair b(RandomText(random), RandomNumber(random));
    std::string key_a;
    std::string key_b;
    AppendString(key_a, a.first);
    AppendInt64(key_a, a.second);
    AppendString(key_b, b.first);
    AppendInt64(key_b, b.second);
    ASSERT_EQ(Sign(key_a.compare(key_b)), Order(a, b)) << "round " << round;
  }
}

TEST(KeyEncoding, LetsNoEncodedStringBeAPrefixOfAnother) {
  std::mt19937_64 random(kSeed);
  for (int round = 0; round < kRounds; ++round) {
    const std::string a = RandomText(random);
    const std::string b = RandomText(random);
    std::string key_a;
    std::string key_b;
    AppendString(key_a, a);
    AppendString(key_b, b);
    ASSERT_EQ(key_b.starts_with(key_a), a == b) << "round " << round;
  }
}

TEST(KeyEncoding, KeepsTheOrderOfNumbersOfEachKind) {
  std::mt19937_64 random(kSeed);
  for (int round = 0; round < kRounds; ++round) {
    const int64_t a = RandomNumber(random);
    const int64_t b = RandomNumber(random);
    const auto ua = static_cast<uint64_t>(a);
    const auto ub = static_cast<uint64_t>(b);
    ASSERT_EQ(Order(Encode(AppendInt64, a), Encode(AppendInt64, b)), Order(a, b));
    ASSERT_EQ(Order(Encode(AppendInt64Descending, a), Encode(AppendInt64Descending, b)),
              Order(b, a));
    ASSERT_EQ(Order(Encode(AppendUint64, ua), Encode(AppendUint64, ub)), Order(ua, ub));
    ASSERT_EQ(Order(Encode(AppendUint64Descending, ua), Encode(AppendUint64Descending, ub)),
              Order(ub, ua));
  }
}

TEST(KeyEncoding, ReadsBackWhatItWrote) {
  std::mt19937_64 random(kSeed);
  for (int round = 0; round < kRounds; ++round) {
    const std::string text = RandomText(random);
    const int64_t number = RandomNumber(random);
    std::string key;
    AppendInt64(key, number);
    AppendString(key, text);
    AppendInt64Descending(key, number);
    AppendUint64(key, static_cast<uint64_t>(number));
    AppendString(key, text);
    AppendUint64Descending(key, static_cast<uint64_t>(number));

    std::string_view rest = key;
    std::string first_text = "left over";
    std::string second_text;
    int64_t ascending = 0;
    int64_t descending = 0;
    uint64_t unsigned_ascending = 0;
    uint64_t unsigned_descending = 0;
    ASSERT_TRUE(TakeInt64(rest, ascending) && TakeString(rest, first_text) &&
                TakeInt64Descending(rest, descending) && TakeUint64(rest, unsigned_ascending) &&
                TakeString(rest, second_text) && TakeUint64Descending(rest, unsigned_descending));
    ASSERT_TRUE(rest.empty());
    ASSERT_EQ(ascending, number);
    ASSERT_EQ(descending, number);
    ASSERT_EQ(unsigned_ascending, static_cast<uint64_t>(number));
    ASSERT_EQ(unsigned_descending, static_cast<uint64_t>(number));
    ASSERT_EQ(first_text, text);
    ASSERT_EQ(second_text, text);
  }
}

TEST(KeyEncoding, WritesTheBytesThatAreOnDisk) {
  std::string key;
  AppendString(key, std::string_view("a\0b", 3));
  AppendUint64(key, 0x0102030405060708);
  AppendInt64(key, -1);
  AppendInt64Descending(key, -1);
  EXPECT_EQ(key, std::string("a\0\xff"
                             "b\0\x01"
                             "\x01\x02\x03\x04\x05\x06\x07\x08"
                             "\x7f\xff\xff\xff\xff\xff\xff\xff"
                             "\x80\0\0\0\0\0\0\0",
                             30));
}

TEST(KeyEncoding, RefusesAMalformedString) {
  const std::vector<std::string> malformed = {
      "",                           // no end
      "abc",                        // no end
      std::string("abc\0", 4),      // cut within the end mark
      std::string("abc\0\xff", 5),  // an escaped zero, then nothing
      std::string("abc\0\x02", 5),  // no such escape
  };
  for (const std::string& key : malformed) {
    std::string_view rest = key;
    std::string text;
    EXPECT_FALSE(TakeString(rest, text)) << testing::PrintToString(key);
    EXPECT_EQ(rest, key) << "a failed read takes nothing";
  }
}

TEST(KeyEncoding, RefusesANumberThatIsCutShort) {
  std::string_view key = "1234567";
  int64_t number = 0;
  uint64_t unsigned_number = 0;
  EXPECT_FALSE(TakeInt64(key, number));
  EXPECT_FALSE(TakeInt64Descending(key, number));
  EXPECT_FALSE(TakeUint64(key, unsigned_number));
  EXPECT_FALSE(TakeUint64Descending(key, unsigned_number));
  EXPECT_EQ(key, "1234567");
}

TEST(PrefixEnd, IsAboveEveryKeyWithThePrefixAndBelowTheRest) {
  std::mt19937_64 random(kSeed);
  for (int round = 0; round < kRounds; ++round) {
    const std::string prefix = RandomText(random);
    const std::string key = RandomText(random);
    const std::string end = PrefixEnd(prefix);
    const bool in_range = prefix <= key && (end.empty() || key < end);
    ASSERT_EQ(in_range, key.starts_with(prefix)) << "round " << round;
  }
}

TEST(PrefixEnd, IsEmptyWhenNothingCanBeAbove) {
  EXPECT_EQ(PrefixEnd(""), "");
  EXPECT_EQ(PrefixEnd("\xff\xff"), "");
  EXPECT_EQ(PrefixEnd("a\xff"), "b");
}

}  // namespace
}  // namespace state
