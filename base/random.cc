#include "base/random.h"

#include <array>
#include <random>

namespace base {

uint64_t RandomBits() {
  thread_local std::mt19937_64 generator = [] {
    std::random_device device;
    std::array<std::random_device::result_type, 16> seeds{};
    for (auto& seed : seeds) seed = device();
    std::seed_seq sequence(seeds.begin(), seeds.end());
    return std::mt19937_64(sequence);
  }();
  return generator();
}

}  // namespace base
