#include "base/log.h"

#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <exception>
#include <memory>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/log_line.h"
#include "base/mutex.h"
#include "base/repeat_limiter.h"

namespace base {
namespace {

constexpr std::array<std::string_view, 5> kLevelNames = {"trace", "debug", "info", "warn", "error"};

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kTrace:
      return spdlog::level::trace;
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

/// Where lines go, and in which form.
struct Target {
  bool json = false;
  std::shared_ptr<spdlog::logger> logger;
};

Target MakeTarget(spdlog::sink_ptr sink, bool json) {
  Target target;
  target.json = json;
  target.logger = std::make_shared<spdlog::logger>("herald", std::move(sink));
  target.logger->set_pattern(
      json ? R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ",%v})" : "%Y-%m-%dT%H:%M:%S.%eZ %^%l%$ %v",
      spdlog::pattern_time_type::utc);
  // The threshold is ours, and a line that is not on disk when the process dies helps nobody.
  target.logger->set_level(spdlog::level::trace);
  target.logger->flush_on(spdlog::level::trace);
  return target;
}

class Logs {
 public:
  void SetTarget(Target target) {
    const MutexLock lock(mutex_);
    target_ = std::make_shared<const Target>(std::move(target));
  }

  void Write(LogLevel level, std::string_view message, std::span<const LogField> fields,
             const std::source_location& where) {
    const std::string component = ComponentOf(where.file_name());
    bool write = true;
    std::vector<RepeatLimiter::LeftOut> left_out;
    std::shared_ptr<const Target> target;
    {
      const std::chrono::nanoseconds now = SystemClock::Instance().Monotonic();
      const MutexLock lock(mutex_);
      if (level >= LogLevel::kWarn) {
        write = limiter_.Take(where.file_name(), where.line(), message, component,
                              static_cast<int>(level), now);
      }
      left_out = limiter_.TakeLeftOut(now);
      target = target_;
    }
    WriteLeftOut(*target, left_out);
    if (write) WriteLine(*target, level, component, message, fields);
  }

  void WriteRepeats(bool all) {
    std::vector<RepeatLimiter::LeftOut> left_out;
    std::shared_ptr<const Target> target;
    {
      const std::chrono::nanoseconds now = SystemClock::Instance().Monotonic();
      const MutexLock lock(mutex_);
      left_out = limiter_.TakeLeftOut(now, all);
      target = target_;
    }
    WriteLeftOut(*target, left_out);
  }

  std::atomic<LogLevel>& threshold() { return threshold_; }

 private:
  static void WriteLine(const Target& target, LogLevel level, std::string_view component,
                        std::string_view message, std::span<const LogField> fields) {
    const std::string line = target.json ? JsonLogLine(level, component, message, fields)
                                         : TextLogLine(component, message, fields);
    target.logger->log(ToSpdlog(level), spdlog::string_view_t(line.data(), line.size()));
  }

  static void WriteLeftOut(const Target& target,
                           const std::vector<RepeatLimiter::LeftOut>& left_out) {
    for (const RepeatLimiter::LeftOut& one : left_out) {
      const LogField fields[] = {{"lines", one.lines}, {"repeated", one.message}};
      WriteLine(target, static_cast<LogLevel>(one.level), one.component,
                "lines like one before were left out", fields);
    }
  }

  std::atomic<LogLevel> threshold_{LogLevel::kInfo};
  Mutex mutex_;
  std::shared_ptr<const Target> target_ GUARDED_BY(mutex_) = std::make_shared<const Target>(
      MakeTarget(std::make_shared<spdlog::sinks::stderr_color_sink_mt>(), /*json=*/false));
  RepeatLimiter limiter_ GUARDED_BY(mutex_);
};

Logs& TheLogs() {
  // Never destroyed: threads may log while the process ends.
  static Logs& logs = *new Logs;
  return logs;
}

}  // namespace

Status ConfigureLog(const LogOptions& options) {
  if (options.rotation_size_bytes < kLogRotationSizeBytesMin) {
    return Status::InvalidArgument("a log file's rotation size is at least " +
                                   std::to_string(kLogRotationSizeBytesMin) + " bytes");
  }
  if (options.rotation_count < 0 || options.rotation_count > kLogRotationCountMax) {
    return Status::InvalidArgument("a log's rotation count is 0 to " +
                                   std::to_string(kLogRotationCountMax));
  }
  bool json = options.format == LogFormat::kJson;
  spdlog::sink_ptr sink;
  if (!options.file.empty()) {
    if (options.format == LogFormat::kAuto) json = true;
    try {
      sink = std::make_shared<spdlog::sinks::rotating_file_sink_mt>(
          options.file, options.rotation_size_bytes,
          static_cast<size_t>(options.rotation_count));
    } catch (const std::exception& error) {
      return Status::Fatal("log file " + options.file + ": " + error.what());
    }
  } else {
    if (options.format == LogFormat::kAuto) json = isatty(STDERR_FILENO) == 0;
    if (json) {
      sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    } else {
      sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
    }
  }
  TheLogs().SetTarget(MakeTarget(std::move(sink), json));
  SetLogLevel(options.level);
  return Status::Ok();
}

void Log(LogLevel level, std::string_view message, std::span<const LogField> fields,
         const std::source_location& where) {
  Logs& logs = TheLogs();
  if (level < logs.threshold().load(std::memory_order_relaxed)) return;
  logs.Write(level, message, fields, where);
}

void SetLogLevel(LogLevel level) { TheLogs().threshold() = level; }

LogLevel GetLogLevel() { return TheLogs().threshold(); }

void ChangeLogLevel(LogLevel level) {
  Logs& logs = TheLogs();
  const LogLevel before = logs.threshold().exchange(level);
  const LogField fields[] = {{"from", LogLevelName(before)}, {"to", LogLevelName(level)}};
  logs.Write(LogLevel::kInfo, "the log level is another now", fields,
             std::source_location::current());
}

void WriteLogRepeats(bool all) { TheLogs().WriteRepeats(all); }

bool ParseLogLevel(std::string_view word, LogLevel* level) {
  for (size_t i = 0; i < kLevelNames.size(); ++i) {
    if (kLevelNames[i] != word) continue;
    *level = static_cast<LogLevel>(i);
    return true;
  }
  return false;
}

std::string_view LogLevelName(LogLevel level) { return kLevelNames[static_cast<size_t>(level)]; }

bool ParseLogFormat(std::string_view word, LogFormat* format) {
  if (word == "auto") *format = LogFormat::kAuto;
  else if (word == "text") *format = LogFormat::kText;
  else if (word == "json") *format = LogFormat::kJson;
  else return false;
  return true;
}

}  // namespace base
