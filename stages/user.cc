#include "stages/user.h"

#include <utility>

#include "stages/field_values.h"
#include "stages/json_reader.h"
#include "stages/json_text.h"
#include "stages/refusal.h"

namespace stages {

class UserDecoder {
 public:
  base::Result<User> Decode(const pipeline::RawRecord& record) {
    if (!record.value) return Refuse(refusal::kNullValue, "a null user is an erased one");
    if (record.value->size() > kUserBytesMax) return RefuseSize("user", kUserBytesMax);
    RETURN_IF_ERROR(reader_.Read(*record.value, fields_));
    User user;
    RETURN_IF_ERROR(TakeId(id_, "id", user.id));
    RETURN_IF_ERROR(CheckId(record.key, user.id));
    RETURN_IF_ERROR(TakeText(name_, "name", kUserNameBytesMax, user.name));
    RETURN_IF_ERROR(TakeText(handle_, "handle", kUserHandleBytesMax, user.handle));
    RETURN_IF_ERROR(TakeText(avatar_url_, "avatar_url", kUserAvatarUrlBytesMax, user.avatar_url));
    return user;
  }

 private:
  static base::Status CheckId(const std::optional<std::string_view>& key, std::string& id) {
    if (key) {
      if (key->size() > kIdBytesMax) return RefuseSize("the key", kIdBytesMax);
      if (id.empty()) id = *key;
      if (id != *key) return Refuse(refusal::kWrongShape, "id differs from the record's key");
    }
    if (id.empty()) return Refuse(refusal::kMissingField, "id is missing");
    return base::Status::Ok();
  }

  JsonValue id_, name_, handle_, avatar_url_;
  const JsonField fields_[4] = {
      {"id", &id_}, {"name", &name_}, {"handle", &handle_}, {"avatar_url", &avatar_url_}};
  JsonReader reader_;
};

}  // namespace stages

namespace pipeline {

Serde<stages::User>::Serde() : decoder_(std::make_unique<stages::UserDecoder>()) {}
Serde<stages::User>::~Serde() = default;
Serde<stages::User>::Serde(Serde&&) noexcept = default;
Serde<stages::User>& Serde<stages::User>::operator=(Serde&&) noexcept = default;

base::Result<stages::User> Serde<stages::User>::Decode(const RawRecord& record) {
  return decoder_->Decode(record);
}

void Serde<stages::User>::Encode(const stages::User& user, std::string& value) {
  value += "{\"id\":";
  stages::AppendJsonString(value, std::string_view(user.id));
  value += ",\"name\":";
  stages::AppendJsonString(value, user.name);
  value += ",\"handle\":";
  stages::AppendJsonString(value, user.handle);
  value += ",\"avatar_url\":";
  stages::AppendJsonString(value, user.avatar_url);
  value += '}';
}

}  // namespace pipeline
