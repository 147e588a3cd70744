#include "app/console.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>

namespace app {
namespace {

/// One character of UTF-8 at the beginning of a text.
struct Character {
  uint32_t code = 0;
  size_t size = 1;
  bool valid = false;
};

Character FirstCharacter(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return {lead, 1, true};
  size_t size = 0;
  uint32_t least = 0;
  uint32_t code = 0;
  if ((lead & 0xe0) == 0xc0) {
    size = 2, least = 0x80, code = lead & 0x1fu;
  } else if ((lead & 0xf0) == 0xe0) {
    size = 3, least = 0x800, code = lead & 0x0fu;
  } else if ((lead & 0xf8) == 0xf0) {
    size = 4, least = 0x10000, code = lead & 0x07u;
  } else {
    return {lead, 1, false};
  }
  if (text.size() < size) return {lead, 1, false};
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {lead, 1, false};
    code = code << 6 | (byte(i) & 0x3fu);
  }
  const bool surrogate = code >= 0xd800 && code <= 0xdfff;
  if (code < least || code > 0x10ffff || surrogate) return {lead, 1, false};
  return {code, size, true};
}

/// Obeyed by terminals, or changes how what follows is read.
bool IsHarmful(uint32_t code) {
  return code < 0x20 || (code >= 0x7f && code <= 0x9f) ||  // C0, DEL, C1
         code == 0x061c || code == 0x200e || code == 0x200f || code == 0x2028 || code == 0x2029 ||
         (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

std::string Hex(const char* format, uint32_t code) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), format, code);
  return text.data();
}

std::string Escape(const Character& character) {
  if (character.code == '\n') return "\\n";
  if (character.code == '\t') return "\\t";
  if (character.code == '\r') return "\\r";
  return Hex(character.code < 0x100 ? "\\x%02x" : "\\u%04x", character.code);
}

/// Characters, as far as we can tell without the tables of which are wide.
size_t Width(std::string_view text) {
  return static_cast<size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<uint8_t>(c) & 0xc0) != 0x80; }));
}

}  // namespace

std::string SafeText(std::string_view text) {
  std::string safe;
  safe.reserve(text.size());
  while (!text.empty()) {
    const Character character = FirstCharacter(text);
    if (!character.valid || IsHarmful(character.code)) {
      safe += Escape(character);
    } else {
      safe += text.substr(0, character.size);
    }
    text.remove_prefix(character.size);
  }
  return safe;
}

std::string SafeJson(std::string_view json) {
  std::string safe;
  safe.reserve(json.size());
  while (!json.empty()) {
    const Character character = FirstCharacter(json);
    // Below 0x20 there is only the white space between values.
    if (character.code >= 0x20 && IsHarmful(character.code)) {
      safe += Hex("\\u%04x", character.code);
    } else {
      safe += json.substr(0, character.size);
    }
    json.remove_prefix(character.size);
  }
  return safe;
}

std::string Bold(const Console& console, const std::string& text) {
  return console.colours ? "\x1b[1m" + text + "\x1b[0m" : text;
}

std::string Dim(const Console& console, const std::string& text) {
  return console.colours ? "\x1b[2m" + text + "\x1b[0m" : text;
}

void Table::Add(std::vector<std::string> cells) {
  for (std::string& cell : cells) cell = SafeText(cell);
  rows_.push_back(std::move(cells));
}

void Table::Print(const Console& console) const {
  std::vector<size_t> widths(rows_.front().size());
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], Width(row[i]));
  }
  for (const auto& row : rows_) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - Width(row[i]) + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    console.out << (&row == &rows_.front() ? Dim(console, line) : line) << '\n';
  }
}

}  // namespace app
