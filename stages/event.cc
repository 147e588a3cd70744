#include "stages/event.h"

#include <string_view>
#include <utility>

#include "pipeline/dead_letter.h"
#include "stages/field_values.h"
#include "stages/identity.h"
#include "stages/iso_time.h"
#include "stages/json_reader.h"
#include "stages/record_id.h"
#include "stages/refusal.h"

namespace stages {

class EventDecoder {
 public:
  base::Result<Event> Decode(const pipeline::RawRecord& record) {
    if (!record.value) return Refuse(refusal::kNullValue, "an event cannot be null");
    if (record.value->size() > kEventBytesMax) return RefuseSize("event", kEventBytesMax);
    RETURN_IF_ERROR(reader_.Read(*record.value, fields_));
    Event event;
    RETURN_IF_ERROR(TakeType(event));
    RETURN_IF_ERROR(TakeId(actor_, "actor", event.actor));
    if (event.actor.empty()) return Refuse(refusal::kMissingField, "actor is missing");
    RETURN_IF_ERROR(TakeTargets(event));
    RETURN_IF_ERROR(TakeObject(event));
    RETURN_IF_ERROR(TakeText(text_, "text", kTextBytesMax, event.text));
    RETURN_IF_ERROR(TakeId(id_, "id", event.id));
    RETURN_IF_ERROR(TakeUndoOf(event));
    pipeline::RawRecord original = record;
    if (event.id.empty() || time_.missing()) original.metadata = pipeline::OriginalPlace(record);
    RETURN_IF_ERROR(TakeTime(record.metadata, original.metadata, event));
    if (event.id.empty()) event.id = RecordId(original, hash_);
    return event;
  }

 private:
  base::Status TakeType(Event& event) {
    std::string name;
    RETURN_IF_ERROR(TakeRequiredText(type_, "type", kTypeBytesMax, name));
    if (name.empty()) return Refuse(refusal::kMissingField, "type is missing");
    event.type = FindEventType(name);
    if (event.type.kind == nullptr) {
      return Refuse(refusal::kUnknownType, "type is not one that Herald knows");
    }
    return base::Status::Ok();
  }

  base::Status TakeTargets(Event& event) {
    if (!targets_.missing() && targets_.kind != JsonValue::Kind::kArray) {
      return Refuse(refusal::kWrongShape, "targets is not an array");
    }
    if (target_elements_.size() + (target_.missing() ? 0 : 1) > kEventTargetsMax) {
      return Refuse(refusal::kLimit,
                    "targets has more than " + std::to_string(kEventTargetsMax) + " entries");
    }
    event.targets.reserve(target_elements_.size() + 1);
    std::string target;
    RETURN_IF_ERROR(TakeId(target_, "target", target));
    if (!target.empty()) event.targets.push_back(std::move(target));
    for (const JsonValue& element : target_elements_) {
      RETURN_IF_ERROR(TakeId(element, "targets", target));
      if (target.empty()) {
        return Refuse(refusal::kMissingField, "targets has an entry that is null or empty");
      }
      event.targets.push_back(std::move(target));
    }
    if (event.targets.empty()) return Refuse(refusal::kMissingField, "target is missing");
    return base::Status::Ok();
  }

  base::Status TakeObject(Event& event) {
    if (object_.missing()) return base::Status::Ok();
    if (object_.kind != JsonValue::Kind::kObject) {
      return Refuse(refusal::kWrongShape, "object is not an object");
    }
    EventObject& object = event.object.emplace();
    RETURN_IF_ERROR(TakeText(object_type_, "object.type", kObjectTypeBytesMax, object.type));
    std::string id;
    RETURN_IF_ERROR(TakeId(object_id_, "object.id", id));
    if (!id.empty()) object.id = std::move(id);
    return TakeText(object_title_, "object.title", kTitleBytesMax, object.title);
  }

  /// An undo of what has no object must say which event it takes back.
  base::Status TakeUndoOf(Event& event) {
    RETURN_IF_ERROR(TakeId(undo_of_, "undo_of", event.undo_of));
    const bool needs_event = event.type.kind->identity == IdentityRule::kObjectOrEvent &&
                             !(event.object && event.object->id);
    if (event.type.is_undo && needs_event && event.undo_of.empty()) {
      return Refuse(refusal::kMissingField, "undo_of is missing, and so is object.id");
    }
    return base::Status::Ok();
  }

  /// A replayed event without a time is as old as it was when it was refused.
  base::Status TakeTime(const pipeline::RecordMetadata& metadata,
                        const pipeline::RecordMetadata& original, Event& event) {
    if (time_.missing()) {
      event.time_ms = original.timestamp_ms;
    } else if (time_.kind == JsonValue::Kind::kString) {
      const std::optional<int64_t> time_ms = ParseIsoTime(time_.text);
      if (!time_ms) {
        return Refuse(refusal::kWrongShape, "time is not ISO 8601 with Z or an offset");
      }
      event.time_ms = *time_ms;
    } else {
      RETURN_IF_ERROR(TakeInteger(time_, "time", event.time_ms));
    }
    if (event.time_ms > metadata.timestamp_ms + kTimeAheadMsMax) {
      return Refuse(refusal::kTimeAhead, "time is more than 24 h ahead of the record's timestamp");
    }
    if (event.time_ms < kTimeMsMin || event.time_ms > kTimeMsMax) {
      return Refuse(refusal::kWrongShape, "time lies outside of the years 1 to 9999");
    }
    return base::Status::Ok();
  }

  JsonValue id_, type_, actor_, target_, targets_, object_, text_, undo_of_, time_;
  JsonValue object_type_, object_id_, object_title_;
  std::vector<JsonValue> target_elements_;
  const JsonField object_fields_[3] = {
      {"type", &object_type_}, {"id", &object_id_}, {"title", &object_title_}};
  const JsonField fields_[9] = {
      {"id", &id_},
      {"type", &type_},
      {"actor", &actor_},
      {"target", &target_},
      {"targets", &targets_, &target_elements_},
      {"object", &object_, nullptr, object_fields_},
      {"text", &text_},
      {"undo_of", &undo_of_},
      {"time", &time_},
  };
  JsonReader reader_;
  FieldHash hash_;
};

}  // namespace stages

namespace pipeline {

Serde<stages::Event>::Serde() : decoder_(std::make_unique<stages::EventDecoder>()) {}
Serde<stages::Event>::~Serde() = default;
Serde<stages::Event>::Serde(Serde&&) noexcept = default;
Serde<stages::Event>& Serde<stages::Event>::operator=(Serde&&) noexcept = default;

base::Result<stages::Event> Serde<stages::Event>::Decode(const RawRecord& record) {
  return decoder_->Decode(record);
}

}  // namespace pipeline
