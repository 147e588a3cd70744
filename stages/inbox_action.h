#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "pipeline/record.h"
#include "pipeline/serde.h"
#include "stages/identity.h"

namespace stages {

/// The `v` of the JSON.
inline constexpr int64_t kInboxActionVersion = 1;
/// Bytes of a record on `inbox-actions` at most.
inline constexpr size_t kInboxActionBytesMax = 4096;

/// What a reader does to an inbox. Applying one twice is the same as applying it once.
struct InboxAction {
  enum class Kind { kRead, kUnread, kSeen, kDelete, kReadAll, kSeenAll };
  Kind kind = Kind::kRead;
  std::string recipient;
  /// kRead, kUnread, kSeen, kDelete: the notification, as its id names it.
  Identity identity;
  int64_t time_ms = 0;
  /// kReadAll, kSeenAll: only what had arrived when the inbox had this version; nullopt: all.
  std::optional<uint64_t> up_to;
};

/// "read", "unread", "seen", "delete", "read-all", "seen-all".
std::string_view InboxActionName(InboxAction::Kind kind);

class InboxActionDecoder;

}  // namespace stages

/// JSON of topic `inbox-actions`; docs/formats.md describes the fields.
template <>
struct pipeline::Serde<stages::InboxAction> {
  Serde();
  ~Serde();
  Serde(Serde&&) noexcept;
  Serde& operator=(Serde&&) noexcept;

  base::Result<stages::InboxAction> Decode(const RawRecord& record);
  void Encode(const stages::InboxAction& action, std::string& value);

 private:
  std::unique_ptr<stages::InboxActionDecoder> decoder_;
};
