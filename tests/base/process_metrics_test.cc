#include "base/process_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/clock.h"
#include "base/metrics.h"

namespace base {
namespace {

/// The value of the series without labels named `name`; -1 when it is not there.
double ValueOf(const Metrics& metrics, const std::string& name) {
  const std::string text = "\n" + metrics.Serialize();
  const std::string line = "\n" + name + " ";
  const size_t at = text.find(line);
  if (at == std::string::npos) return -1;
  double value = -1;
  std::from_chars(text.data() + at + line.size(), text.data() + text.size(), value);
  return value;
}

TEST(ProcessMetrics, SayHowThisProcessStands) {
  Metrics metrics;
  AddProcessMetrics(metrics);
  EXPECT_GE(ValueOf(metrics, "process_cpu_seconds_total"), 0);
  EXPECT_GT(ValueOf(metrics, "process_resident_memory_bytes"), 100'000);
  EXPECT_GT(ValueOf(metrics, "process_virtual_memory_bytes"),
            ValueOf(metrics, "process_resident_memory_bytes"));
  EXPECT_GE(ValueOf(metrics, "process_open_fds"), 3);
  EXPECT_GT(ValueOf(metrics, "process_max_fds"), ValueOf(metrics, "process_open_fds"));
  EXPECT_EQ(ValueOf(metrics, "process_threads"), 1);
  // A tick of the start time is a hundredth of a second, and the boot time is in whole seconds.
  const double now = static_cast<double>(SystemClock::Instance().NowMs()) / 1000;
  EXPECT_LE(ValueOf(metrics, "process_start_time_seconds"), now + 2);
  EXPECT_GT(ValueOf(metrics, "process_start_time_seconds"), now - 3600);
}

TEST(ProcessMetrics, CountsDescriptorsThatOpenAndClose) {
  Metrics metrics;
  AddProcessMetrics(metrics);
  const double before = ValueOf(metrics, "process_open_fds");
  {
    const std::ifstream file("/proc/self/stat");
    EXPECT_EQ(ValueOf(metrics, "process_open_fds"), before + 1);
  }
  EXPECT_EQ(ValueOf(metrics, "process_open_fds"), before);
}

class FakeProc : public testing::Test {
 protected:
  FakeProc()
      : proc_(std::filesystem::temp_directory_path() /
              ("herald-proc-" + std::to_string(getpid()))) {
    std::filesystem::create_directories(proc_ / "self" / "fd");
    Write("stat", "cpu 1 2 3\nbtime 1000\n");
  }
  ~FakeProc() override { std::filesystem::remove_all(proc_); }

  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(proc_ / name) << text;
  }

  std::filesystem::path proc_;
  Metrics metrics_;
};

TEST_F(FakeProc, IsReadBehindACommandWithSpacesAndParentheses) {
  Write("self/stat",
        "42 (a b) c) S 1 2 3 4 5 6 7 8 9 10 100 50 0 0 20 0 7 0 200 4096000 25 18446744073709551615");
  AddProcessMetrics(metrics_, proc_);
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  EXPECT_EQ(ValueOf(metrics_, "process_cpu_seconds_total"), 150 / ticks);
  EXPECT_EQ(ValueOf(metrics_, "process_threads"), 7);
  EXPECT_EQ(ValueOf(metrics_, "process_virtual_memory_bytes"), 4096000);
  EXPECT_EQ(ValueOf(metrics_, "process_resident_memory_bytes"),
            25 * static_cast<double>(sysconf(_SC_PAGESIZE)));
  EXPECT_EQ(ValueOf(metrics_, "process_start_time_seconds"), 1000 + 200 / ticks);
}

TEST_F(FakeProc, KeepsTheLastValueWhenItSaysNothing) {
  Write("self/stat", "42 (herald) S 1");
  AddProcessMetrics(metrics_, proc_);
  EXPECT_EQ(ValueOf(metrics_, "process_cpu_seconds_total"), 0);
  std::filesystem::remove(proc_ / "self" / "stat");
  EXPECT_EQ(ValueOf(metrics_, "process_threads"), 0);
}

}  // namespace
}  // namespace base
