#pragma once

#include <cstdint>
#include <string>
#include <string_view>

/// Keys whose byte order is the order of what they hold. docs/formats.md describes the bytes.
namespace state {

/// Appends a string so that no encoded string is a prefix of another and the order stays:
/// 0x00 becomes 0x00 0xff, and 0x00 0x01 ends it.
void AppendString(std::string& key, std::string_view text);

/// Appends 8 bytes, big endian: ascending.
void AppendUint64(std::string& key, uint64_t number);

/// Appends 8 bytes, big endian, inverted: descending.
void AppendUint64Descending(std::string& key, uint64_t number);

/// Signed numbers order below and above zero rightly (the sign bit is flipped).
void AppendInt64(std::string& key, int64_t number);
void AppendInt64Descending(std::string& key, int64_t number);

/// The readers take what they read off the front of `key`; false when it is malformed.
bool TakeString(std::string_view& key, std::string& text);
bool TakeUint64(std::string_view& key, uint64_t& number);
bool TakeUint64Descending(std::string_view& key, uint64_t& number);
bool TakeInt64(std::string_view& key, int64_t& number);
bool TakeInt64Descending(std::string_view& key, int64_t& number);

/// The smallest key above every key that starts with `prefix`; empty when there is none.
std::string PrefixEnd(std::string_view prefix);

}  // namespace state
