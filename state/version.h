#pragma once

#include <string>

namespace state {

/// The version of RocksDB that this process runs with, e.g. "7.8.3".
std::string RocksDbVersion();

}  // namespace state
