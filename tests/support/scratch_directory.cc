#include "tests/support/scratch_directory.h"

#include <stdlib.h>
#include <unistd.h>

#include <string>
#include <system_error>

#include "base/check.h"

namespace support {
namespace {

const char* const kMemoryDirectory = "/dev/shm";

}  // namespace

ScratchDirectory::ScratchDirectory() {
  const std::filesystem::path parent = access(kMemoryDirectory, W_OK) == 0
                                           ? std::filesystem::path(kMemoryDirectory)
                                           : std::filesystem::temp_directory_path();
  std::string pattern = (parent / "herald-test-XXXXXX").string();
  CHECK(mkdtemp(pattern.data()) != nullptr, "no scratch directory in " + parent.string());
  path_ = pattern;
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace support
