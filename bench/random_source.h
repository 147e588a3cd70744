#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace bench {

/// A seeded stream of random numbers, the same on every machine and compiler: the standard
/// library's engines are, its distributions are not. xoshiro256** seeded by splitmix64.
class RandomSource {
 public:
  explicit RandomSource(uint64_t seed) {
    for (uint64_t& word : state_) {
      seed += 0x9e3779b97f4a7c15ULL;
      uint64_t z = seed;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
      z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
      word = z ^ (z >> 31);
    }
  }

  uint64_t Next() {
    const uint64_t result = RotateLeft(state_[1] * 5, 7) * 9;
    const uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = RotateLeft(state_[3], 45);
    return result;
  }

  /// 0 … bound − 1. REQUIRES: bound > 0. The bias of the modulo does not matter here.
  uint64_t Below(uint64_t bound) { return Next() % bound; }

  /// low … high, both included. REQUIRES: low <= high.
  int64_t Between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(Below(static_cast<uint64_t>(high - low) + 1));
  }

  /// 0 <= result < 1.
  double Unit() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }

  /// True in `percent` of 100 calls.
  bool Percent(double percent) { return Unit() * 100.0 < percent; }

  template <typename T>
  void Shuffle(std::vector<T>& items) {
    for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[Below(i)]);
  }

 private:
  static uint64_t RotateLeft(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }

  std::array<uint64_t, 4> state_;
};

/// Ranks 0 … count − 1, rank r with a weight of 1 / (r + 1)^exponent: few get much, many get
/// little.
class ZipfRanks {
 public:
  ZipfRanks(size_t count, double exponent) : cumulative_(count) {
    double sum = 0;
    for (size_t rank = 0; rank < count; ++rank) {
      sum += 1.0 / std::pow(static_cast<double>(rank + 1), exponent);
      cumulative_[rank] = sum;
    }
  }

  size_t Draw(RandomSource& random) const {
    const double point = random.Unit() * cumulative_.back();
    const auto found = std::upper_bound(cumulative_.begin(), cumulative_.end(), point);
    return std::min(static_cast<size_t>(found - cumulative_.begin()), cumulative_.size() - 1);
  }

 private:
  std::vector<double> cumulative_;
};

}  // namespace bench
