#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "app/run_options.h"

namespace app {

/// What a value looks like, besides what its field's type says.
enum class ValueForm {
  kPlain,
  /// "90d", "12h", "0".
  kDuration,
  /// One text, or a YAML list that means the same as its elements with commas between them.
  kJoined,
  /// A YAML map, or "name=value" texts.
  kProperties,
};

/// One thing that `herald run` can be told, on all the ways there are to tell it.
///
/// The table of these is the only place where they are listed: flags, environment variables, the
/// file's keys, --print-config and the test of docs/configuration.md are made from it.
struct ConfigKey {
  using Field = std::variant<std::string RunOptions::*, bool RunOptions::*, int RunOptions::*,
                             int64_t RunOptions::*, uint64_t RunOptions::*,
                             std::vector<std::string> RunOptions::*>;

  /// "--commit-interval-ms"; "" for what cannot be a flag.
  std::string_view flag;
  /// "commit_interval_ms", "log.level": at most one group.
  std::string_view yaml;
  Field field;
  std::string_view help;
  /// What a value that is not set comes to, where the field does not say it.
  std::string_view default_text = "";
  /// Of numbers.
  int64_t min = 0;
  int64_t max = 0;
  std::vector<std::string> choices = {};
  ValueForm form = ValueForm::kPlain;
  /// Never shown.
  bool secret = false;
};

const std::vector<ConfigKey>& ConfigKeys();

/// The key of this YAML name; nullptr: there is none.
const ConfigKey* FindConfigKey(std::string_view yaml);

/// "HERALD_COMMIT_INTERVAL_MS"
std::string EnvironmentName(const ConfigKey& key);

/// For people: "whole number, 1 to 64", "true or false", "text".
std::string TypeText(const ConfigKey& key);

/// Sets the key's field from texts as they stand in a file or a variable. Returns what the value
/// should have been, "a whole number from 1 to 64", or "" when it is fine.
std::string SetField(RunOptions& options, const ConfigKey& key,
                     const std::vector<std::string>& texts);

/// The value as it stands in the field, one text; several for a list.
std::vector<std::string> FieldTexts(const RunOptions& options, const ConfigKey& key);

/// Of librdkafka: a password, a key, a token.
bool IsSecretProperty(std::string_view name);

/// The known word that `word` was probably meant to be; "" when none is near.
std::string NearestWord(std::string_view word, const std::vector<std::string>& known);

}  // namespace app
