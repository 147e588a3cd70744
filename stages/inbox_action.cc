#include "stages/inbox_action.h"

#include <array>
#include <utility>

#include "stages/field_values.h"
#include "stages/json_reader.h"
#include "stages/json_text.h"
#include "stages/notification.h"
#include "stages/refusal.h"

namespace stages {
namespace {

using Kind = InboxAction::Kind;

constexpr size_t kNameBytesMax = 16;
/// 32 hexadecimal digits, "-", a 64-bit number.
constexpr size_t kNotificationIdBytesMax = 32 + 1 + 20;

constexpr std::array<std::pair<Kind, std::string_view>, 6> kNames = {
    {{Kind::kRead, "read"},
     {Kind::kUnread, "unread"},
     {Kind::kSeen, "seen"},
     {Kind::kDelete, "delete"},
     {Kind::kReadAll, "read-all"},
     {Kind::kSeenAll, "seen-all"}}};

bool IsForAll(Kind kind) { return kind == Kind::kReadAll || kind == Kind::kSeenAll; }

}  // namespace

std::string_view InboxActionName(InboxAction::Kind kind) {
  for (const auto& [known, name] : kNames) {
    if (known == kind) return name;
  }
  return "";
}

class InboxActionDecoder {
 public:
  base::Result<InboxAction> Decode(const pipeline::RawRecord& record) {
    if (!record.value) return Refuse(refusal::kNullValue, "an action cannot be null");
    if (record.value->size() > kInboxActionBytesMax) {
      return RefuseSize("action", kInboxActionBytesMax);
    }
    RETURN_IF_ERROR(reader_.Read(*record.value, fields_));
    int64_t version = 0;
    RETURN_IF_ERROR(TakeInteger(v_, "v", version));
    if (version != kInboxActionVersion) {
      return Refuse(refusal::kWrongShape, "v is not a format version that Herald reads");
    }
    InboxAction action;
    RETURN_IF_ERROR(TakeKind(action.kind));
    RETURN_IF_ERROR(TakeRecipient(record.key, action.recipient));
    if (!IsForAll(action.kind)) {
      RETURN_IF_ERROR(TakeNotificationId(action));
    } else if (!up_to_.missing()) {
      int64_t up_to = 0;
      RETURN_IF_ERROR(TakeInteger(up_to_, "up_to", up_to));
      if (up_to < 0) return Refuse(refusal::kWrongShape, "up_to is negative");
      action.up_to = static_cast<uint64_t>(up_to);
    }
    return action;
  }

 private:
  base::Status TakeKind(Kind& kind) {
    std::string name;
    RETURN_IF_ERROR(TakeRequiredText(action_, "action", kNameBytesMax, name));
    for (const auto& [known, known_name] : kNames) {
      if (known_name != name) continue;
      kind = known;
      return base::Status::Ok();
    }
    return Refuse(refusal::kUnknownType, "action is not one that Herald knows");
  }

  /// The key decides the partition: one that is not the recipient's would change nobody's inbox.
  base::Status TakeRecipient(const std::optional<std::string_view>& key, std::string& recipient) {
    RETURN_IF_ERROR(TakeId(recipient_, "recipient", recipient));
    if (recipient.empty()) return Refuse(refusal::kMissingField, "recipient is missing");
    if (key != recipient) {
      return Refuse(refusal::kWrongShape, "recipient differs from the record's key");
    }
    return base::Status::Ok();
  }

  base::Status TakeNotificationId(InboxAction& action) {
    std::string id;
    RETURN_IF_ERROR(TakeRequiredText(id_, "id", kNotificationIdBytesMax, id));
    if (!ParseNotificationId(id, action.identity, action.time_ms)) {
      return Refuse(refusal::kWrongShape, "id is not a notification's");
    }
    return base::Status::Ok();
  }

  JsonValue v_, action_, recipient_, id_, up_to_;
  const JsonField fields_[5] = {{"v", &v_},
                                {"action", &action_},
                                {"recipient", &recipient_},
                                {"id", &id_},
                                {"up_to", &up_to_}};
  JsonReader reader_;
};

}  // namespace stages

namespace pipeline {

Serde<stages::InboxAction>::Serde() : decoder_(std::make_unique<stages::InboxActionDecoder>()) {}
Serde<stages::InboxAction>::~Serde() = default;
Serde<stages::InboxAction>::Serde(Serde&&) noexcept = default;
Serde<stages::InboxAction>& Serde<stages::InboxAction>::operator=(Serde&&) noexcept = default;

base::Result<stages::InboxAction> Serde<stages::InboxAction>::Decode(const RawRecord& record) {
  return decoder_->Decode(record);
}

void Serde<stages::InboxAction>::Encode(const stages::InboxAction& action, std::string& value) {
  value += "{\"v\":1,\"action\":\"";
  value += stages::InboxActionName(action.kind);
  value += "\",\"recipient\":";
  stages::AppendJsonString(value, std::string_view(action.recipient));
  if (!stages::IsForAll(action.kind)) {
    value += ",\"id\":\"" + stages::NotificationId(action.identity, action.time_ms) + '"';
  } else if (action.up_to.has_value()) {
    value += ",\"up_to\":" + std::to_string(*action.up_to);
  }
  value += '}';
}

}  // namespace pipeline
