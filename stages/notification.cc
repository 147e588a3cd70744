#include "stages/notification.h"

#include <charconv>
#include <limits>
#include <utility>

#include "stages/field_values.h"
#include "stages/hex.h"
#include "stages/iso_time.h"
#include "stages/json_reader.h"
#include "stages/json_text.h"
#include "stages/record_id.h"
#include "stages/refusal.h"
#include "stages/user.h"

namespace stages {
namespace {

/// 32 hexadecimal digits, "-", a 64-bit number.
constexpr size_t kNotificationIdBytesMax = 32 + 1 + 20;
constexpr size_t kTimeBytesMax = 64;
/// What the records of kafka-notify are to us.
constexpr std::string_view kForeignKind = "message";

void AppendNotificationId(std::string& out, const Identity& identity, int64_t time_ms) {
  AppendHex(out, identity.view());
  out += '-';
  AppendDecimal(out, time_ms);
}

void AppendActor(std::string& out, const NotificationActor& actor) {
  out += "{\"id\":";
  AppendJsonString(out, std::string_view(actor.id));
  out += ",\"name\":";
  AppendJsonString(out, actor.name);
  out += ",\"handle\":";
  AppendJsonString(out, actor.handle);
  out += ",\"avatar_url\":";
  AppendJsonString(out, actor.avatar_url);
  out += '}';
}

void AppendObject(std::string& out, const std::optional<EventObject>& object) {
  if (!object) {
    out += "null";
    return;
  }
  out += "{\"type\":";
  AppendJsonString(out, object->type);
  out += ",\"id\":";
  AppendJsonString(out, object->id);
  out += ",\"title\":";
  AppendJsonString(out, object->title);
  out += '}';
}

void AppendSource(std::string& out, const NotificationSource& source) {
  out += "{\"topic\":";
  AppendJsonString(out, std::string_view(source.topic));
  out += ",\"partition\":";
  AppendDecimal(out, source.partition.value);
  out += ",\"offset\":";
  AppendDecimal(out, source.offset.value);
  out += '}';
}

}  // namespace

class NotificationDecoder {
 public:
  base::Result<Notification> Decode(const pipeline::RawRecord& record) {
    if (!record.value) return Refuse(refusal::kNullValue, "a notification cannot be null");
    if (record.value->size() > kNotificationBytesMax) {
      return RefuseSize("notification", kNotificationBytesMax);
    }
    RETURN_IF_ERROR(reader_.Read(*record.value, fields_));
    if (v_.missing() && (!from_.missing() || !to_.missing())) return DecodeForeign(record);
    int64_t version = 0;
    RETURN_IF_ERROR(TakeInteger(v_, "v", version));
    if (version != kNotificationVersion) {
      return Refuse(refusal::kWrongShape, "v is not a format version that Herald reads");
    }
    Notification notification;
    RETURN_IF_ERROR(TakeKind(notification));
    RETURN_IF_ERROR(TakeRecipient(record.key, notification));
    RETURN_IF_ERROR(TakeActor(notification.actor));
    RETURN_IF_ERROR(TakeObject(notification));
    RETURN_IF_ERROR(TakeText(text_, "text", kTextBytesMax, notification.text));
    RETURN_IF_ERROR(TakeRequiredText(message_, "message", kMessageBytesMax, notification.message));
    RETURN_IF_ERROR(TakeTimeAndId(notification));
    RETURN_IF_ERROR(TakeSource(notification.source));
    return notification;
  }

  std::optional<pipeline::RecordPlace> OriginOf(const pipeline::RawRecord& record) {
    if (!record.value || record.value->size() > kNotificationBytesMax) return std::nullopt;
    NotificationSource source;
    if (!reader_.Read(*record.value, fields_).ok() || !TakeSource(source).ok()) return std::nullopt;
    return pipeline::RecordPlace{{std::move(source.topic), source.partition}, source.offset};
  }

 private:
  /// A record of kafka-notify: somebody sends a text to somebody.
  base::Result<Notification> DecodeForeign(const pipeline::RawRecord& record) {
    Notification notification;
    notification.kind = FindEventKind(kForeignKind);
    RETURN_IF_ERROR(TakePerson(from_, "from", from_id_, "from.id", notification.actor.id));
    RETURN_IF_ERROR(TakePerson(to_, "to", to_id_, "to.id", notification.recipient));
    if (record.key != notification.recipient) {
      return Refuse(refusal::kWrongShape, "to.id differs from the record's key");
    }
    RETURN_IF_ERROR(TakeText(from_name_, "from.name", kUserNameBytesMax, notification.actor.name));
    RETURN_IF_ERROR(TakeText(message_, "message", kTextBytesMax, notification.text));
    if (!notification.text) notification.text.emplace();
    notification.message = *notification.text;
    notification.time_ms = record.metadata.timestamp_ms;
    notification.source = {std::string(record.metadata.topic), record.metadata.partition,
                           record.metadata.offset};
    const std::string event_id = RecordId(record, hash_);
    hash_.Rewind(0);
    for (const std::string_view field :
         {kForeignKind, std::string_view(notification.actor.id), std::string_view("event"),
          std::string_view(event_id), std::string_view(notification.recipient)}) {
      hash_.Add(field);
    }
    notification.identity = hash_.Finish();
    return notification;
  }

  static base::Status TakePerson(const JsonValue& person, std::string_view name,
                                 const JsonValue& id_value, std::string_view id_name,
                                 std::string& id) {
    if (!person.missing() && person.kind != JsonValue::Kind::kObject) {
      return Refuse(refusal::kWrongShape, std::string(name) + " is not an object");
    }
    RETURN_IF_ERROR(TakeId(id_value, id_name, id));
    if (id.empty()) return Refuse(refusal::kMissingField, std::string(id_name) + " is missing");
    return base::Status::Ok();
  }

  base::Status TakeKind(Notification& notification) {
    std::string name;
    RETURN_IF_ERROR(TakeRequiredText(type_, "type", kTypeBytesMax, name));
    notification.kind = FindEventKind(name);
    if (notification.kind == nullptr) {
      return Refuse(refusal::kUnknownType, "type is not one that Herald knows");
    }
    if (!retracted_.missing() && retracted_.kind != JsonValue::Kind::kBool) {
      return Refuse(refusal::kWrongShape, "retracted is not a boolean");
    }
    notification.retracted = retracted_.text == "true";
    return base::Status::Ok();
  }

  /// The key decides the partition, so a record whose key is not its recipient would be lost to
  /// those who ask for it.
  base::Status TakeRecipient(const std::optional<std::string_view>& key,
                             Notification& notification) {
    RETURN_IF_ERROR(TakeId(recipient_, "recipient", notification.recipient));
    if (notification.recipient.empty()) {
      return Refuse(refusal::kMissingField, "recipient is missing");
    }
    if (key != notification.recipient) {
      return Refuse(refusal::kWrongShape, "recipient differs from the record's key");
    }
    return base::Status::Ok();
  }

  base::Status TakeActor(NotificationActor& actor) {
    if (actor_.kind != JsonValue::Kind::kObject) {
      return Refuse(refusal::kWrongShape, "actor is not an object");
    }
    RETURN_IF_ERROR(TakeId(actor_id_, "actor.id", actor.id));
    if (actor.id.empty()) return Refuse(refusal::kMissingField, "actor.id is missing");
    RETURN_IF_ERROR(TakeText(actor_name_, "actor.name", kUserNameBytesMax, actor.name));
    RETURN_IF_ERROR(TakeText(actor_handle_, "actor.handle", kUserHandleBytesMax, actor.handle));
    return TakeText(actor_avatar_url_, "actor.avatar_url", kUserAvatarUrlBytesMax,
                    actor.avatar_url);
  }

  base::Status TakeObject(Notification& notification) {
    if (object_.missing()) return base::Status::Ok();
    if (object_.kind != JsonValue::Kind::kObject) {
      return Refuse(refusal::kWrongShape, "object is not an object");
    }
    EventObject& object = notification.object.emplace();
    RETURN_IF_ERROR(TakeText(object_type_, "object.type", kObjectTypeBytesMax, object.type));
    RETURN_IF_ERROR(TakeText(object_id_, "object.id", kIdBytesMax, object.id));
    return TakeText(object_title_, "object.title", kTitleBytesMax, object.title);
  }

  base::Status TakeTimeAndId(Notification& notification) {
    if (id_.kind != JsonValue::Kind::kString || id_.text.size() > kNotificationIdBytesMax ||
        !ParseNotificationId(id_.text, notification.identity, notification.time_ms)) {
      return Refuse(refusal::kWrongShape, "id is not a notification's");
    }
    if (time_.kind != JsonValue::Kind::kString || time_.text.size() > kTimeBytesMax) {
      return Refuse(refusal::kWrongShape, "time is not a string");
    }
    if (ParseIsoTime(time_.text) != notification.time_ms) {
      return Refuse(refusal::kWrongShape, "time is not the one that id names");
    }
    return base::Status::Ok();
  }

  base::Status TakeSource(NotificationSource& source) {
    if (source_.kind != JsonValue::Kind::kObject) {
      return Refuse(refusal::kWrongShape, "source is not an object");
    }
    RETURN_IF_ERROR(TakeRequiredText(source_topic_, "source.topic", kTopicBytesMax, source.topic));
    int64_t partition = 0;
    RETURN_IF_ERROR(TakeInteger(source_partition_, "source.partition", partition));
    if (partition < 0 || partition > std::numeric_limits<int32_t>::max()) {
      return Refuse(refusal::kWrongShape, "source.partition is no partition");
    }
    source.partition.value = static_cast<int32_t>(partition);
    return TakeInteger(source_offset_, "source.offset", source.offset.value);
  }

  JsonValue v_, id_, type_, retracted_, recipient_, actor_, object_, text_, message_, time_,
      source_;
  JsonValue actor_id_, actor_name_, actor_handle_, actor_avatar_url_;
  JsonValue object_type_, object_id_, object_title_;
  JsonValue source_topic_, source_partition_, source_offset_;
  const JsonField actor_fields_[4] = {{"id", &actor_id_},
                                      {"name", &actor_name_},
                                      {"handle", &actor_handle_},
                                      {"avatar_url", &actor_avatar_url_}};
  const JsonField object_fields_[3] = {
      {"type", &object_type_}, {"id", &object_id_}, {"title", &object_title_}};
  const JsonField source_fields_[3] = {
      {"topic", &source_topic_}, {"partition", &source_partition_}, {"offset", &source_offset_}};
  JsonValue from_, to_, from_id_, from_name_, to_id_;
  const JsonField from_fields_[2] = {{"id", &from_id_}, {"name", &from_name_}};
  const JsonField to_fields_[1] = {{"id", &to_id_}};
  const JsonField fields_[13] = {
      {"v", &v_},
      {"id", &id_},
      {"type", &type_},
      {"retracted", &retracted_},
      {"recipient", &recipient_},
      {"actor", &actor_, nullptr, actor_fields_},
      {"object", &object_, nullptr, object_fields_},
      {"text", &text_},
      {"message", &message_},
      {"time", &time_},
      {"source", &source_, nullptr, source_fields_},
      {"from", &from_, nullptr, from_fields_},
      {"to", &to_, nullptr, to_fields_},
  };
  JsonReader reader_;
  FieldHash hash_;
};

std::string NotificationId(const Identity& identity, int64_t time_ms) {
  std::string id;
  AppendNotificationId(id, identity, time_ms);
  return id;
}

bool ParseNotificationId(std::string_view id, Identity& identity, int64_t& time_ms) {
  constexpr size_t kHexDigits = 2 * sizeof(Identity::bytes);
  if (id.size() < kHexDigits + 2 || id[kHexDigits] != '-') return false;
  if (!FromHex(id.substr(0, kHexDigits), identity.bytes)) return false;
  const char* const end = id.data() + id.size();
  const auto [read_to, error] = std::from_chars(id.data() + kHexDigits + 1, end, time_ms);
  return error == std::errc() && read_to == end;
}

}  // namespace stages

namespace pipeline {

Serde<stages::Notification>::Serde() : decoder_(std::make_unique<stages::NotificationDecoder>()) {}
Serde<stages::Notification>::~Serde() = default;
Serde<stages::Notification>::Serde(Serde&&) noexcept = default;
Serde<stages::Notification>& Serde<stages::Notification>::operator=(Serde&&) noexcept = default;

base::Result<stages::Notification> Serde<stages::Notification>::Decode(const RawRecord& record) {
  return decoder_->Decode(record);
}

std::optional<RecordPlace> Serde<stages::Notification>::OriginOf(const RawRecord& record) {
  return decoder_->OriginOf(record);
}

void Serde<stages::Notification>::Encode(const stages::Notification& notification,
                                         std::string& value) {
  using stages::AppendJsonString;
  value.reserve(value.size() + 384 + 2 * notification.message.size());
  value += "{\"v\":1,\"id\":\"";
  stages::AppendNotificationId(value, notification.identity, notification.time_ms);
  value += "\",\"type\":";
  AppendJsonString(value, notification.kind->name);
  if (notification.retracted) value += ",\"retracted\":true";
  value += ",\"recipient\":";
  AppendJsonString(value, std::string_view(notification.recipient));
  value += ",\"actor\":";
  stages::AppendActor(value, notification.actor);
  value += ",\"object\":";
  stages::AppendObject(value, notification.object);
  value += ",\"text\":";
  AppendJsonString(value, notification.text);
  value += ",\"message\":";
  AppendJsonString(value, std::string_view(notification.message));
  value += ",\"time\":\"";
  stages::AppendIsoTime(value, notification.time_ms);
  value += "\",\"source\":";
  stages::AppendSource(value, notification.source);
  value += '}';
}

}  // namespace pipeline
