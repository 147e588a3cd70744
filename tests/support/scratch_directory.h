#pragma once

#include <filesystem>

namespace support {

/// An empty directory of this test's own, deleted with everything in it at the end. In memory where
/// the machine has /dev/shm, because a simulation opens thousands of databases.
class ScratchDirectory {
 public:
  ScratchDirectory();
  ~ScratchDirectory();
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace support
