#include "serving/uri.h"

#include <algorithm>
#include <utility>

namespace serving {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::optional<std::string> PercentDecode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded.push_back(text[i]);
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = HexDigit(text[i + 1]);
    const int low = HexDigit(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    decoded.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return decoded;
}

std::optional<std::string> DecodeFormText(std::string_view text) {
  std::string spaced(text);
  std::replace(spaced.begin(), spaced.end(), '+', ' ');
  return PercentDecode(spaced);
}

std::vector<std::string> SplitPath(std::string_view path) {
  std::vector<std::string> segments;
  if (!path.empty() && path.front() == '/') path.remove_prefix(1);
  while (true) {
    const size_t slash = path.find('/');
    segments.emplace_back(path.substr(0, slash));
    if (slash == std::string_view::npos) return segments;
    path.remove_prefix(slash + 1);
  }
}

std::optional<std::vector<std::string>> DecodePath(std::string_view path) {
  std::vector<std::string> segments = SplitPath(path);
  for (std::string& segment : segments) {
    if (segment.find('%') == std::string::npos) continue;
    auto decoded = PercentDecode(segment);
    if (!decoded.has_value()) return std::nullopt;
    segment = std::move(*decoded);
  }
  return segments;
}

std::optional<NamesAndValues> DecodeQuery(std::string_view query) {
  NamesAndValues parameters;
  while (!query.empty()) {
    const size_t ampersand = query.find('&');
    const std::string_view parameter = query.substr(0, ampersand);
    query.remove_prefix(ampersand == std::string_view::npos ? query.size() : ampersand + 1);
    if (parameter.empty()) continue;
    const size_t equals = parameter.find('=');
    auto name = DecodeFormText(parameter.substr(0, equals));
    auto value = DecodeFormText(equals == std::string_view::npos ? std::string_view()
                                                                 : parameter.substr(equals + 1));
    if (!name.has_value() || !value.has_value()) return std::nullopt;
    parameters.emplace_back(std::move(*name), std::move(*value));
  }
  return parameters;
}

}  // namespace serving
