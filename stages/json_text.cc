#include "stages/json_text.h"

#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>

namespace stages {
namespace {

constexpr std::array<bool, 256> kNeedsEscape = [] {
  std::array<bool, 256> table{};
  for (size_t c = 0; c < 0x20; ++c) table[c] = true;
  table['"'] = true;
  table['\\'] = true;
  return table;
}();

/// True when one of these eight characters may need an escape: false alarms are possible, misses
/// are not. A byte b is below n (n <= 0x80) only if b - n borrows while b has no high bit.
bool MayNeedEscape(uint64_t eight) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  constexpr uint64_t kHighs = 0x80 * kOnes;
  const uint64_t quote = eight ^ ('"' * kOnes);
  const uint64_t backslash = eight ^ ('\\' * kOnes);
  return (((eight - 0x20 * kOnes) & ~eight) | ((quote - kOnes) & ~quote) |
          ((backslash - kOnes) & ~backslash)) &
         kHighs;
}

/// How many characters from `from` on surely need no escape; less than eight are left to the
/// caller.
size_t SkipPlain(std::string_view text, size_t from) {
  uint64_t eight = 0;
  size_t at = from;
  for (; text.size() - at >= sizeof(eight); at += sizeof(eight)) {
    std::memcpy(&eight, text.data() + at, sizeof(eight));
    if (MayNeedEscape(eight)) break;
  }
  return at - from;
}

void AppendEscaped(std::string& out, char c) {
  constexpr std::string_view kHex = "0123456789abcdef";
  switch (c) {
    case '"':
    case '\\':
      out += '\\';
      out += c;
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      out += "\\u00";
      out += kHex[static_cast<uint8_t>(c) >> 4];
      out += kHex[static_cast<uint8_t>(c) & 15];
  }
}

}  // namespace

size_t PlainLength(std::string_view text) {
  size_t at = SkipPlain(text, 0);
  while (at < text.size() && !kNeedsEscape[static_cast<uint8_t>(text[at])]) ++at;
  return at;
}

void AppendJsonString(std::string& out, std::string_view text) {
  out += '"';
  size_t plain = 0;  // start of what was not appended yet
  for (size_t i = SkipPlain(text, 0); i < text.size(); ++i) {
    if (!kNeedsEscape[static_cast<uint8_t>(text[i])]) continue;
    out += text.substr(plain, i - plain);
    AppendEscaped(out, text[i]);
    plain = i + 1;
    i += SkipPlain(text, plain);
  }
  out += text.substr(plain);
  out += '"';
}

void AppendJsonString(std::string& out, const std::optional<std::string>& text) {
  if (text) {
    AppendJsonString(out, std::string_view(*text));
  } else {
    out += "null";
  }
}

void AppendDecimal(std::string& out, int64_t number) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out.append(digits, static_cast<size_t>(end - digits));
}

}  // namespace stages
