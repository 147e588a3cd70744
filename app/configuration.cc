#include "app/configuration.h"

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <type_traits>
#include <utility>
#include <variant>

#include "app/config_file.h"
#include "app/config_keys.h"

namespace app {
namespace {

constexpr char kConfigVariable[] = "HERALD_CONFIG";
constexpr std::string_view kVariablePrefix = "HERALD_";
/// Read by other commands and known to be meant for Herald.
constexpr const char* kOtherVariables[] = {kConfigVariable, "HERALD_SERVER"};
constexpr size_t kCommentColumn = 44;

bool IsProperties(const ConfigKey& key) { return key.form == ValueForm::kProperties; }

bool IsList(const ConfigKey& key) {
  return std::holds_alternative<std::vector<std::string> RunOptions::*>(key.field);
}

bool IsText(const ConfigKey& key) {
  return IsList(key) || std::holds_alternative<std::string RunOptions::*>(key.field);
}

std::vector<std::string> SplitAtCommas(const std::string& text) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    if (end > begin) parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

std::string WantsText(const ConfigKey& key, const std::string& wanted,
                      const std::vector<std::string>& texts) {
  std::string message = "wants " + wanted;
  if (key.secret) return message;
  message += ", not \"";
  for (size_t i = 0; i < texts.size(); ++i) message += (i == 0 ? "" : ",") + texts[i];
  return message + "\"";
}

/// Properties of a lower source come first, so that the last of a name counts.
void PutBefore(std::vector<std::string> first, std::vector<std::string>& properties) {
  first.insert(first.end(), properties.begin(), properties.end());
  properties = std::move(first);
}

/// A JSON text is a YAML text.
std::string Quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string ValueText(const RunOptions& options, const ConfigKey& key) {
  const std::vector<std::string> texts = FieldTexts(options, key);
  if (!IsText(key)) return texts.front();
  if (!IsList(key)) return Quoted(texts.front());
  std::string list = "[";
  for (size_t i = 0; i < texts.size(); ++i) list += (i == 0 ? "" : ", ") + Quoted(texts[i]);
  return list + "]";
}

void PrintLine(std::ostream& out, const std::string& line, const std::string& comment) {
  out << line << std::string(line.size() < kCommentColumn ? kCommentColumn - line.size() : 1, ' ')
      << "# " << comment << '\n';
}

CLI::Option* AddFlag(CLI::App& command, RunOptions& options, const ConfigKey& key) {
  const std::string flag(key.flag);
  std::string help(key.help);
  if (!key.default_text.empty() && !key.default_text.starts_with("none")) {
    help += " (default " + std::string(key.default_text) + ")";
  }
  CLI::Option* option = std::visit(
      [&](auto member) -> CLI::Option* {
        using T = std::remove_reference_t<decltype(options.*member)>;
        if constexpr (std::is_same_v<T, bool>) {
          return command.add_flag(flag, options.*member, help);
        } else {
          CLI::Option* added = command.add_option(flag, options.*member, help);
          if constexpr (std::is_integral_v<T>) {
            added->check(CLI::Range(static_cast<T>(key.min), static_cast<T>(key.max)));
          }
          return added;
        }
      },
      key.field);
  if (!key.choices.empty()) option->check(CLI::IsMember(key.choices));
  if (key.form == ValueForm::kDuration) {
    option->check([&key](const std::string& text) -> std::string {
      RunOptions scratch;
      const std::string wanted = SetField(scratch, key, {text});
      return wanted.empty() ? std::string() : WantsText(key, wanted, {text});
    });
  }
  if (IsProperties(key)) option->take_all();
  if (key.default_text.empty() && !std::holds_alternative<bool RunOptions::*>(key.field)) {
    option->capture_default_str();
  }
  return option;
}

}  // namespace

void Configuration::AddFlags(CLI::App& command, RunOptions& options) {
  command.add_option("--config", file_,
                     "YAML file with the same options; flags and HERALD_ variables win over it "
                     "(default: the file that HERALD_CONFIG names, if any)");
  command.add_flag("--print-config", print_,
                   "Check everything, show what would count and where it comes from, and end");
  for (const ConfigKey& key : ConfigKeys()) {
    if (!key.flag.empty()) AddFlag(command, options, key);
  }
  command.footer(
      "Each option may also stand in the environment, --threads as HERALD_THREADS, or in the file,\n"
      "as threads; the password only there. docs/configuration.md has them all.\n\n"
      "Examples:\n"
      "  herald run --embedded --users examples/users.ndjson\n"
      "  herald run --brokers localhost:9092 --state-dir /var/lib/herald --threads 2\n"
      "  herald run --brokers localhost:9092 --listen 10.0.0.7:8080 --stay-on-stop\n"
      "  herald run --config /etc/herald.yaml --print-config\n\n"
      "Exit codes: 0 stopped by SIGTERM or SIGINT, 1 a failure (the last log line says which),\n"
      "2 a wrong command line or configuration.");
}

base::Status Configuration::Resolve(const CLI::App& command, const Variables& variables,
                                    RunOptions& options) {
  for (const ConfigKey& key : ConfigKeys()) {
    const std::string flag(key.flag);
    if (!flag.empty() && command.get_option(flag)->count() > 0) {
      origins_.emplace(key.yaml, flag);
    }
  }
  if (command.get_option("--config")->count() == 0) {
    if (const auto named = variables.find(kConfigVariable); named != variables.end()) {
      file_ = named->second;
    }
  }
  for (const std::string& property : options.properties) {
    origins_.emplace("properties." + property.substr(0, property.find('=')), "-X");
  }
  // Whoever comes first has the word: what a flag gave is not touched by the rest.
  RETURN_IF_ERROR(ReadVariables(variables, options));
  if (!file_.empty()) RETURN_IF_ERROR(ReadFile(options));
  PutBefore(variable_properties_, options.properties);
  PutBefore(file_properties_, options.properties);
  const std::string wrong =
      options.Finish([this](std::string_view yaml) { return NameOf(yaml); });
  if (!wrong.empty()) return base::Status::InvalidArgument(wrong);
  WarnOfVariables(variables, options);
  return base::Status::Ok();
}

base::Status Configuration::ReadVariables(const Variables& variables, RunOptions& options) {
  for (const ConfigKey& key : ConfigKeys()) {
    const std::string name = EnvironmentName(key);
    const auto variable = variables.find(name);
    // Empty is how compose files say "not set".
    if (variable == variables.end() || variable->second.empty()) continue;
    const std::vector<std::string> texts = IsList(key)
                                               ? SplitAtCommas(variable->second)
                                               : std::vector<std::string>{variable->second};
    if (IsProperties(key)) {
      for (const std::string& text : texts) {
        std::string property;
        std::string value;
        if (!ParseProperty(text, &property, &value)) {
          return base::Status::InvalidArgument(
              name + ": wants name=value,name=value; a value with a comma in it goes into the file "
                     "or behind -X");
        }
        origins_.emplace("properties." + property, name);
      }
      variable_properties_ = texts;
      continue;
    }
    if (origins_.contains(std::string(key.yaml))) continue;
    const std::string wanted = SetField(options, key, texts);
    if (!wanted.empty()) {
      return base::Status::InvalidArgument(name + ": " + WantsText(key, wanted, texts));
    }
    origins_.emplace(key.yaml, name);
  }
  return base::Status::Ok();
}

base::Status Configuration::ReadFile(RunOptions& options) {
  auto values = ReadConfigFile(file_);
  if (!values.ok()) return values.status();
  for (const FileValue& value : *values) {
    const ConfigKey& key = *value.key;
    const std::string place = file_ + ":" + std::to_string(value.line);
    if (IsProperties(key)) {
      for (const std::string& text : value.texts) {
        origins_.emplace("properties." + text.substr(0, text.find('=')), place);
      }
      file_properties_ = value.texts;
      continue;
    }
    // A file is wrong where it is wrong, also where something else counts.
    RunOptions scratch;
    const bool counts = !origins_.contains(std::string(key.yaml));
    const std::string wanted = SetField(counts ? options : scratch, key, value.texts);
    if (!wanted.empty()) {
      return base::Status::InvalidArgument(place + ": " + std::string(key.yaml) + ": " +
                                           WantsText(key, wanted, value.texts));
    }
    if (counts) origins_.emplace(key.yaml, place);
  }
  return base::Status::Ok();
}

/// Others use the prefix, too: a Kubernetes service called herald gives each container
/// HERALD_SERVICE_HOST and HERALD_PORT. So only what looks like a slip is worth a word.
void Configuration::WarnOfVariables(const Variables& variables, RunOptions& options) const {
  std::vector<std::string> known;
  for (const ConfigKey& key : ConfigKeys()) {
    known.push_back(EnvironmentName(key).substr(kVariablePrefix.size()));
  }
  for (const char* name : kOtherVariables) {
    known.push_back(std::string(name).substr(kVariablePrefix.size()));
  }
  for (const auto& [name, value] : variables) {
    const std::string word = name.substr(kVariablePrefix.size());
    if (std::find(known.begin(), known.end(), word) != known.end()) continue;
    const std::string nearest = NearestWord(word, known);
    if (nearest.empty()) continue;
    options.warnings.push_back("the environment variable " + name +
                               " means nothing to Herald; is " + std::string(kVariablePrefix) +
                               nearest + " meant?");
  }
}

std::string Configuration::NameOf(std::string_view yaml) const {
  const ConfigKey* const key = FindConfigKey(yaml);
  const auto origin = origins_.find(std::string(yaml));
  if (origin == origins_.end()) {
    return key == nullptr || key->flag.empty() ? std::string(yaml) : std::string(key->flag);
  }
  const bool from_file = !file_.empty() && origin->second.starts_with(file_ + ":");
  return from_file ? origin->second + ": " + std::string(yaml) : origin->second;
}

std::string Configuration::OriginOf(const std::string& yaml) const {
  const auto origin = origins_.find(yaml);
  return origin == origins_.end() ? "default" : origin->second;
}

void Configuration::Print(std::ostream& out, const RunOptions& options) const {
  std::string group;
  for (const ConfigKey& key : ConfigKeys()) {
    const std::string yaml(key.yaml);
    const size_t dot = yaml.find('.');
    std::string indent;
    std::string name = yaml;
    if (dot != std::string::npos) {
      if (yaml.substr(0, dot) != group) out << yaml.substr(0, dot) << ":\n";
      group = yaml.substr(0, dot);
      indent = "  ";
      name = yaml.substr(dot + 1);
    }
    if (key.secret) {
      const bool set = !FieldTexts(options, key).front().empty();
      PrintLine(out, indent + "# " + name + ":" + (set ? " (set, not shown)" : ""), OriginOf(yaml));
      continue;
    }
    if (IsProperties(key)) {
      std::map<std::string, std::string> properties;
      for (const std::string& text : options.properties) {
        std::string property;
        std::string value;
        if (ParseProperty(text, &property, &value)) properties[property] = value;
      }
      const bool all_secret =
          std::all_of(properties.begin(), properties.end(),
                      [](const auto& property) { return IsSecretProperty(property.first); });
      out << indent << name << ':' << (all_secret ? " {}" : "") << '\n';
      for (const auto& [property, value] : properties) {
        const bool secret = IsSecretProperty(property);
        PrintLine(out,
                  indent + "  " + (secret ? "# " : "") + property + ": " +
                      (secret ? "(set, not shown)" : Quoted(value)),
                  OriginOf("properties." + property));
      }
      continue;
    }
    PrintLine(out, indent + name + ": " + ValueText(options, key), OriginOf(yaml));
  }
}

}  // namespace app
