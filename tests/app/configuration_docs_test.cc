// docs/configuration.md and examples/herald.yaml say what app/config_keys.cc says.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>

#include "app/config_file.h"
#include "app/config_keys.h"
#include "app/configuration.h"

namespace app {
namespace {

const std::string kRoot = HERALD_SOURCE_DIR;

std::string Read(const std::string& path) {
  std::ifstream file(kRoot + "/" + path);
  EXPECT_TRUE(file.is_open()) << path;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string DefaultText(const ConfigKey& key) {
  if (!key.default_text.empty()) return std::string(key.default_text);
  return "`" + FieldTexts(RunOptions(), key).front() + "`";
}

/// The row of a key up to its meaning: flag, variable, YAML key, type, default.
std::string RowOf(const ConfigKey& key) {
  const std::string flag =
      key.flag.empty() ? std::string("–") : "`" + std::string(key.flag) + "`";
  return "| " + flag + " | `" + EnvironmentName(key) + "` | `" + std::string(key.yaml) + "` | " +
         TypeText(key) + " | " + DefaultText(key) + " | ";
}

TEST(ConfigurationDocs, HaveARowForEachKeyInTheTablesOrder) {
  const std::string docs = Read("docs/configuration.md");
  size_t last = 0;
  for (const ConfigKey& key : ConfigKeys()) {
    const std::string row = RowOf(key);
    const size_t at = docs.find("\n" + row);
    if (at == std::string::npos) {
      ADD_FAILURE() << "docs/configuration.md wants this row:\n" << row << key.help << " |";
      continue;
    }
    EXPECT_GT(at, last) << "the rows have the order of app/config_keys.cc: " << key.yaml;
    last = at;
    // Something is said about it.
    const size_t meaning = at + 1 + row.size();
    EXPECT_GT(docs.find(" |\n", meaning), meaning + 5) << row;
  }
}

TEST(ConfigurationDocs, HaveNoRowThatIsNoKey) {
  std::istringstream lines(Read("docs/configuration.md"));
  size_t rows = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("|") && line.find("| `HERALD_", 1) != std::string::npos) ++rows;
  }
  EXPECT_EQ(rows, ConfigKeys().size());
}

TEST(ConfigurationDocs, TheExampleFileIsGoodAndSetsWhatItShows) {
  const std::string path = kRoot + "/examples/herald.yaml";
  const auto values = ReadConfigFile(path);
  ASSERT_TRUE(values.ok()) << values.status().message();
  EXPECT_GT(values->size(), 10U);
  CLI::App command;
  RunOptions options;
  Configuration configuration;
  configuration.AddFlags(command, options);
  command.parse(std::vector<std::string>{path, "--config"});
  const base::Status resolved = configuration.Resolve(command, {}, options);
  ASSERT_TRUE(resolved.ok()) << resolved.message();
  EXPECT_TRUE(options.warnings.empty());
  EXPECT_EQ(options.brokers, "localhost:9092");
}

TEST(ConfigurationDocs, WhatTheExampleHasAsACommentIsGoodAsWell) {
  // "#key: value", without a space, is a key that may be taken in.
  std::istringstream lines(Read("examples/herald.yaml"));
  std::string all;
  for (std::string line; std::getline(lines, line);) {
    const size_t mark = line.find_first_not_of(' ');
    if (mark != std::string::npos && line[mark] == '#' && mark + 1 < line.size() &&
        line[mark + 1] != ' ') {
      line.erase(mark, 1);
    }
    all += line + "\n";
  }
  const auto values = ParseConfig("examples/herald.yaml", all);
  ASSERT_TRUE(values.ok()) << values.status().message() << '\n' << all;
  std::map<std::string_view, bool> seen;
  for (const FileValue& value : *values) {
    seen[value.key->yaml] = true;
    RunOptions options;
    EXPECT_EQ(SetField(options, *value.key, value.texts), "") << value.key->yaml;
  }
  for (const ConfigKey& key : ConfigKeys()) {
    EXPECT_TRUE(seen.contains(key.yaml)) << "examples/herald.yaml does not show " << key.yaml;
  }
}

}  // namespace
}  // namespace app
