#pragma once

#include <string_view>

namespace base {

/// Prints the failed condition with its place and the message to stderr, then aborts.
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition,
                              std::string_view message);

}  // namespace base

/// Aborts, in release too, when our own assumption is wrong. Not for input: input gets a Status.
#define CHECK(condition, message)                                           \
  do {                                                                      \
    if (!(condition)) [[unlikely]] {                                        \
      ::base::CheckFailed(__FILE__, __LINE__, #condition, (message));       \
    }                                                                       \
  } while (false)
