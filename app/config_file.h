#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "app/config_keys.h"
#include "base/status.h"

namespace app {

/// One key of a configuration file with its value, as text.
struct FileValue {
  const ConfigKey* key = nullptr;
  /// One; for a list all of them; for properties "name=value" each.
  std::vector<std::string> texts;
  int line = 0;
};

/// Reads the YAML of `herald run --config`. `name` is what messages call the file.
/// Errors: InvalidArgument "NAME:LINE: KEY: what is wrong", with the nearest key for an unknown
/// one. A secret's value is in no message. What a value means is not looked at here, only its shape.
base::Result<std::vector<FileValue>> ParseConfig(const std::string& name, const std::string& yaml);

/// The same for a file. Errors: InvalidArgument also when it cannot be read.
base::Result<std::vector<FileValue>> ReadConfigFile(const std::string& path);

}  // namespace app
