#include "serving/form_body.h"

#include <algorithm>
#include <string>
#include <utility>

#include "serving/uri.h"

namespace serving {
namespace {

constexpr std::string_view kLineEnd = "\r\n";
constexpr std::string_view kDashes = "--";
/// Fields that are kept; those behind them are passed over.
constexpr size_t kFieldsMax = 1000;

std::string LowerCase(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t";
  const size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

bool IsToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c < 0x7f &&
           std::string_view("()<>@,;:\\\"/[]?=").find(c) == std::string_view::npos;
  });
}

bool IsType(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return IsToken(text);
  return IsToken(text.substr(0, slash)) && IsToken(text.substr(slash + 1));
}

std::string_view Parameter(const MediaType& media, std::string_view name) {
  for (const auto& [parameter, value] : media.parameters) {
    if (parameter == name) return value;
  }
  return {};
}

/// Takes a value off the front of `rest`: a token, or text in quotes. False when there is none.
bool TakeValue(std::string_view& rest, std::string& value) {
  if (!rest.starts_with('"')) {
    const std::string_view token = Trim(rest.substr(0, rest.find(';')));
    if (!IsToken(token)) return false;
    value = token;
    rest.remove_prefix(std::min(rest.find(';'), rest.size()));
    return true;
  }
  for (size_t i = 1; i < rest.size(); ++i) {
    if (rest[i] == '"') {
      rest.remove_prefix(i + 1);
      return true;
    }
    // Only what must be escaped is: browsers on Windows send paths with plain backslashes.
    const bool escape =
        rest[i] == '\\' && i + 1 < rest.size() && (rest[i + 1] == '"' || rest[i + 1] == '\\');
    if (escape) ++i;
    value += rest[i];
  }
  return false;
}

void ReadUrlencoded(std::string_view body, NamesAndValues& fields) {
  while (!body.empty() && fields.size() < kFieldsMax) {
    const size_t ampersand = body.find('&');
    const std::string_view pair = body.substr(0, ampersand);
    body.remove_prefix(ampersand == std::string_view::npos ? body.size() : ampersand + 1);
    if (pair.empty() || pair.find(';') != std::string_view::npos) continue;
    const size_t equals = pair.find('=');
    auto name = DecodeFormText(pair.substr(0, equals));
    auto value = DecodeFormText(equals == std::string_view::npos ? std::string_view()
                                                                 : pair.substr(equals + 1));
    if (name.has_value() && value.has_value()) {
      fields.emplace_back(std::move(*name), std::move(*value));
    }
  }
}

/// Takes a line off the front of `rest`; false when no line ends there.
bool TakeLine(std::string_view& rest, std::string_view& line) {
  const size_t end = rest.find(kLineEnd);
  if (end == std::string_view::npos) return false;
  line = rest.substr(0, end);
  rest.remove_prefix(end + kLineEnd.size());
  return true;
}

/// Takes the header of a part off the front of `rest`; false when it breaks off. `name` stays empty
/// when the part is no field.
bool TakePartHeader(std::string_view& rest, std::string& name) {
  std::string_view line;
  while (TakeLine(rest, line)) {
    if (line.empty()) return true;
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) return false;
    if (LowerCase(line.substr(0, colon)) != "content-disposition") continue;
    const auto disposition = ParseMediaType(line.substr(colon + 1));
    if (disposition.has_value() && disposition->type == "form-data" &&
        Parameter(*disposition, "filename").empty()) {
      name = Parameter(*disposition, "name");
    }
  }
  return false;
}

/// Takes all up to a line "--boundary" or "--boundary--", and that line, off the front of `rest`.
/// False when there is none. REQUIRES: `rest` begins in the line before, with its line end.
bool TakeUpToBoundary(std::string_view& rest, const std::string& boundary, std::string_view& before,
                      bool& last) {
  const std::string_view all = rest;
  size_t at = 0;
  while ((at = all.find(boundary, at)) != std::string_view::npos) {
    std::string_view behind = all.substr(at + boundary.size());
    last = behind.starts_with(kDashes);
    if (last) behind.remove_prefix(kDashes.size());
    behind.remove_prefix(std::min(behind.find_first_not_of(" \t"), behind.size()));
    // The last line may end with the body.
    if (behind.starts_with(kLineEnd) || (last && behind.empty())) {
      before = all.substr(0, at);
      rest = behind;
      return true;
    }
    ++at;
  }
  return false;
}

/// False when the body breaks off.
bool ReadMultipart(std::string_view body, std::string_view name, NamesAndValues& fields) {
  const std::string boundary = std::string(kLineEnd) + "--" + std::string(name);
  // As if there were a line before the body: the first boundary may be its beginning.
  const std::string whole = std::string(kLineEnd) + std::string(body);
  std::string_view rest = whole;
  std::string_view content;
  bool last = false;
  if (!TakeUpToBoundary(rest, boundary, content, last)) return false;
  while (!last) {
    rest.remove_prefix(kLineEnd.size());
    std::string field;
    if (!TakePartHeader(rest, field)) return false;
    // An empty part has its header's empty line for the line before the boundary.
    rest = {rest.data() - kLineEnd.size(), rest.size() + kLineEnd.size()};
    if (!TakeUpToBoundary(rest, boundary, content, last)) return false;
    content.remove_prefix(std::min(kLineEnd.size(), content.size()));
    if (!field.empty() && fields.size() < kFieldsMax) {
      fields.emplace_back(std::move(field), std::string(content));
    }
  }
  return true;
}

}  // namespace

std::optional<MediaType> ParseMediaType(std::string_view header) {
  MediaType media;
  const std::string_view type = Trim(header.substr(0, header.find(';')));
  if (!IsType(type)) return std::nullopt;
  media.type = LowerCase(type);
  header.remove_prefix(std::min(header.find(';'), header.size()));
  while (!(header = Trim(header)).empty()) {
    if (!header.starts_with(';')) return std::nullopt;
    header = Trim(header.substr(1));
    if (header.empty()) break;
    const size_t equals = header.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    const std::string_view name = Trim(header.substr(0, equals));
    if (!IsToken(name)) return std::nullopt;
    header = Trim(header.substr(equals + 1));
    std::string value;
    if (!TakeValue(header, value)) return std::nullopt;
    media.parameters.emplace_back(LowerCase(name), std::move(value));
  }
  return media;
}

FormBody::FormBody(const Request& request) {
  const std::string_view content_type = request.Header("Content-Type").value_or("");
  // Parameters of this type mean nothing, so it is good with malformed ones, too.
  const std::string type = LowerCase(Trim(content_type.substr(0, content_type.find(';'))));
  if (type == "application/x-www-form-urlencoded") ReadUrlencoded(request.body, fields_);
  if (type != "multipart/form-data") return;
  const auto media = ParseMediaType(content_type);
  if (!media.has_value()) return;
  const std::string_view boundary = Parameter(*media, "boundary");
  if (boundary.empty() || !ReadMultipart(request.body, boundary, fields_)) fields_.clear();
}

std::string_view FormBody::Field(std::string_view name) const {
  for (const auto& [field, value] : fields_) {
    if (field == name) return value;
  }
  return {};
}

}  // namespace serving
