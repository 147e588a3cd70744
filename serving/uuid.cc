#include "serving/uuid.h"

#include <string_view>

#include "base/random.h"

namespace serving {

std::string MakeUuidV7(int64_t now_ms) {
  const uint64_t random = base::RandomBits();
  // 48 bits of time, version 7, 12 random bits; variant 0b10, 62 random bits.
  const uint64_t high =
      (static_cast<uint64_t>(now_ms) << 16) | (uint64_t{7} << 12) | (random & 0xfff);
  const uint64_t low = (uint64_t{2} << 62) | (base::RandomBits() >> 2);
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(36);
  for (int i = 0; i < 32; ++i) {
    if (i == 8 || i == 12 || i == 16 || i == 20) text += '-';
    const uint64_t half = i < 16 ? high : low;
    text += kDigits[(half >> (60 - 4 * (i % 16))) & 0xf];
  }
  return text;
}

}  // namespace serving
