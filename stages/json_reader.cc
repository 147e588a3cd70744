#include "stages/json_reader.h"

#include <simdjson.h>

#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "stages/json_text.h"
#include "stages/refusal.h"

namespace stages {
namespace {

namespace ondemand = simdjson::ondemand;
using Kind = JsonValue::Kind;

base::Status RefuseJson(simdjson::error_code error) {
  if (error == simdjson::UTF8_ERROR) {
    return Refuse(refusal::kInvalidUtf8, "the value is not valid UTF-8");
  }
  return Refuse(refusal::kNotJson, simdjson::error_message(error));
}

#define RETURN_IF_JSON_ERROR(expression)                                                   \
  do {                                                                                     \
    if (const simdjson::error_code json_error_ = (expression); json_error_) [[unlikely]] { \
      return RefuseJson(json_error_);                                                      \
    }                                                                                      \
  } while (false)

void Clear(std::span<const JsonField> fields) {
  for (const JsonField& field : fields) {
    *field.value = {};
    if (field.elements != nullptr) field.elements->clear();
    Clear(field.members);
  }
}

/// The token without the white space that follows it up to the next token.
std::string_view Trim(std::string_view token) {
  while (!token.empty() && std::strchr(" \t\n\r", token.back()) != nullptr) token.remove_suffix(1);
  return token;
}

/// The text of a string as it is written, without a copy; nullopt when it is more than a text
/// between two quotes, such as one with escapes.
std::optional<std::string_view> Unescaped(std::string_view token) {
  if (token.size() < 2 || PlainLength(token.substr(1)) != token.size() - 2) return std::nullopt;
  return token.substr(1, token.size() - 2);
}

/// The same for the name of a member, which ends at the next quote.
std::optional<std::string_view> Unescaped(ondemand::raw_json_string name) {
  const char* const begin = name.raw();
  const char* end = begin;
  for (; *end != '"'; ++end) {
    if (*end == '\\' || static_cast<uint8_t>(*end) < 0x20) return std::nullopt;
  }
  return std::string_view(begin, static_cast<size_t>(end - begin));
}

bool TakeDigits(std::string_view& text) {
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  text.remove_prefix(digits);
  return digits > 0;
}

/// The kind of a number as RFC 8259 writes it; kAbsent when it is not one. No limit on its size:
/// simdjson would refuse a number that does not fit 64 bits.
Kind NumberKind(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  if (text.starts_with('0')) {
    text.remove_prefix(1);
  } else if (!TakeDigits(text)) {
    return Kind::kAbsent;
  }
  Kind kind = Kind::kInteger;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    if (!TakeDigits(text)) return Kind::kAbsent;
    kind = Kind::kDecimal;
  }
  if (text.starts_with('e') || text.starts_with('E')) {
    text.remove_prefix(1);
    if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
    if (!TakeDigits(text)) return Kind::kAbsent;
    kind = Kind::kDecimal;
  }
  return text.empty() ? kind : Kind::kAbsent;
}

Kind ScalarKind(std::string_view token) {
  if (token == "null") return Kind::kNull;
  if (token == "true" || token == "false") return Kind::kBool;
  return NumberKind(token);
}

base::Status ReadObject(ondemand::object object, std::span<const JsonField> fields, int depth);

/// The bytes of a value that is no object and no array. Does not consume it.
template <typename Source>
base::Status PeekToken(Source& source, std::string_view& token) {
  if constexpr (std::is_same_v<Source, ondemand::value>) {
    token = source.raw_json_token();
  } else {
    RETURN_IF_JSON_ERROR(source.raw_json_token().get(token));
  }
  token = Trim(token);
  return base::Status::Ok();
}

/// Consumes `source` (a value or a whole document), so that all of it is checked.
template <typename Source>
base::Status ReadValue(Source& source, const JsonField& field, int depth) {
  JsonValue& value = *field.value;
  ondemand::json_type type;
  RETURN_IF_JSON_ERROR(source.type().get(type));
  switch (type) {
    case ondemand::json_type::string: {
      value.kind = Kind::kString;
      std::string_view token;
      RETURN_IF_ERROR(PeekToken(source, token));
      if (const auto text = Unescaped(token); text.has_value()) {
        value.text = *text;
        // Consumed: what simdjson passes over by itself may be a name where a value should be.
        ondemand::raw_json_string consumed;
        RETURN_IF_JSON_ERROR(source.get_raw_json_string().get(consumed));
        return base::Status::Ok();
      }
      RETURN_IF_JSON_ERROR(source.get_string().get(value.text));
      return base::Status::Ok();
    }
    case ondemand::json_type::object: {
      if (depth == kJsonDepthMax) return Refuse(refusal::kLimit, "nested too deep");
      value = {Kind::kObject, {}};
      ondemand::object object;
      RETURN_IF_JSON_ERROR(source.get_object().get(object));
      return ReadObject(object, field.members, depth + 1);
    }
    case ondemand::json_type::array: {
      if (depth == kJsonDepthMax) return Refuse(refusal::kLimit, "nested too deep");
      value = {Kind::kArray, {}};
      ondemand::array array;
      RETURN_IF_JSON_ERROR(source.get_array().get(array));
      for (auto next : array) {
        ondemand::value element;
        RETURN_IF_JSON_ERROR(std::move(next).get(element));
        JsonValue read;
        RETURN_IF_ERROR(ReadValue(element, JsonField{{}, &read}, depth + 1));
        if (field.elements != nullptr) field.elements->push_back(read);
      }
      return base::Status::Ok();
    }
    default: {
      RETURN_IF_ERROR(PeekToken(source, value.text));
      value.kind = ScalarKind(value.text);
      if (value.kind == Kind::kAbsent) {
        return Refuse(refusal::kNotJson, "a word that is no value, or a malformed number");
      }
      return base::Status::Ok();
    }
  }
}

base::Status ReadObject(ondemand::object object, std::span<const JsonField> fields, int depth) {
  size_t expected = 0;  // our own records have their fields in the order of the table
  for (auto next : object) {
    ondemand::field member;
    RETURN_IF_JSON_ERROR(std::move(next).get(member));
    std::string_view name;
    if (const auto plain = Unescaped(member.key()); plain.has_value()) {
      name = *plain;
    } else {
      RETURN_IF_JSON_ERROR(member.unescaped_key().get(name));
    }
    const JsonField* field = nullptr;
    for (size_t tried = 0; tried < fields.size(); ++tried) {
      const JsonField& candidate = fields[expected];
      if (++expected == fields.size()) expected = 0;
      if (candidate.name == name) {
        field = &candidate;
        break;
      }
    }
    if (field == nullptr) {
      JsonValue ignored;
      RETURN_IF_ERROR(ReadValue(member.value(), JsonField{{}, &ignored}, depth));
      continue;
    }
    if (field->value->kind != Kind::kAbsent) Clear({field, 1});
    RETURN_IF_ERROR(ReadValue(member.value(), *field, depth));
  }
  return base::Status::Ok();
}

}  // namespace

struct JsonReader::Impl {
  ondemand::parser parser;
  std::string padded;
};

JsonReader::JsonReader() : impl_(std::make_unique<Impl>()) {}
JsonReader::~JsonReader() = default;
JsonReader::JsonReader(JsonReader&&) noexcept = default;
JsonReader& JsonReader::operator=(JsonReader&&) noexcept = default;

base::Status JsonReader::Read(std::string_view json, std::span<const JsonField> fields) {
  Clear(fields);
  // simdjson may read (not use) some bytes past the end.
  std::string& padded = impl_->padded;
  if (padded.size() < json.size() + simdjson::SIMDJSON_PADDING) {
    padded.resize(json.size() + simdjson::SIMDJSON_PADDING);
  }
  if (!json.empty()) std::memcpy(padded.data(), json.data(), json.size());
  std::memset(padded.data() + json.size(), ' ', simdjson::SIMDJSON_PADDING);
  ondemand::document document;
  RETURN_IF_JSON_ERROR(
      impl_->parser.iterate(padded.data(), json.size(), padded.size()).get(document));
  JsonValue root;
  RETURN_IF_ERROR(ReadValue(document, JsonField{{}, &root, nullptr, fields}, 0));
  if (root.kind != Kind::kObject) return Refuse(refusal::kWrongShape, "the value is no object");
  const char* rest = nullptr;
  if (document.current_location().get(rest) != simdjson::OUT_OF_BOUNDS) {
    return Refuse(refusal::kNotJson, "more text behind the object");
  }
  return base::Status::Ok();
}

}  // namespace stages
