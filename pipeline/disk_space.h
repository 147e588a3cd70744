#pragma once

#include <cstdint>
#include <filesystem>

#include "base/status.h"

namespace pipeline {

/// Fatal when less than `reserve_bytes` are free on the disk of `directory`: better to stop while
/// RocksDB can still be closed than to run into the wall. 0: never. A disk that does not tell is fine.
/// Threads: any.
base::Status CheckDiskSpace(const std::filesystem::path& directory, uint64_t reserve_bytes);

}  // namespace pipeline
