#include "state/pending_writes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

namespace state {
namespace {

using Model = std::map<std::string, std::optional<std::string>>;

Model AllOf(const PendingWrites& pending) {
  Model all;
  std::string last;
  for (const auto& [begin, entry] : pending.Sorted()) {
    EXPECT_TRUE(all.empty() || last < entry->key) << "in order";
    last = entry->key;
    all.emplace(entry->key, entry->value);
  }
  return all;
}

std::vector<std::string> KeysIn(const PendingWrites& pending, std::string_view begin,
                                std::string_view end, bool reverse) {
  std::vector<std::string> keys;
  for (const auto cursor = pending.Range(begin, end, reverse); cursor->Valid(); cursor->Advance()) {
    keys.emplace_back(cursor->entry().key);
  }
  return keys;
}

size_t BytesIn(const Model& model) {
  size_t bytes = 0;
  for (const auto& [key, value] : model) bytes += key.size() + (value ? value->size() : 0);
  return bytes;
}

/// Long common beginnings and zero bytes, so that the first eight bytes often decide nothing.
std::string RandomKey(std::mt19937_64& random) {
  std::string key(random() % 2 == 0 ? "a common " : "");
  for (size_t i = random() % 4; i > 0; --i) key.push_back("\0\x01\x7f\xff"[random() % 4]);
  if (random() % 2 == 0) key += std::to_string(random() % 500);
  return key;
}

TEST(PendingWrites, AgreesWithAnOrderedMapUnderWritesScansAndRollbacks) {
  std::mt19937_64 random(11);
  PendingWrites pending;
  Model model;
  Model at_begin;
  for (int step = 0; step < 30'000; ++step) {
    const std::string key = RandomKey(random);
    if (random() % 4 == 0) {
      pending.Write(key, std::nullopt);
      model[key] = std::nullopt;
    } else {
      const std::string value(random() % 40, 'v');
      pending.Write(key, value);
      model[key] = value;
    }
    switch (random() % 200) {
      case 0:
        ASSERT_EQ(AllOf(pending), model);
        break;
      case 1:
      case 2:
        pending.RollbackRecord();
        model = at_begin;
        ASSERT_EQ(AllOf(pending), model) << "step " << step;
        break;
      case 3:
        if (random() % 5 == 0) {
          pending.Clear();
          model.clear();
          at_begin.clear();
        }
        break;
      default:
        break;
    }
    if (random() % 10 == 0) {
      pending.BeginRecord();
      at_begin = model;
    }
    if (random() % 5 == 0) {
      const std::string begin = RandomKey(random);
      const std::string end = RandomKey(random);
      std::vector<std::string> expected;
      for (const auto& [each, value] : model) {
        if (each >= begin && (end.empty() || each < end)) expected.push_back(each);
      }
      ASSERT_EQ(KeysIn(pending, begin, end, false), expected) << "step " << step;
      std::reverse(expected.begin(), expected.end());
      ASSERT_EQ(KeysIn(pending, begin, end, true), expected) << "step " << step;
    }
    ASSERT_EQ(pending.bytes(), BytesIn(model)) << "step " << step;
    ASSERT_EQ(pending.empty(), model.empty());
    const std::string probe = RandomKey(random);
    const PendingWrites::Entry* found = pending.Find(probe);
    ASSERT_EQ(found != nullptr, model.contains(probe));
    if (found != nullptr) {
      ASSERT_EQ(found->value, model[probe]);
    }
  }
}

TEST(PendingWrites, KeepsManyKeysApartInItsBlocks) {
  PendingWrites pending;
  Model model;
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 100; ++i) {
      const std::string key = std::to_string(i) + std::string(4000, 'k');
      pending.Write(key, std::to_string(i + round));
      model[key] = std::to_string(i + round);
    }
    ASSERT_EQ(AllOf(pending), model);
    pending.Clear();
    model.clear();
    ASSERT_TRUE(AllOf(pending).empty());
  }
}

}  // namespace
}  // namespace state
