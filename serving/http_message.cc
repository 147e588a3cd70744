#include "serving/http_message.h"

#include <algorithm>

#include "base/check.h"

namespace serving {
namespace {

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool EqualIgnoringCase(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return Lower(x) == Lower(y); });
}

}  // namespace

std::string_view Request::path() const {
  const std::string_view all = target;
  return all.substr(0, all.find('?'));
}

std::optional<std::string_view> Request::Header(std::string_view name) const {
  for (const auto& [header, value] : headers) {
    if (EqualIgnoringCase(header, name)) return value;
  }
  return std::nullopt;
}

std::optional<std::string_view> Request::Query(std::string_view name) const {
  for (const auto& [parameter, value] : query) {
    if (parameter == name) return value;
  }
  return std::nullopt;
}

const std::string& Request::PathParameter(std::string_view name) const {
  const auto it = std::find_if(path_parameters.begin(), path_parameters.end(),
                               [name](const auto& entry) { return entry.first == name; });
  CHECK(it != path_parameters.end(), "the route's pattern has no such parameter");
  return it->second;
}

}  // namespace serving
