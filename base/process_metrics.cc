#include "base/process_metrics.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace base {
namespace {

// Fields of /proc/self/stat, see proc(5), counted from the one behind the command in parentheses.
constexpr size_t kUserTicks = 11;
constexpr size_t kSystemTicks = 12;
constexpr size_t kThreads = 17;
constexpr size_t kStartTicks = 19;
constexpr size_t kVirtualBytes = 20;
constexpr size_t kResidentPages = 21;

std::optional<std::string> ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

/// The fields behind the command, which may itself hold spaces and parentheses.
std::vector<double> StatFields(std::string_view text) {
  std::vector<double> fields;
  const size_t command_end = text.rfind(')');
  if (command_end == std::string_view::npos) return fields;
  std::istringstream words{std::string(text.substr(command_end + 1))};
  for (std::string word; words >> word;) {
    double number = 0;  // The first field is a letter.
    std::from_chars(word.data(), word.data() + word.size(), number);
    fields.push_back(number);
  }
  return fields;
}

/// When the machine started, in seconds since the epoch.
std::optional<double> BootTime(const std::filesystem::path& proc) {
  std::ifstream file(proc / "stat");
  for (std::string word; file >> word;) {
    double seconds = 0;
    if (word == "btime" && file >> seconds) return seconds;
  }
  return std::nullopt;
}

std::optional<double> OpenFds(const std::filesystem::path& proc) {
  const std::filesystem::path directory = proc / "self" / "fd";
  struct stat status {};
  // Newer kernels say it at once; with thousands of connections it saves a millisecond.
  if (stat(directory.c_str(), &status) == 0 && status.st_size > 0) {
    return static_cast<double>(status.st_size);
  }
  std::error_code error;
  const std::filesystem::directory_iterator entries(directory, error);
  if (error) return std::nullopt;
  return static_cast<double>(std::distance(begin(entries), end(entries)));
}

class ProcessMetrics {
 public:
  ProcessMetrics(Metrics& metrics, std::filesystem::path proc)
      : proc_(std::move(proc)),
        ticks_per_second_(static_cast<double>(sysconf(_SC_CLK_TCK))),
        page_bytes_(static_cast<double>(sysconf(_SC_PAGESIZE))),
        boot_time_(BootTime(proc_)),
        cpu_(metrics.AddCounter("process_cpu_seconds_total",
                                "CPU time that the process used, of user and system.")),
        resident_(metrics.AddGauge("process_resident_memory_bytes", "Resident memory.")),
        virtual_(metrics.AddGauge("process_virtual_memory_bytes", "Virtual memory.")),
        open_fds_(metrics.AddGauge("process_open_fds", "Open file descriptors.")),
        max_fds_(metrics.AddGauge("process_max_fds", "File descriptors that may be open at most.")),
        threads_(metrics.AddGauge("process_threads", "Threads of the process.")),
        start_time_(metrics.AddGauge("process_start_time_seconds",
                                     "When the process started, in seconds since 1970.")) {}

  void Update() {
    if (const auto fds = OpenFds(proc_)) open_fds_.Set(*fds);
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) max_fds_.Set(static_cast<double>(limit.rlim_cur));
    const auto text = ReadFile(proc_ / "self" / "stat");
    if (!text.has_value()) return;
    const std::vector<double> fields = StatFields(*text);
    if (fields.size() <= kResidentPages) return;
    cpu_.Follow((fields[kUserTicks] + fields[kSystemTicks]) / ticks_per_second_);
    threads_.Set(fields[kThreads]);
    virtual_.Set(fields[kVirtualBytes]);
    resident_.Set(fields[kResidentPages] * page_bytes_);
    if (boot_time_) start_time_.Set(*boot_time_ + fields[kStartTicks] / ticks_per_second_);
  }

 private:
  const std::filesystem::path proc_;
  const double ticks_per_second_;
  const double page_bytes_;
  const std::optional<double> boot_time_;
  FollowedCounter cpu_;
  Gauge resident_;
  Gauge virtual_;
  Gauge open_fds_;
  Gauge max_fds_;
  Gauge threads_;
  Gauge start_time_;
};

}  // namespace

void AddProcessMetrics(Metrics& metrics, const std::filesystem::path& proc) {
  auto process = std::make_shared<ProcessMetrics>(metrics, proc);
  metrics.UpdateBeforeSerialize([process] { process->Update(); });
}

}  // namespace base
