#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/status.h"

namespace app {

/// The file that tells scripts that Herald is ready; see --ready-file. An empty path does nothing.
class ReadyFile {
 public:
  explicit ReadyFile(std::filesystem::path path) : path_(std::move(path)) {}

  /// Errors: Fatal when an old one is there and cannot be removed.
  base::Status Remove() const;
  /// Writes beside it and renames, so that a reader sees all of it or nothing.
  base::Status Write(const std::vector<std::string>& http, const std::string& brokers) const;

 private:
  std::filesystem::path path_;
};

}  // namespace app
