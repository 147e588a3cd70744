#include "app/status_watch.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>

#include "stages/iso_time.h"

namespace app {
namespace {

/// Latency is of the last so many samples, and time left goes by so many.
constexpr size_t kLatencySamples = 5;
constexpr size_t kRestoreSamples = 15;

std::string Format(const char* format, double number) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), format, number);
  return text.data();
}

/// "1234", "3.2": not more digits than say something.
std::string NumberText(double number) {
  return Format(number == 0 || number >= 10 ? "%.0f" : "%.1f", number);
}

std::string RateText(const std::optional<double>& rate) {
  return rate.has_value() ? NumberText(*rate) + "/s" : "?";
}

std::string SecondsText(const std::optional<double>& seconds) {
  if (!seconds.has_value()) return "-";
  if (*seconds < 1) return Format(*seconds < 0.01 ? "%.1f ms" : "%.0f ms", *seconds * 1000);
  return Format("%.1f s", *seconds);
}

std::string DurationText(double seconds) {
  const auto whole = static_cast<int64_t>(std::min(seconds, 1e9) + 0.5);
  if (whole < 60) return std::to_string(whole) + " s";
  if (whole < 3600) {
    return std::to_string(whole / 60) + " min " + std::to_string(whole % 60) + " s";
  }
  return std::to_string(whole / 3600) + " h " + std::to_string(whole % 3600 / 60) + " min";
}

std::string TimeText(int64_t time_ms) {
  std::string text;
  stages::AppendIsoTime(text, time_ms);
  return text.substr(0, 19) + "Z";
}

/// The number behind the last space of a metric's line.
std::optional<double> ValueOf(std::string_view line) {
  const size_t space = line.rfind(' ');
  if (space == std::string_view::npos) return std::nullopt;
  double value = 0;
  const char* const end = line.data() + line.size();
  const auto [rest, error] = std::from_chars(line.data() + space + 1, end, value);
  if (error != std::errc() || rest != end || !std::isfinite(value)) return std::nullopt;
  return value;
}

void TakeBucket(std::string_view line, double value, WatchSample& sample) {
  constexpr std::string_view kLe = "le=\"";
  const size_t begin = line.find(kLe);
  if (begin == std::string_view::npos) return;
  const std::string_view text =
      line.substr(begin + kLe.size(), line.find('"', begin + kLe.size()) - begin - kLe.size());
  double bound = std::numeric_limits<double>::infinity();
  if (text != "+Inf") {
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), bound);
    if (error != std::errc()) return;
  }
  const auto same = std::find_if(sample.latency.begin(), sample.latency.end(),
                                 [bound](const auto& bucket) { return bucket.first == bound; });
  if (same != sample.latency.end()) {
    same->second += value;
  } else {
    sample.latency.emplace_back(bound, value);
  }
}

bool IsReady(const Json& status) {
  const Json& ready = PartOf(status, "ready");
  return ready.is_boolean() && ready.get<bool>();
}

}  // namespace

WatchSample MakeWatchSample(int64_t time_ms, Json status, std::string_view metrics) {
  WatchSample sample;
  sample.time_ms = time_ms;
  sample.started = TextOf(status, "started");
  const auto begins = [](std::string_view line, std::string_view name) {
    return line.starts_with(name) && line.size() > name.size() &&
           (line[name.size()] == '{' || line[name.size()] == ' ');
  };
  while (!metrics.empty()) {
    const std::string_view line = metrics.substr(0, metrics.find('\n'));
    metrics.remove_prefix(std::min(metrics.size(), line.size() + 1));
    const std::optional<double> value = ValueOf(line);
    if (!value.has_value()) continue;
    if (begins(line, "herald_records_consumed_total")) sample.records_read += *value;
    if (begins(line, "herald_http_requests_total")) sample.requests += *value;
    if (begins(line, "herald_dead_letters_total")) sample.dead_letters += *value;
    if (begins(line, "herald_end_to_end_latency_seconds_bucket")) TakeBucket(line, *value, sample);
  }
  std::sort(sample.latency.begin(), sample.latency.end());
  for (const Json& task : PartOf(status, "tasks")) {
    for (const Json& input : PartOf(task, "inputs")) {
      if (!PartOf(input, "lag").is_number_integer()) continue;
      sample.lag = sample.lag.value_or(0) + NumberOf(input, "lag");
    }
    if (TextOf(task, "state") != "restoring") continue;
    int64_t left = 0;
    const Json& stores = PartOf(task, "restore_remaining");
    if (stores.is_object()) {
      for (const auto& [store, records] : stores.items()) {
        if (records.is_number_integer()) left += records.get<int64_t>();
      }
    }
    sample.restores[TextOf(task, "id")] = left;
  }
  sample.status = std::move(status);
  return sample;
}

std::string Sparkline(const std::vector<std::optional<double>>& numbers) {
  static constexpr std::array<const char*, 8> kBlocks = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  double max = 0;
  for (const auto& number : numbers) max = std::max(max, number.value_or(0));
  std::string line;
  for (const auto& number : numbers) {
    if (!number.has_value()) {
      line += ' ';
      continue;
    }
    const double part = max > 0 ? std::max(0.0, *number) / max : 0;
    line += kBlocks[static_cast<size_t>(part * (kBlocks.size() - 1) + 0.5)];
  }
  return line;
}

void StatusWatch::Add(WatchSample sample) {
  if (sample.unreachable.empty()) answered_ms_ = sample.time_ms;
  // One status is all that is shown; the others would only be held.
  if (!samples_.empty()) samples_.back().status = Json();
  samples_.push_back(std::move(sample));
  if (samples_.size() > kWatchSamplesMax) samples_.pop_front();
}

const WatchSample& StatusWatch::Before(size_t index, size_t samples) const {
  size_t first = index;
  while (first > 0 && index - first < samples && samples_[first - 1].unreachable.empty() &&
         samples_[first - 1].started == samples_[index].started) {
    --first;
  }
  return samples_[first];
}

std::optional<double> StatusWatch::Rate(size_t index, double WatchSample::* counter) const {
  const WatchSample& now = samples_[index];
  const WatchSample& before = Before(index, 1);
  if (!now.unreachable.empty() || before.time_ms >= now.time_ms) return std::nullopt;
  const double seconds = static_cast<double>(now.time_ms - before.time_ms) / 1000;
  return std::max(0.0, (now.*counter - before.*counter) / seconds);
}

std::optional<double> StatusWatch::Latency(size_t index, double quantile) const {
  const WatchSample& now = samples_[index];
  if (now.latency.empty() || !now.unreachable.empty()) return std::nullopt;
  const WatchSample& before = Before(index, kLatencySamples);
  std::vector<std::pair<double, double>> grown = now.latency;
  if (&before == &now) return std::nullopt;
  for (auto& [bound, count] : grown) {
    for (const auto& [old_bound, old_count] : before.latency) {
      if (old_bound == bound) count -= old_count;
    }
  }
  const double all = grown.back().second;
  if (all <= 0) return std::nullopt;
  double from = 0;
  double below = 0;
  for (const auto& [bound, count] : grown) {
    if (count >= quantile * all) {
      if (std::isinf(bound) || count <= below) return from;
      return from + (bound - from) * (quantile * all - below) / (count - below);
    }
    from = bound;
    below = count;
  }
  return from;
}

std::string StatusWatch::RestoreText(const std::string& task, int64_t left) const {
  std::string text = std::to_string(left) + " records left";
  const WatchSample& now = samples_.back();
  const WatchSample& before = Before(samples_.size() - 1, kRestoreSamples);
  const auto then = before.restores.find(task);
  if (then == before.restores.end() || before.time_ms >= now.time_ms || then->second <= left) {
    return text;
  }
  const double speed = static_cast<double>(then->second - left) * 1000 /
                       static_cast<double>(now.time_ms - before.time_ms);
  return text + ", " + NumberText(speed) + "/s, " +
         DurationText(static_cast<double>(left) / speed) + " to go";
}

bool StatusWatch::Unreachable(std::string* text) const {
  const WatchSample& now = samples_.back();
  if (now.unreachable.empty()) return false;
  *text = "not reachable";
  if (answered_ms_ > 0) *text += " since " + TimeText(answered_ms_);
  *text += ": " + now.unreachable.substr(0, now.unreachable.find('\n'));
  return true;
}

std::string StatusWatch::Line() const {
  const WatchSample& now = samples_.back();
  std::string line = TimeText(now.time_ms) + "  ";
  std::string unreachable;
  if (Unreachable(&unreachable)) return line + SafeText(unreachable);
  const size_t last = samples_.size() - 1;
  line += IsReady(now.status) ? "ready" : "not ready, waiting for " +
                                              SafeText(TextOf(now.status, "waiting_for"));
  line += "  tasks " + std::to_string(PartOf(now.status, "tasks").size());
  line += "  read " + RateText(Rate(last, &WatchSample::records_read));
  line += "  lag " + (now.lag.has_value() ? std::to_string(*now.lag) : "?");
  line += "  latency p50 " + SecondsText(Latency(last, 0.5)) + " p99 " +
          SecondsText(Latency(last, 0.99));
  line += "  http " + RateText(Rate(last, &WatchSample::requests));
  line += "  dead letters " + Format("%.0f", now.dead_letters);
  int64_t left = 0;
  for (const auto& [task, records] : now.restores) left += records;
  if (!now.restores.empty()) {
    line += "  restoring " + std::to_string(now.restores.size()) + " tasks, " +
            std::to_string(left) + " records left";
  }
  return line;
}

std::vector<std::string> StatusWatch::Screen(const Console& console,
                                             const std::string& server) const {
  const WatchSample& now = samples_.back();
  const size_t last = samples_.size() - 1;
  std::vector<std::string> lines;
  lines.push_back(Bold(console, "Herald at " + SafeText(server)) + "   " + TimeText(now.time_ms) +
                  "   Ctrl-C ends this");
  std::string unreachable;
  if (Unreachable(&unreachable)) {
    lines.push_back(Bold(console, SafeText(unreachable)));
  } else {
    lines.push_back((IsReady(now.status)
                         ? std::string("ready")
                         : Bold(console, "not ready, waiting for " +
                                             SafeText(TextOf(now.status, "waiting_for")))) +
                    "   " + SafeText(TextOf(now.status, "instance")) + ", version " +
                    SafeText(TextOf(now.status, "version")));
  }
  lines.emplace_back();
  const auto chart = [&](const std::string& name, const std::string& value,
                         const auto& number_at) {
    std::vector<std::optional<double>> numbers(kWatchSamplesMax - samples_.size());
    for (size_t i = 0; i < samples_.size(); ++i) numbers.push_back(number_at(i));
    std::string padded = value;
    padded.resize(std::max<size_t>(padded.size(), 14), ' ');
    lines.push_back(Dim(console, name) + padded + Sparkline(numbers));
  };
  const auto rates = [this](double WatchSample::* counter) {
    return [this, counter](size_t i) { return Rate(i, counter); };
  };
  const bool silent = !now.unreachable.empty();
  chart("records read   ", RateText(Rate(last, &WatchSample::records_read)),
        rates(&WatchSample::records_read));
  chart("lag            ", now.lag.has_value() ? std::to_string(*now.lag) : "?",
        [this](size_t i) -> std::optional<double> {
          if (!samples_[i].lag.has_value()) return std::nullopt;
          return static_cast<double>(*samples_[i].lag);
        });
  chart("latency p50    ", SecondsText(Latency(last, 0.5)),
        [this](size_t i) { return Latency(i, 0.5); });
  chart("latency p99    ", SecondsText(Latency(last, 0.99)),
        [this](size_t i) { return Latency(i, 0.99); });
  chart("http requests  ", RateText(Rate(last, &WatchSample::requests)),
        rates(&WatchSample::requests));
  lines.push_back(Dim(console, "dead letters   ") +
                  (silent ? "?" : Format("%.0f", now.dead_letters) + " since its start"));
  if (silent) return lines;

  std::map<std::string, size_t> states;
  std::map<std::string, int64_t> lags;
  for (const Json& task : PartOf(now.status, "tasks")) {
    ++states[TextOf(task, "state")];
    for (const Json& input : PartOf(task, "inputs")) {
      lags[TextOf(input, "topic")] += NumberOf(input, "lag");
    }
  }
  std::string tasks;
  for (const auto& [state, count] : states) {
    tasks += (tasks.empty() ? "" : ", ") + std::to_string(count) + " " + SafeText(state);
  }
  lines.emplace_back();
  lines.push_back(Dim(console, "tasks          ") + (tasks.empty() ? "none" : tasks));
  size_t rows = 0;
  for (const auto& [task, left] : now.restores) {
    if (++rows > kWatchRowsMax) {
      lines.push_back("  and " + std::to_string(now.restores.size() - kWatchRowsMax) + " more");
      break;
    }
    lines.push_back("  " + SafeText(task) + "  restoring, " + RestoreText(task, left));
  }
  rows = 0;
  for (const auto& [topic, lag] : lags) {
    if (++rows > kWatchRowsMax) break;
    lines.push_back("  " + SafeText(topic) + "  lag " + std::to_string(lag));
  }
  std::string instances;
  rows = 0;
  for (const Json& instance : PartOf(now.status, "instances")) {
    if (++rows > kWatchRowsMax) {
      instances += ", …";
      break;
    }
    instances += (instances.empty() ? "" : ", ") + SafeText(TextOf(instance, "id"));
  }
  if (!instances.empty()) lines.push_back(Dim(console, "instances      ") + instances);
  return lines;
}

}  // namespace app
