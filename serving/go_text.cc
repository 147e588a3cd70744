#include "serving/go_text.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

namespace serving {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";
constexpr std::string_view kLowerHex = "0123456789abcdef";
constexpr std::string_view kUpperHex = "0123456789ABCDEF";

/// One character of a text.
struct Rune {
  char32_t code = 0;
  /// Its bytes; 1 when they are not UTF-8.
  size_t size = 1;
  bool valid = false;
};

/// unicode/utf8.DecodeRune. REQUIRES: `text` is not empty.
Rune FirstRune(std::string_view text) {
  const auto byte = [&text](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) return {first, 1, true};
  if (first < 0xc2 || first > 0xf4) return {};
  const size_t size = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (text.size() < size) return {};
  char32_t code = first & (0xffU >> (size + 1));
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0U) != 0x80) return {};
    code = (code << 6) | (byte(i) & 0x3fU);
  }
  // Longer than need be, half of a surrogate pair, beyond Unicode.
  constexpr std::array<char32_t, 5> kLeast{0, 0, 0x80, 0x800, 0x10000};
  if (code < kLeast[size] || (code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff) return {};
  return {code, size, true};
}

/// strconv.IsPrint but for what is not assigned: no control or format character, no space but
/// U+0020, no private use.
bool IsPrintable(char32_t code) {
  static constexpr std::array<std::pair<char32_t, char32_t>, 28> kNotPrintable{{
      {0x00, 0x1f},       {0x7f, 0xa0},       {0xad, 0xad},        {0x600, 0x605},
      {0x61c, 0x61c},     {0x6dd, 0x6dd},     {0x70f, 0x70f},      {0x890, 0x891},
      {0x8e2, 0x8e2},     {0x1680, 0x1680},   {0x180e, 0x180e},    {0x2000, 0x200f},
      {0x2028, 0x202f},   {0x205f, 0x206f},   {0x3000, 0x3000},    {0xd800, 0xf8ff},
      {0xfdd0, 0xfdef},   {0xfeff, 0xfeff},   {0xfff0, 0xfffb},    {0xfffe, 0xffff},
      {0x110bd, 0x110bd}, {0x110cd, 0x110cd}, {0x13430, 0x1343f},  {0x1bca0, 0x1bca3},
      {0x1d173, 0x1d17a}, {0xe0000, 0xe00ff}, {0xe01f0, 0x10ffff}, {0x1fffe, 0x1ffff},
  }};
  return std::none_of(kNotPrintable.begin(), kNotPrintable.end(), [code](const auto& range) {
    return code >= range.first && code <= range.second;
  });
}

void AppendHex(std::string& out, char32_t code, int digits) {
  for (int i = digits - 1; i >= 0; --i) out += kLowerHex[(code >> (4 * i)) & 15U];
}

/// The letter behind the backslash for what both Go's quotes and its JSON write so; else '\0'.
char ShortEscape(char32_t code) {
  switch (code) {
    case '\b':
      return 'b';
    case '\f':
      return 'f';
    case '\n':
      return 'n';
    case '\r':
      return 'r';
    case '\t':
      return 't';
    case '"':
    case '\\':
      return static_cast<char>(code);
    default:
      return '\0';
  }
}

void AppendQuoted(std::string& out, const Rune& rune, std::string_view bytes) {
  if (!rune.valid) {
    out += "\\x";
    return AppendHex(out, static_cast<uint8_t>(bytes[0]), 2);
  }
  if (const char letter = ShortEscape(rune.code); letter != '\0') {
    (out += '\\') += letter;
  } else if (IsPrintable(rune.code)) {
    out += bytes;
  } else if (rune.code == '\a' || rune.code == '\v') {
    out += rune.code == '\a' ? "\\a" : "\\v";
  } else if (rune.code < ' ' || rune.code == 0x7f) {
    out += "\\x";
    AppendHex(out, rune.code, 2);
  } else if (rune.code < 0x10000) {
    out += "\\u";
    AppendHex(out, rune.code, 4);
  } else {
    out += "\\U";
    AppendHex(out, rune.code, 8);
  }
}

std::string AtoiError(std::string_view text, std::string_view what) {
  std::string error = "strconv.Atoi: parsing ";
  error += GoQuote(text);
  error += ": ";
  error += what;
  return error;
}

bool IsPathCharacter(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view("-_.~$&+,/:;=@").find(c) != std::string_view::npos;
}

}  // namespace

std::variant<int64_t, std::string> GoAtoi(std::string_view text) {
  constexpr std::string_view kSyntax = "invalid syntax";
  constexpr std::string_view kRange = "value out of range";
  constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
  constexpr uint64_t kNegativeMax = uint64_t{1} << 63;
  std::string_view digits = text;
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) digits.remove_prefix(1);
  if (digits.empty()) return AtoiError(text, kSyntax);
  uint64_t number = 0;
  for (const char c : digits) {
    // From left to right, so that of two faults the one is named that Go names.
    if (c < '0' || c > '9') return AtoiError(text, kSyntax);
    const auto digit = static_cast<uint64_t>(c - '0');
    if (number > (kMax - digit) / 10) return AtoiError(text, kRange);
    number = number * 10 + digit;
  }
  if (number > (negative ? kNegativeMax : kNegativeMax - 1)) return AtoiError(text, kRange);
  return static_cast<int64_t>(negative ? 0 - number : number);
}

std::string GoQuote(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const Rune rune = FirstRune(text);
    AppendQuoted(out, rune, text.substr(0, rune.size));
    text.remove_prefix(rune.size);
  }
  return out += '"';
}

void AppendGoJsonString(std::string& out, std::string_view text) {
  out += '"';
  size_t plain = 0;  // start of what was not appended yet
  for (size_t i = 0; i < text.size();) {
    const auto byte = static_cast<uint8_t>(text[i]);
    if (byte >= 0x20 && byte < 0x80 &&
        std::string_view("\"\\<>&").find(text[i]) == std::string_view::npos) {
      ++i;
      continue;
    }
    const Rune rune = FirstRune(text.substr(i));
    const bool line_separator = rune.code == 0x2028 || rune.code == 0x2029;
    if (rune.valid && rune.code >= 0x80 && !line_separator) {
      i += rune.size;
      continue;
    }
    out += text.substr(plain, i - plain);
    if (!rune.valid) {
      out += "\\ufffd";
    } else if (const char letter = ShortEscape(rune.code); letter != '\0') {
      (out += '\\') += letter;
    } else {
      out += "\\u";
      AppendHex(out, rune.code, 4);
    }
    i += rune.size;
    plain = i;
  }
  out += text.substr(plain);
  out += '"';
}

std::string ReplaceInvalidUtf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Rune rune = FirstRune(text);
    out += rune.valid ? text.substr(0, rune.size) : kReplacement;
    text.remove_prefix(rune.size);
  }
  return out;
}

std::string GoEscapePath(std::string_view path) {
  std::string out;
  for (const char c : path) {
    if (IsPathCharacter(c)) {
      out += c;
      continue;
    }
    const auto byte = static_cast<uint8_t>(c);
    out += '%';
    out += kUpperHex[byte >> 4];
    out += kUpperHex[byte & 15];
  }
  return out;
}

std::string GoEscapeHtml(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&#34;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace serving
