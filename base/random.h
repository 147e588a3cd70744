#pragma once

#include <cstdint>

namespace base {

/// 64 random bits: for ids that must not come twice, not for secrets. Threads: any.
uint64_t RandomBits();

}  // namespace base
