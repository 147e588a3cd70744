#include "app/config_file.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <system_error>
#include <utility>

namespace app {
namespace {

constexpr size_t kConfigBytesMax = size_t{1} << 20;

std::string LineText(const YAML::Mark& mark) { return std::to_string(mark.line + 1); }

std::string KindText(const YAML::Node& node) {
  switch (node.Type()) {
    case YAML::NodeType::Sequence:
      return "a list";
    case YAML::NodeType::Map:
      return "a map";
    case YAML::NodeType::Scalar:
      return "a single value";
    default:
      return "nothing";
  }
}

/// "log" of "log.level"; "" of a key at the top.
std::string_view GroupOf(std::string_view yaml) {
  const size_t dot = yaml.find('.');
  return dot == std::string_view::npos ? std::string_view() : yaml.substr(0, dot);
}

bool IsGroup(std::string_view name) {
  const auto& keys = ConfigKeys();
  return std::any_of(keys.begin(), keys.end(),
                     [&](const ConfigKey& key) { return GroupOf(key.yaml) == name; });
}

/// As the words of keys are compared: a flag's spelling, a key without its group and one with a
/// group's name before it are no further away than the key itself.
std::string Plain(std::string_view name) {
  std::string plain;
  for (const char c : name.substr(std::min(name.find_first_not_of('-'), name.size()))) {
    if (c == '-' || c == '.') plain += '_';
    else if (c >= 'A' && c <= 'Z') plain += static_cast<char>(c - 'A' + 'a');
    else plain += c;
  }
  return plain;
}

std::string NearestKey(std::string_view unknown) {
  std::map<std::string, std::string> by_plain;
  for (const ConfigKey& key : ConfigKeys()) {
    const std::string yaml(key.yaml);
    const std::string_view group = GroupOf(key.yaml);
    if (!group.empty()) {
      by_plain.emplace(Plain(key.yaml.substr(group.size() + 1)), yaml);
      by_plain.emplace(std::string(group), std::string(group));
    }
    by_plain.insert_or_assign(Plain(key.yaml), yaml);
  }
  std::vector<std::string> plain;
  for (const auto& [name, yaml] : by_plain) plain.push_back(name);
  std::string nearest = NearestWord(Plain(unknown), plain);
  if (nearest.empty() && unknown.find('.') != std::string_view::npos) {
    // In a group to which it does not belong.
    nearest = NearestWord(Plain(unknown.substr(unknown.find('.') + 1)), plain);
  }
  return nearest.empty() ? "" : by_plain.at(nearest);
}

class ConfigReader {
 public:
  explicit ConfigReader(std::string name) : name_(std::move(name)) {}

  base::Result<std::vector<FileValue>> Read(const std::string& yaml) {
    try {
      const std::vector<YAML::Node> documents = YAML::LoadAll(yaml);
      if (documents.size() > 1) return Wrong(documents[1].Mark(), "more than one document");
      if (documents.empty() || documents[0].IsNull()) return std::move(values_);
      if (!documents[0].IsMap()) {
        return Wrong(documents[0].Mark(),
                     "wants keys with values, as \"threads: 2\", not " + KindText(documents[0]));
      }
      RETURN_IF_ERROR(ReadMap(documents[0], ""));
      return std::move(values_);
    } catch (const YAML::Exception& error) {
      return Wrong(error.mark, "not YAML: " + error.msg);
    }
  }

 private:
  base::Status Wrong(const YAML::Mark& mark, const std::string& what) const {
    // A mark that is none has line -1.
    const std::string place = mark.is_null() ? name_ : name_ + ":" + LineText(mark);
    return base::Status::InvalidArgument(place + ": " + what);
  }

  base::Status ReadMap(const YAML::Node& map, const std::string& group) {
    for (const auto& entry : map) {
      if (!entry.first.IsScalar()) {
        return Wrong(entry.first.Mark(), "a key wants to be a word, not " + KindText(entry.first));
      }
      const std::string yaml = group + entry.first.Scalar();
      const YAML::Mark mark = entry.first.Mark();
      if (const auto [before, fresh] = lines_.emplace(yaml, mark.line + 1); !fresh) {
        return Wrong(mark, yaml + " is there twice, first in line " +
                               std::to_string(before->second));
      }
      if (group.empty() && IsGroup(yaml)) {
        if (!entry.second.IsMap()) {
          return Wrong(mark, yaml + ": wants keys of its own, as " + ExampleOf(yaml) + ", not " +
                                 KindText(entry.second));
        }
        RETURN_IF_ERROR(ReadMap(entry.second, yaml + "."));
        continue;
      }
      // A dot belongs to the names of the table; in a file the group is a map.
      const ConfigKey* const key =
          group.empty() && yaml.find('.') != std::string::npos ? nullptr : FindConfigKey(yaml);
      if (key == nullptr) return Unknown(mark, yaml);
      FileValue value{.key = key, .texts = {}, .line = mark.line + 1};
      RETURN_IF_ERROR(ReadValue(*key, entry.second, mark, &value.texts));
      values_.push_back(std::move(value));
    }
    return base::Status::Ok();
  }

  base::Status Unknown(const YAML::Mark& mark, const std::string& yaml) const {
    const std::string nearest = NearestKey(yaml);
    std::string what = yaml + ": unknown key";
    if (nearest == yaml) {
      const size_t dot = nearest.find('.');
      what += "; write \"" + nearest.substr(0, dot) + ":\" and below it, indented, \"" +
              nearest.substr(dot + 1) + ":\"";
    } else if (!nearest.empty()) {
      what += "; did you mean " + nearest + "?";
    }
    return Wrong(mark, what);
  }

  static std::string ExampleOf(const std::string& group) {
    for (const ConfigKey& key : ConfigKeys()) {
      if (GroupOf(key.yaml) == group) return std::string(key.yaml.substr(group.size() + 1));
    }
    return "";
  }

  base::Status ReadValue(const ConfigKey& key, const YAML::Node& node, const YAML::Mark& mark,
                         std::vector<std::string>* texts) const {
    const std::string yaml(key.yaml);
    if (node.IsNull()) {
      return Wrong(mark, yaml + ": has no value; leave the key out for its default");
    }
    if (key.form == ValueForm::kProperties) return ReadProperties(yaml, node, mark, texts);
    if (node.IsScalar()) {
      texts->push_back(node.Scalar());
      return base::Status::Ok();
    }
    const bool takes_list =
        key.form == ValueForm::kJoined ||
        std::holds_alternative<std::vector<std::string> RunOptions::*>(key.field);
    if (!takes_list || !node.IsSequence()) {
      return Wrong(mark, yaml + ": wants " + TypeText(key) + ", not " + KindText(node));
    }
    for (const auto& element : node) {
      if (!element.IsScalar()) {
        return Wrong(mark, yaml + ": wants texts in its list, not " + KindText(element));
      }
      texts->push_back(element.Scalar());
    }
    return base::Status::Ok();
  }

  base::Status ReadProperties(const std::string& yaml, const YAML::Node& node,
                              const YAML::Mark& mark, std::vector<std::string>* texts) const {
    if (!node.IsMap()) {
      return Wrong(mark, yaml + ": wants a map, as \"socket.keepalive.enable: true\", not " +
                             KindText(node));
    }
    std::map<std::string, int> lines;
    for (const auto& entry : node) {
      if (!entry.first.IsScalar() || !entry.second.IsScalar()) {
        return Wrong(entry.first.Mark(), yaml + ": wants names with one value each");
      }
      const std::string& name = entry.first.Scalar();
      if (!lines.emplace(name, entry.first.Mark().line + 1).second) {
        return Wrong(entry.first.Mark(), yaml + ": " + name + " is there twice, first in line " +
                                             std::to_string(lines.at(name)));
      }
      texts->push_back(name + "=" + entry.second.Scalar());
    }
    return base::Status::Ok();
  }

  const std::string name_;
  std::map<std::string, int> lines_;
  std::vector<FileValue> values_;
};

}  // namespace

base::Result<std::vector<FileValue>> ParseConfig(const std::string& name, const std::string& yaml) {
  return ConfigReader(name).Read(yaml);
}

base::Result<std::vector<FileValue>> ReadConfigFile(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    return base::Status::InvalidArgument(path + ": is a directory");
  }
  std::ifstream file(path, std::ios::binary);
  if (!file.is_open()) {
    return base::Status::InvalidArgument(path + ": cannot be read: " + std::strerror(errno));
  }
  std::string text(kConfigBytesMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(file.gcount()));
  if (file.bad()) return base::Status::InvalidArgument(path + ": cannot be read");
  if (text.size() > kConfigBytesMax) {
    return base::Status::InvalidArgument(path + ": is larger than " +
                                         std::to_string(kConfigBytesMax) + " bytes");
  }
  return ParseConfig(path, text);
}

}  // namespace app
