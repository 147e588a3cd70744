#include "state/version.h"

#include <rocksdb/version.h>

namespace state {

std::string RocksDbVersion() { return rocksdb::GetRocksVersionAsString(); }

}  // namespace state
