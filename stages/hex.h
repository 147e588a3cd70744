#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace stages {

/// Appends two lower-case hexadecimal digits a byte.
void AppendHex(std::string& out, std::string_view bytes);

/// Fills `bytes`; false unless `hex` is exactly twice as many lower-case hexadecimal digits.
bool FromHex(std::string_view hex, std::span<uint8_t> bytes);

}  // namespace stages
