#include "pipeline/disk_space.h"

#include <string>
#include <system_error>

namespace pipeline {

base::Status CheckDiskSpace(const std::filesystem::path& directory, uint64_t reserve_bytes) {
  if (reserve_bytes == 0) return base::Status::Ok();
  std::error_code error;
  const std::filesystem::space_info space = std::filesystem::space(directory, error);
  if (error || space.available >= reserve_bytes) return base::Status::Ok();
  constexpr uint64_t kMiB = uint64_t{1} << 20;
  return base::Status::Fatal(
      "the disk of state directory " + directory.string() + " is full: " +
      std::to_string(space.available / kMiB) + " MiB are left, the reserve is " +
      std::to_string(reserve_bytes / kMiB) +
      " MiB (--disk-reserve-mib); nothing is lost: make room and start again");
}

}  // namespace pipeline
