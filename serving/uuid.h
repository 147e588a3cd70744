#pragma once

#include <cstdint>
#include <string>

namespace serving {

/// A UUID version 7 (RFC 9562) in lower case: sorts by `now_ms`, the rest is random.
/// Threads: any.
std::string MakeUuidV7(int64_t now_ms);

}  // namespace serving
