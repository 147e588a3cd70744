#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace stages {

/// One value of a JSON text.
struct JsonValue {
  enum class Kind : uint8_t {
    kAbsent,
    kNull,
    kString,
    kInteger,
    /// A number with a fraction or an exponent.
    kDecimal,
    kBool,
    kObject,
    kArray,
  };
  Kind kind = Kind::kAbsent;
  /// kString: the text without escapes, valid UTF-8. Numbers and booleans: as written.
  /// Valid until the reader's next Read().
  std::string_view text;

  /// Absent and null mean the same to us.
  bool missing() const { return kind == Kind::kAbsent || kind == Kind::kNull; }
};

/// What to take from an object. The pointers are borrowed.
struct JsonField {
  std::string_view name;
  JsonValue* value = nullptr;
  /// When not null: receives the elements if the value is an array.
  std::vector<JsonValue>* elements = nullptr;
  /// Receives the members if the value is an object.
  std::span<const JsonField> members = {};
};

/// Nesting that is read; deeper texts are refused.
inline constexpr int kJsonDepthMax = 256;

/// Takes named fields out of JSON texts and checks every byte of them, without building a tree.
///
/// Memory is kept for the next text. Threads: one.
class JsonReader {
 public:
  JsonReader();
  ~JsonReader();
  JsonReader(JsonReader&&) noexcept;
  JsonReader& operator=(JsonReader&&) noexcept;

  /// Reads an object. Every field's value is set, to kAbsent when the text does not have it; of a
  /// name that comes twice the last counts; other names are passed over.
  /// Errors: InvalidArgument: not-json, invalid-utf8, wrong-shape (JSON, but no object), limit
  /// (nesting).
  base::Status Read(std::string_view json, std::span<const JsonField> fields);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stages
