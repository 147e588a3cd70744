#include "base/trace_context.h"

#include <algorithm>
#include <span>

#include "base/random.h"

namespace base {
namespace {

constexpr char kHex[] = "0123456789abcdef";
// Version, trace id, parent id, flags, and the dashes between them.
constexpr size_t kTraceIdAt = 3;
constexpr size_t kParentIdAt = 36;
constexpr size_t kFlagsAt = 53;
constexpr size_t kTraceParentBytes = 55;
/// Of a later version, which may be longer.
constexpr size_t kTraceParentBytesMax = 512;
/// What version 00 knows: sampled; and from Level 2, that the trace id is random.
constexpr uint8_t kKnownFlags = 0x03;

int DigitOf(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

bool ReadHex(std::string_view text, std::span<uint8_t> bytes) {
  for (size_t i = 0; i < bytes.size(); ++i) {
    const int high = DigitOf(text[2 * i]);
    const int low = DigitOf(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    bytes[i] = static_cast<uint8_t>(high * 16 + low);
  }
  return true;
}

void AppendHex(std::string& out, std::span<const uint8_t> bytes) {
  for (const uint8_t byte : bytes) {
    out.push_back(kHex[byte >> 4]);
    out.push_back(kHex[byte & 15]);
  }
}

bool IsZero(std::span<const uint8_t> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte == 0; });
}

template <typename Number>
void PutBigEndian(Number number, std::span<uint8_t> bytes) {
  for (size_t i = bytes.size(); i > 0; --i) {
    bytes[i - 1] = static_cast<uint8_t>(number & 0xff);
    number >>= 8;
  }
}

uint32_t Fnv1a(std::string_view text) {
  uint32_t hash = 2166136261U;
  for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 16777619U;
  return hash;
}

/// splitmix64's last step.
uint64_t Mixed(uint64_t number) {
  number = (number ^ (number >> 30)) * 0xBF58476D1CE4E5B9;
  number = (number ^ (number >> 27)) * 0x94D049BB133111EB;
  return number ^ (number >> 31);
}

}  // namespace

std::string TraceContext::TraceIdText() const {
  std::string text;
  text.reserve(2 * trace_id.size());
  AppendHex(text, trace_id);
  return text;
}

std::string TraceContext::ToTraceParent() const {
  std::string text;
  text.reserve(kTraceParentBytes);
  text = "00-";
  AppendHex(text, trace_id);
  text.push_back('-');
  AppendHex(text, parent_id);
  text.push_back('-');
  AppendHex(text, {&flags, 1});
  return text;
}

std::optional<TraceContext> ParseTraceParent(std::string_view text) {
  if (text.size() < kTraceParentBytes || text.size() > kTraceParentBytesMax) return std::nullopt;
  uint8_t version = 0;
  TraceContext context;
  if (!ReadHex(text, {&version, 1}) || text[kTraceIdAt - 1] != '-' ||
      !ReadHex(text.substr(kTraceIdAt), context.trace_id) || text[kParentIdAt - 1] != '-' ||
      !ReadHex(text.substr(kParentIdAt), context.parent_id) || text[kFlagsAt - 1] != '-' ||
      !ReadHex(text.substr(kFlagsAt), {&context.flags, 1})) {
    return std::nullopt;
  }
  if (version == 0xff || IsZero(context.trace_id) || IsZero(context.parent_id)) return std::nullopt;
  if (text.size() > kTraceParentBytes && (version == 0 || text[kTraceParentBytes] != '-')) {
    return std::nullopt;
  }
  context.flags &= kKnownFlags;
  return context;
}

TraceContext MakeTraceContext() {
  TraceContext context;
  const std::span<uint8_t> id(context.trace_id);
  PutBigEndian(RandomBits(), id.first(8));
  PutBigEndian(RandomBits() | 1, id.last(8));
  PutBigEndian(RandomBits() | 1, context.parent_id);
  return context;
}

TraceContext TraceContextOfPlace(std::string_view topic, Partition partition, Offset offset) {
  TraceContext context;
  const std::span<uint8_t> id(context.trace_id);
  const uint32_t name = Fnv1a(topic) | 1;
  PutBigEndian(name, id.first(4));
  PutBigEndian(static_cast<uint32_t>(partition.value), id.subspan(4, 4));
  PutBigEndian(static_cast<uint64_t>(offset.value), id.last(8));
  const uint64_t place = uint64_t{name} << 32 | static_cast<uint32_t>(partition.value);
  PutBigEndian(Mixed(place ^ Mixed(static_cast<uint64_t>(offset.value))) | 1, context.parent_id);
  return context;
}

}  // namespace base
