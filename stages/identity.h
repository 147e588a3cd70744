#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace stages {

/// What a notification is about, as 128 bits: two notifications with the same identity are the same
/// row of an inbox.
struct Identity {
  std::array<uint8_t, 16> bytes{};
  auto operator<=>(const Identity&) const = default;

  /// The bytes as a view, for keys. Valid as long as this object.
  std::string_view view() const {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
};

/// XXH3 (128 bits) over fields, each with its length before it, so that no two lists of fields have
/// the same bytes.
class FieldHash {
 public:
  void Add(std::string_view field);
  Identity Finish() const;

  /// Forgets the fields added since `mark` was taken, to hash another end after the same start.
  size_t Mark() const { return bytes_.size(); }
  void Rewind(size_t mark) { bytes_.resize(mark); }

 private:
  std::string bytes_;
};

}  // namespace stages
