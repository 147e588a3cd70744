#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "base/log.h"

/// How one line of the log is put together; for base/log.cc. Threads: any.
namespace base {

/// Bytes of a message or a value that go into a line at most; of a longer one, its beginning.
inline constexpr size_t kLogValueBytesMax = 4096;

/// The members of a JSON object, without braces and without the time:
/// `"level":"warn","component":"pipeline/task","message":"...","topic":"events","offset":7`.
/// Valid UTF-8 on one line whatever the values are: bytes that are no UTF-8 become U+FFFD, control
/// characters are escaped, and so is what else a terminal obeys (C1, marks of direction). Numbers
/// and truth values are not quoted.
std::string JsonLogLine(LogLevel level, std::string_view component, std::string_view message,
                        std::span<const LogField> fields);

/// `message key=value key="a value" component=...`. Values with spaces, quotes or control
/// characters are quoted; bytes that are no UTF-8 are written as \xNN, characters that a terminal
/// obeys as \uNNNN.
std::string TextLogLine(std::string_view component, std::string_view message,
                        std::span<const LogField> fields);

/// "pipeline/stream-thread" of ".../pipeline/stream_thread.cc".
std::string ComponentOf(std::string_view file);

}  // namespace base
