#pragma once

#include <optional>
#include <string_view>

#include "serving/http_message.h"

namespace serving {

/// Fields of an HTML form in a request's body; a name may come twice.
class FormBody {
 public:
  /// Reads `application/x-www-form-urlencoded` and `multipart/form-data`, as Content-Type says, and
  /// as Go's net/http does: an urlencoded pair that cannot be decoded or has a ';' is passed over;
  /// a multipart body that breaks off has no fields; files are no fields. Another Content-Type, or
  /// none: no fields.
  explicit FormBody(const Request& request);

  /// The first value of that name; "" when there is none.
  std::string_view Field(std::string_view name) const;

 private:
  NamesAndValues fields_;
};

/// A header value such as `form-data; name="message"`.
struct MediaType {
  /// In lower case: "form-data".
  std::string type;
  /// Names in lower case.
  NamesAndValues parameters;
};

/// nullopt when the header is malformed.
std::optional<MediaType> ParseMediaType(std::string_view header);

}  // namespace serving
