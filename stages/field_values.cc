#include "stages/field_values.h"

#include <charconv>

#include "stages/refusal.h"

namespace stages {
namespace {

using Kind = JsonValue::Kind;

base::Status RefuseShape(std::string_view field, std::string_view expected) {
  return Refuse(refusal::kWrongShape, std::string(field).append(" is not ").append(expected));
}

}  // namespace

base::Status Refuse(std::string_view code, std::string_view text) {
  return base::Status::InvalidArgument(std::string(code).append(": ").append(text));
}

base::Status RefuseSize(std::string_view field, size_t bytes_max) {
  return Refuse(refusal::kLimit,
                std::string(field) + " is larger than " + std::to_string(bytes_max) + " bytes");
}

base::Status TakeId(const JsonValue& value, std::string_view field, std::string& id) {
  id.clear();
  if (value.missing()) return base::Status::Ok();
  if (value.kind != Kind::kString && value.kind != Kind::kInteger) {
    return RefuseShape(field, "a string or an integer");
  }
  if (value.text.size() > kIdBytesMax) return RefuseSize(field, kIdBytesMax);
  id = value.text;
  if (value.kind == Kind::kInteger && id == "-0") id = "0";
  return base::Status::Ok();
}

base::Status TakeText(const JsonValue& value, std::string_view field, size_t bytes_max,
                      std::optional<std::string>& text) {
  text.reset();
  if (value.missing()) return base::Status::Ok();
  if (value.kind != Kind::kString) return RefuseShape(field, "a string");
  if (value.text.size() > bytes_max) return RefuseSize(field, bytes_max);
  text.emplace(value.text);
  return base::Status::Ok();
}

base::Status TakeRequiredText(const JsonValue& value, std::string_view field, size_t bytes_max,
                              std::string& text) {
  std::optional<std::string> taken;
  RETURN_IF_ERROR(TakeText(value, field, bytes_max, taken));
  if (!taken) return Refuse(refusal::kMissingField, std::string(field) + " is missing");
  text = std::move(*taken);
  return base::Status::Ok();
}

base::Status TakeInteger(const JsonValue& value, std::string_view field, int64_t& number) {
  if (value.missing()) return Refuse(refusal::kMissingField, std::string(field) + " is missing");
  if (value.kind != Kind::kInteger) return RefuseShape(field, "an integer");
  const char* end = value.text.data() + value.text.size();
  const auto [read_to, error] = std::from_chars(value.text.data(), end, number);
  if (error != std::errc() || read_to != end) return RefuseShape(field, "an integer of 64 bits");
  return base::Status::Ok();
}

}  // namespace stages
