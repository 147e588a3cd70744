#include "base/log_line.h"

#include <cstdint>

namespace base {
namespace {

constexpr char kHex[] = "0123456789abcdef";
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr std::string_view kCut = "\xE2\x80\xA6";

/// Bytes of the UTF-8 character that `text` begins with; 0 when it begins with none (RFC 3629: no
/// surrogates, nothing longer than needed, nothing above U+10FFFF).
size_t CharacterBytes(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) return 1;
  size_t size = 0;
  uint8_t second_min = 0x80;
  uint8_t second_max = 0xBF;
  if (first >= 0xC2 && first <= 0xDF) {
    size = 2;
  } else if (first >= 0xE0 && first <= 0xEF) {
    size = 3;
    if (first == 0xE0) second_min = 0xA0;
    if (first == 0xED) second_max = 0x9F;
  } else if (first >= 0xF0 && first <= 0xF4) {
    size = 4;
    if (first == 0xF0) second_min = 0x90;
    if (first == 0xF4) second_max = 0x8F;
  } else {
    return 0;
  }
  if (text.size() < size || byte(1) < second_min || byte(1) > second_max) return 0;
  for (size_t i = 2; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  return size;
}

/// Whether a terminal obeys the character, of `size` bytes, that `text` begins with, or shows what
/// follows in another order for it: C1 controls, line separators, marks of direction. (C0 controls
/// are known by their byte.)
bool IsHarmful(std::string_view text, size_t size) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  if (size == 2) return (byte(0) == 0xC2 && byte(1) < 0xA0) || (byte(0) == 0xD8 && byte(1) == 0x9C);
  if (size != 3 || byte(0) != 0xE2) return false;
  const uint8_t last = byte(2);
  if (byte(1) == 0x81) return last >= 0xA6 && last <= 0xA9;  // U+2066 to U+2069
  return byte(1) == 0x80 && (last == 0x8E || last == 0x8F || (last >= 0xA8 && last <= 0xAE));
}

/// "\u009b" of a character of two or three bytes.
void AppendUnicodeEscape(std::string& line, std::string_view character) {
  uint32_t code = static_cast<uint8_t>(character[0]) & (character.size() == 2 ? 0x1F : 0x0F);
  for (const char c : character.substr(1)) code = code << 6 | (static_cast<uint8_t>(c) & 0x3F);
  line.append("\\u");
  for (int shift = 12; shift >= 0; shift -= 4) line.push_back(kHex[(code >> shift) & 15]);
}

/// The whole of `text`, or as much of it as a line takes, cut between two characters.
std::string_view Shortened(std::string_view text, bool& cut) {
  cut = text.size() > kLogValueBytesMax;
  if (!cut) return text;
  size_t end = kLogValueBytesMax;
  for (int i = 0; i < 3 && (static_cast<uint8_t>(text[end]) & 0xC0) == 0x80; ++i) --end;
  return text.substr(0, end);
}

void AppendJson(std::string& line, std::string_view text) {
  bool cut = false;
  text = Shortened(text, cut);
  line.push_back('"');
  while (!text.empty()) {
    const size_t size = CharacterBytes(text);
    const auto byte = static_cast<uint8_t>(text.front());
    if (size == 0) {
      line.append(kReplacement);
    } else if (byte == '"' || byte == '\\') {
      line.push_back('\\');
      line.push_back(text.front());
    } else if (byte == '\n') {
      line.append("\\n");
    } else if (byte < ' ' || byte == 0x7f) {
      line.append("\\u00");
      line.push_back(kHex[byte >> 4]);
      line.push_back(kHex[byte & 15]);
    } else if (IsHarmful(text, size)) {
      AppendUnicodeEscape(line, text.substr(0, size));
    } else {
      line.append(text.substr(0, size));
    }
    text.remove_prefix(size == 0 ? 1 : size);
  }
  if (cut) line.append(kCut);
  line.push_back('"');
}

bool NeedsQuotes(std::string_view value) {
  if (value.empty() || value.size() > kLogValueBytesMax) return true;
  for (const char c : value) {
    const auto byte = static_cast<uint8_t>(c);
    if (byte <= ' ' || byte >= 0x7f || c == '"' || c == '=' || c == '\\') return true;
  }
  return false;
}

/// What keeps a line of text one line of UTF-8; with `quoted` also what would end the quotes.
void AppendEscaped(std::string& line, std::string_view text, bool quoted) {
  bool cut = false;
  text = Shortened(text, cut);
  while (!text.empty()) {
    const size_t size = CharacterBytes(text);
    const auto byte = static_cast<uint8_t>(text.front());
    if (quoted && (byte == '"' || byte == '\\')) {
      line.push_back('\\');
      line.push_back(text.front());
    } else if (byte == '\n') {
      line.append("\\n");
    } else if (size == 0 || byte < ' ' || byte == 0x7f) {
      line.append("\\x");
      line.push_back(kHex[byte >> 4]);
      line.push_back(kHex[byte & 15]);
    } else if (IsHarmful(text, size)) {
      AppendUnicodeEscape(line, text.substr(0, size));
    } else {
      line.append(text.substr(0, size));
    }
    text.remove_prefix(size == 0 ? 1 : size);
  }
  if (cut) line.append(kCut);
}

void AppendValue(std::string& line, std::string_view value) {
  if (!NeedsQuotes(value)) {
    line.append(value);
    return;
  }
  line.push_back('"');
  AppendEscaped(line, value, /*quoted=*/true);
  line.push_back('"');
}

}  // namespace

std::string JsonLogLine(LogLevel level, std::string_view component, std::string_view message,
                        std::span<const LogField> fields) {
  std::string line = "\"level\":\"";
  line.append(LogLevelName(level));
  line.append("\",\"component\":");
  AppendJson(line, component);
  line.append(",\"message\":");
  AppendJson(line, message);
  for (const LogField& field : fields) {
    line.push_back(',');
    AppendJson(line, field.key);
    line.push_back(':');
    if (field.is_text) {
      AppendJson(line, field.value);
    } else {
      line.append(field.value);
    }
  }
  return line;
}

std::string TextLogLine(std::string_view component, std::string_view message,
                        std::span<const LogField> fields) {
  std::string line;
  AppendEscaped(line, message, /*quoted=*/false);
  for (const LogField& field : fields) {
    line.push_back(' ');
    line.append(field.key);
    line.push_back('=');
    AppendValue(line, field.value);
  }
  line.append(" component=");
  AppendValue(line, component);
  return line;
}

std::string ComponentOf(std::string_view file) {
  const size_t name = file.rfind('/');
  if (name != std::string_view::npos && name > 0) {
    const size_t folder = file.rfind('/', name - 1);
    if (folder != std::string_view::npos) file.remove_prefix(folder + 1);
  }
  std::string component(file.substr(0, file.rfind('.')));
  for (char& c : component) {
    if (c == '_') c = '-';
  }
  return component;
}

}  // namespace base
