#include "stages/identity.h"

#include <xxhash.h>

#include <algorithm>

namespace stages {
namespace {

void AppendLittleEndian(std::string& out, uint32_t number) {
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>((number >> shift) & 0xff);
}

}  // namespace

void FieldHash::Add(std::string_view field) {
  AppendLittleEndian(bytes_, static_cast<uint32_t>(field.size()));
  bytes_ += field;
}

Identity FieldHash::Finish() const {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes_.data(), bytes_.size()));
  Identity identity;
  std::copy(std::begin(canonical.digest), std::end(canonical.digest), identity.bytes.begin());
  return identity;
}

}  // namespace stages
