#include "stages/inbox_rows.h"

#include <cstring>

#include "state/key_encoding.h"

namespace stages {
namespace {

constexpr char kFormat = 1;
/// Of a head row; format 1 had no place `indexed`, for the index covered everything.
constexpr char kHeadFormat = 2;
constexpr char kHeadFormatAllIndexed = 1;
constexpr uint8_t kReadFlag = 1;
constexpr uint8_t kSeenFlag = 2;
constexpr uint8_t kStandsFlag = 1;
/// Of a number in a key.
constexpr size_t kNumberBytes = 8;

/// Seven bits a byte, least significant first; the high bit says that more follow.
void AppendVarint(std::string& out, uint64_t number) {
  while (number >= 0x80) {
    out += static_cast<char>(number | 0x80);
    number >>= 7;
  }
  out += static_cast<char>(number);
}

bool TakeVarint(std::string_view& in, uint64_t& number) {
  number = 0;
  for (int shift = 0; shift < 64 && !in.empty(); shift += 7) {
    const auto byte = static_cast<uint8_t>(in.front());
    in.remove_prefix(1);
    number |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

/// Small negative numbers stay small: 0, -1, 1, -2 become 0, 1, 2, 3.
void AppendSigned(std::string& out, int64_t number) {
  AppendVarint(out, (static_cast<uint64_t>(number) << 1) ^ static_cast<uint64_t>(number >> 63));
}

bool TakeSigned(std::string_view& in, int64_t& number) {
  uint64_t bits = 0;
  if (!TakeVarint(in, bits)) return false;
  number = static_cast<int64_t>((bits >> 1) ^ (~(bits & 1) + 1));
  return true;
}

bool TakeByte(std::string_view& in, uint8_t& byte) {
  if (in.empty()) return false;
  byte = static_cast<uint8_t>(in.front());
  in.remove_prefix(1);
  return true;
}

bool TakeFormat(std::string_view& in) {
  uint8_t format = 0;
  return TakeByte(in, format) && format == kFormat;
}

bool TakeIdentity(std::string_view& in, Identity& identity) {
  if (in.size() < identity.bytes.size()) return false;
  std::memcpy(identity.bytes.data(), in.data(), identity.bytes.size());
  in.remove_prefix(identity.bytes.size());
  return true;
}

}  // namespace

InboxKeys::InboxKeys(std::string_view recipient) {
  group_.reserve(recipient.size() + 2);
  state::AppendString(group_, recipient);
}

InboxKeys InboxKeys::OfGroup(std::string_view group) {
  InboxKeys keys;
  keys.group_ = group;
  return keys;
}

std::string InboxKeys::GroupEnd() const { return state::PrefixEnd(group_); }

std::string InboxKeys::Start(InboxRowKind kind, size_t more_bytes) const {
  std::string key;
  key.reserve(group_.size() + 1 + more_bytes);
  key += group_;
  key += static_cast<char>(kind);
  return key;
}

std::string InboxKeys::Begin(InboxRowKind kind) const { return Start(kind, 0); }

std::string InboxKeys::End(InboxRowKind kind) const { return state::PrefixEnd(Begin(kind)); }

std::string InboxKeys::Head() const { return Start(InboxRowKind::kHead, 0); }

std::string InboxKeys::Item(int64_t time_ms, uint64_t arrival) const {
  std::string key = Start(InboxRowKind::kItem, 2 * kNumberBytes);
  state::AppendInt64Descending(key, time_ms);
  state::AppendUint64Descending(key, arrival);
  return key;
}

std::string InboxKeys::IdentityRow(const Identity& identity) const {
  std::string key = Start(InboxRowKind::kIdentity, sizeof(Identity::bytes));
  key += identity.view();
  return key;
}

std::string InboxKeys::Tombstone(int64_t stamp_ms, const Identity& identity) const {
  std::string key = Start(InboxRowKind::kTombstone, kNumberBytes + sizeof(Identity::bytes));
  state::AppendInt64(key, stamp_ms);
  key += identity.view();
  return key;
}

std::string InboxKeys::UnreadBegin(uint64_t read_mark) const {
  std::string key = Start(InboxRowKind::kUnread, 3 * kNumberBytes);
  state::AppendUint64(key, read_mark);
  return key;
}

std::string InboxKeys::Unread(uint64_t read_mark, int64_t time_ms, uint64_t arrival) const {
  std::string key = UnreadBegin(read_mark);
  state::AppendInt64Descending(key, time_ms);
  state::AppendUint64Descending(key, arrival);
  return key;
}

std::string_view RecipientGroupOf(std::string_view key) {
  // A zero byte inside of a recipient is followed by 0xff, the one that ends it by 0x01.
  for (size_t zero = key.find('\0'); zero != std::string_view::npos && zero + 1 < key.size();
       zero = key.find('\0', zero + 2)) {
    if (key[zero + 1] == 1) return key.substr(0, zero + 2);
  }
  return key;
}

bool ParseInboxKey(std::string_view key, InboxRowKey& parsed) {
  key.remove_prefix(RecipientGroupOf(key).size());
  uint8_t kind = 0;
  if (!TakeByte(key, kind)) return false;
  parsed.kind = static_cast<InboxRowKind>(kind);
  switch (parsed.kind) {
    case InboxRowKind::kHead:
      return key.empty();
    case InboxRowKind::kItem:
      return state::TakeInt64Descending(key, parsed.time_ms) &&
             state::TakeUint64Descending(key, parsed.arrival) && key.empty();
    case InboxRowKind::kIdentity:
      return TakeIdentity(key, parsed.identity) && key.empty();
    case InboxRowKind::kTombstone:
      return state::TakeInt64(key, parsed.time_ms) && TakeIdentity(key, parsed.identity) &&
             key.empty();
    case InboxRowKind::kUnread:
      return state::TakeUint64(key, parsed.read_mark) &&
             state::TakeInt64Descending(key, parsed.time_ms) &&
             state::TakeUint64Descending(key, parsed.arrival) && key.empty();
  }
  return false;
}

std::string EncodeHead(const InboxHead& head) {
  std::string value;
  value.reserve(64);
  value += kHeadFormat;
  for (const uint64_t number : {head.version, head.total, head.unread, head.unseen, head.read_mark,
                                head.seen_mark, head.tombstones}) {
    AppendVarint(value, number);
  }
  AppendSigned(value, head.oldest_ms);
  AppendVarint(value, head.oldest_arrival);
  AppendSigned(value, head.oldest_tombstone_ms);
  AppendVarint(value, head.indexed.arrival);
  if (head.indexed != kOldestPlace) AppendSigned(value, head.indexed.time_ms);
  return value;
}

bool DecodeHead(std::string_view value, InboxHead& head) {
  uint8_t format = 0;
  if (!TakeByte(value, format) || (format != kHeadFormat && format != kHeadFormatAllIndexed)) {
    return false;
  }
  for (uint64_t* number : {&head.version, &head.total, &head.unread, &head.unseen, &head.read_mark,
                           &head.seen_mark, &head.tombstones}) {
    if (!TakeVarint(value, *number)) return false;
  }
  if (!TakeSigned(value, head.oldest_ms) || !TakeVarint(value, head.oldest_arrival) ||
      !TakeSigned(value, head.oldest_tombstone_ms)) {
    return false;
  }
  head.indexed = kNewestPlace;
  if (format == kHeadFormatAllIndexed) return value.empty();
  head.indexed = kOldestPlace;
  if (!TakeVarint(value, head.indexed.arrival)) return false;
  // No item has arrival 0: nothing is indexed, and there is no time.
  if (head.indexed.arrival > 0 && !TakeSigned(value, head.indexed.time_ms)) return false;
  return value.empty();
}

std::string EncodeItem(const InboxItem& item) {
  std::string value;
  value.reserve(2 + 10 + sizeof(Identity::bytes) + item.json.size());
  value += kFormat;
  value += static_cast<char>((item.read ? kReadFlag : 0) | (item.seen ? kSeenFlag : 0));
  AppendVarint(value, item.mark_number);
  value += item.identity.view();
  value += item.json;
  return value;
}

bool DecodeItem(std::string_view value, InboxItem& item) {
  uint8_t flags = 0;
  if (!TakeFormat(value) || !TakeByte(value, flags) || !TakeVarint(value, item.mark_number) ||
      !TakeIdentity(value, item.identity)) {
    return false;
  }
  item.read = (flags & kReadFlag) != 0;
  item.seen = (flags & kSeenFlag) != 0;
  item.json = value;
  // An item is a JSON object; the reader of a page relies on the brace.
  return value.size() >= 2 && value.back() == '}';
}

std::string EncodeIdentity(const InboxIdentity& identity) {
  std::string value;
  value.reserve(32 + identity.later_json.size());
  value += kFormat;
  value += static_cast<char>(identity.stands ? kStandsFlag : 0);
  AppendSigned(value, identity.decided_ms);
  if (identity.stands) {
    AppendSigned(value, identity.item_ms);
    AppendVarint(value, identity.item_arrival);
    value += identity.later_json;
  } else {
    AppendSigned(value, identity.stamp_ms);
  }
  return value;
}

bool DecodeIdentity(std::string_view value, InboxIdentity& identity) {
  uint8_t flags = 0;
  if (!TakeFormat(value) || !TakeByte(value, flags) || !TakeSigned(value, identity.decided_ms)) {
    return false;
  }
  identity.stands = (flags & kStandsFlag) != 0;
  if (!identity.stands) return TakeSigned(value, identity.stamp_ms) && value.empty();
  if (!TakeSigned(value, identity.item_ms) || !TakeVarint(value, identity.item_arrival)) {
    return false;
  }
  identity.later_json = value;
  return true;
}

std::string EncodeUnread(const InboxUnread& unread, uint64_t arrival) {
  std::string value(1, kFormat);
  if (!unread.seen && unread.mark_number == arrival) return value;
  value += static_cast<char>(unread.seen ? kSeenFlag : 0);
  AppendVarint(value, unread.mark_number);
  return value;
}

bool DecodeUnread(std::string_view value, uint64_t arrival, InboxUnread& unread) {
  if (!TakeFormat(value)) return false;
  unread = {false, arrival};
  if (value.empty()) return true;
  uint8_t flags = 0;
  if (!TakeByte(value, flags) || !TakeVarint(value, unread.mark_number)) return false;
  unread.seen = (flags & kSeenFlag) != 0;
  return value.empty();
}

std::string EncodeMarkerRow() { return std::string(1, kFormat); }

}  // namespace stages
