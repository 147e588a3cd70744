#pragma once

#include <cmath>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <source_location>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"

/// The log: one line an event, for people on a terminal and for programs elsewhere; from outside it
/// is described in docs/operations.md. Never a record's payload, never a secret.
///
/// A warning or an error that repeats (the same place in the code, the same message) is written a
/// few times in a while, and then counted; one line tells the count. See base/repeat_limiter.h.
///
/// Threads: any.
namespace base {

enum class LogLevel { kTrace, kDebug, kInfo, kWarn, kError };

enum class LogFormat {
  /// Text on a terminal, else JSON.
  kAuto,
  kText,
  kJson,
};

/// One field of a log line.
struct LogField {
  LogField(std::string_view name, std::string_view text) : key(name), value(text) {}
  LogField(std::string_view name, const char* text) : key(name), value(text) {}
  LogField(std::string_view name, const std::string& text) : key(name), value(text) {}
  LogField(std::string_view name, std::same_as<bool> auto truth)
      : key(name), value(truth ? "true" : "false"), is_text(false) {}
  template <std::integral T>
    requires(!std::same_as<T, bool>)
  LogField(std::string_view name, T number)
      : key(name), value(std::to_string(number)), is_text(false) {}
  LogField(std::string_view name, double number)
      : key(name), value(std::to_string(number)), is_text(!std::isfinite(number)) {}

  std::string_view key;
  std::string value;
  bool is_text = true;
};

/// A log file is at least so large when the next one is begun.
inline constexpr uint64_t kLogRotationSizeBytesMin = 4096;
inline constexpr int kLogRotationCountMax = 1000;

struct LogOptions {
  LogLevel level = LogLevel::kInfo;
  LogFormat format = LogFormat::kAuto;
  /// Empty: stderr. Its directory is made when it is missing.
  std::string file;
  /// A file that has reached this is set aside as FILE.1 ("herald.1.log" for "herald.log"), what
  /// was FILE.1 as FILE.2, and so on.
  uint64_t rotation_size_bytes = uint64_t{64} << 20;
  /// So many files are kept beside the one that is being written.
  int rotation_count = 5;
};

/// Sends the log where `options` say, from the next line on. Before the first call: text to stderr.
/// Errors: InvalidArgument for a limit out of range, Fatal when the file cannot be opened.
Status ConfigureLog(const LogOptions& options);

/// Writes one line: time, level, the component that `where` lies in, message, fields.
/// REQUIRES: no field is called time, level, component or message.
void Log(LogLevel level, std::string_view message, std::span<const LogField> fields,
         const std::source_location& where = std::source_location::current());

inline void Log(LogLevel level, std::string_view message,
                std::initializer_list<LogField> fields = {},
                const std::source_location& where = std::source_location::current()) {
  Log(level, message, std::span(fields.begin(), fields.size()), where);
}
inline void LogDebug(std::string_view message, std::initializer_list<LogField> fields = {},
                     const std::source_location& where = std::source_location::current()) {
  Log(LogLevel::kDebug, message, fields, where);
}
inline void LogInfo(std::string_view message, std::initializer_list<LogField> fields = {},
                    const std::source_location& where = std::source_location::current()) {
  Log(LogLevel::kInfo, message, fields, where);
}
inline void LogWarn(std::string_view message, std::initializer_list<LogField> fields = {},
                    const std::source_location& where = std::source_location::current()) {
  Log(LogLevel::kWarn, message, fields, where);
}
inline void LogError(std::string_view message, std::initializer_list<LogField> fields = {},
                     const std::source_location& where = std::source_location::current()) {
  Log(LogLevel::kError, message, fields, where);
}

/// Lines below `level` are dropped. Default: info.
void SetLogLevel(LogLevel level);
LogLevel GetLogLevel();
/// The same, with a line that tells it, whatever the level.
void ChangeLogLevel(LogLevel level);

/// Writes how many repeats were left out: of those whose time is over, or of all (before the
/// process ends). Otherwise the next line of anything brings it.
void WriteLogRepeats(bool all);

/// "trace" … "error" to a level; false for any other word.
bool ParseLogLevel(std::string_view word, LogLevel* level);
std::string_view LogLevelName(LogLevel level);
/// "auto", "text" or "json" to a format; false for any other word.
bool ParseLogFormat(std::string_view word, LogFormat* format);

}  // namespace base
