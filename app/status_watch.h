#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/client.h"
#include "app/console.h"

namespace app {

/// Answers that are remembered: as many as a sparkline has columns.
inline constexpr size_t kWatchSamplesMax = 60;
/// Restoring tasks, and topics, that are shown one by one.
inline constexpr size_t kWatchRowsMax = 10;

/// What one look at a server showed.
struct WatchSample {
  int64_t time_ms = 0;
  /// Why it did not answer; everything below is nothing then.
  std::string unreachable;
  Json status;
  /// When the process started: counters of one life can be compared.
  std::string started;
  double records_read = 0;
  double requests = 0;
  double dead_letters = 0;
  /// Cumulative counts of the latency histogram by upper bound in seconds.
  std::vector<std::pair<double, double>> latency;
  /// Over all inputs whose lag is known; nullopt: of none.
  std::optional<int64_t> lag;
  /// Changelog records left, by task that is restoring.
  std::map<std::string, int64_t> restores;
};

/// A sample of the bodies of /v1/status and /metrics, whatever they say.
WatchSample MakeWatchSample(int64_t time_ms, Json status, std::string_view metrics);

/// Eight heights of block for numbers from 0 to the greatest; a gap for what is not known.
std::string Sparkline(const std::vector<std::optional<double>>& numbers);

/// `herald status --watch`: what it prints of the samples so far.
///
/// Threads: one.
class StatusWatch {
 public:
  void Add(WatchSample sample);

  /// The screen as lines, for people in front of a terminal. REQUIRES: Add() was called.
  std::vector<std::string> Screen(const Console& console, const std::string& server) const;
  /// The newest sample as one line. REQUIRES: Add() was called.
  std::string Line() const;

 private:
  /// Per second, between sample `index` and the one before; nullopt across a restart or a silence.
  std::optional<double> Rate(size_t index, double WatchSample::* counter) const;
  std::optional<double> Latency(size_t index, double quantile) const;
  /// The oldest sample of the same life, at most `samples` before `index`.
  const WatchSample& Before(size_t index, size_t samples) const;
  /// "1200 records left, 400/s, 3 s to go"
  std::string RestoreText(const std::string& task, int64_t left) const;
  /// Whether the newest sample has no answer; then `text` says so.
  bool Unreachable(std::string* text) const;

  std::deque<WatchSample> samples_;
  /// When it answered last; 0: never.
  int64_t answered_ms_ = 0;
};

}  // namespace app
