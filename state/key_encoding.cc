#include "state/key_encoding.h"

namespace state {
namespace {

constexpr char kZero = '\x00';
constexpr char kEscapedZero = '\xff';
constexpr char kEnd = '\x01';
constexpr size_t kNumberBytes = 8;
constexpr uint64_t kSignBit = uint64_t{1} << 63;

}  // namespace

void AppendString(std::string& key, std::string_view text) {
  while (true) {
    const size_t zero = text.find(kZero);
    key.append(text.substr(0, zero));
    if (zero == std::string_view::npos) break;
    key.push_back(kZero);
    key.push_back(kEscapedZero);
    text.remove_prefix(zero + 1);
  }
  key.push_back(kZero);
  key.push_back(kEnd);
}

void AppendUint64(std::string& key, uint64_t number) {
  char bytes[kNumberBytes];
  for (size_t i = 0; i < kNumberBytes; ++i) {
    bytes[i] = static_cast<char>(number >> (8 * (kNumberBytes - 1 - i)));
  }
  key.append(bytes, kNumberBytes);
}

void AppendUint64Descending(std::string& key, uint64_t number) { AppendUint64(key, ~number); }

void AppendInt64(std::string& key, int64_t number) {
  AppendUint64(key, static_cast<uint64_t>(number) ^ kSignBit);
}

void AppendInt64Descending(std::string& key, int64_t number) {
  AppendUint64Descending(key, static_cast<uint64_t>(number) ^ kSignBit);
}

bool TakeString(std::string_view& key, std::string& text) {
  text.clear();
  std::string_view rest = key;
  while (true) {
    const size_t zero = rest.find(kZero);
    if (zero == std::string_view::npos || zero + 1 == rest.size()) return false;
    text.append(rest.substr(0, zero));
    const char mark = rest[zero + 1];
    rest.remove_prefix(zero + 2);
    if (mark == kEnd) break;
    if (mark != kEscapedZero) return false;
    text.push_back(kZero);
  }
  key = rest;
  return true;
}

bool TakeUint64(std::string_view& key, uint64_t& number) {
  if (key.size() < kNumberBytes) return false;
  number = 0;
  for (size_t i = 0; i < kNumberBytes; ++i) {
    number = (number << 8) | static_cast<unsigned char>(key[i]);
  }
  key.remove_prefix(kNumberBytes);
  return true;
}

bool TakeUint64Descending(std::string_view& key, uint64_t& number) {
  if (!TakeUint64(key, number)) return false;
  number = ~number;
  return true;
}

bool TakeInt64(std::string_view& key, int64_t& number) {
  uint64_t bits = 0;
  if (!TakeUint64(key, bits)) return false;
  number = static_cast<int64_t>(bits ^ kSignBit);
  return true;
}

bool TakeInt64Descending(std::string_view& key, int64_t& number) {
  uint64_t bits = 0;
  if (!TakeUint64Descending(key, bits)) return false;
  number = static_cast<int64_t>(bits ^ kSignBit);
  return true;
}

std::string PrefixEnd(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && end.back() == '\xff') end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

}  // namespace state
