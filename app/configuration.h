#pragma once

#include <CLI/CLI.hpp>
#include <map>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "app/console.h"
#include "app/run_options.h"
#include "base/status.h"

namespace app {

/// The environment variables that begin with HERALD_, by name.
using Variables = std::map<std::string, std::string>;

/// How `herald run` is told what to do: flags, over environment variables, over a file, over
/// defaults. docs/configuration.md describes it to people.
///
/// Threads: main.
class Configuration {
 public:
  /// Adds the flags of `herald run` to `command`; this and `options` outlive it.
  void AddFlags(CLI::App& command, RunOptions& options);

  /// After `command` was parsed: fills `options` from the variables and the file where no flag was
  /// given, and finishes them. Called once.
  /// Errors: InvalidArgument with where the wrong value stands and what it should be.
  base::Status Resolve(const CLI::App& command, const Variables& variables, RunOptions& options);

  /// --print-config was given.
  bool print() const { return print_; }

  /// Writes the options as a configuration file, each with where it came from; secrets are left
  /// out. REQUIRES: Resolve() was ok.
  void Print(std::ostream& out, const RunOptions& options) const;

 private:
  base::Status ReadFile(RunOptions& options);
  base::Status ReadVariables(const Variables& variables, RunOptions& options);
  void WarnOfVariables(const Variables& variables, RunOptions& options) const;
  std::string NameOf(std::string_view yaml) const;
  std::string OriginOf(const std::string& yaml) const;

  std::string file_;
  bool print_ = false;
  /// "--threads", "HERALD_THREADS", "herald.yaml:4", by YAML name, for what is not a default.
  /// Properties are there one by one as well: "properties.linger.ms".
  std::map<std::string, std::string> origins_;
  /// Of the properties that this source gave.
  std::vector<std::string> file_properties_;
  std::vector<std::string> variable_properties_;
};

}  // namespace app
