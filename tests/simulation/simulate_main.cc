// Runs seeds of the simulation outside the tests; tools/simulate is what people call.

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>

#include "base/log.h"
#include "tests/simulation/seed_runner.h"

namespace {

simulation::SeedRunner runner;

/// Names the seeds that were under way when one of them broke a CHECK. No allocation: it may be the
/// heap that is broken.
void NameSeeds(int signal) {
  for (const std::atomic<uint64_t>& seed : runner.under_way()) {
    if (seed == 0) continue;
    std::array<char, 32> line{};
    const int length = std::snprintf(line.data(), line.size(), "aborted in seed %llu\n",
                                     static_cast<unsigned long long>(seed.load()));
    if (write(STDOUT_FILENO, line.data(), static_cast<size_t>(length)) < 0) break;
  }
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

[[noreturn]] void Usage(std::string_view why) {
  std::fprintf(stderr,
               "simulate: %.*s\nUsage: simulate [--first S] [--seeds N] [--threads T] "
               "[--failures F] [--verbose]\n",
               static_cast<int>(why.size()), why.data());
  std::exit(2);
}

uint64_t Number(std::string_view flag, const char* text) {
  const std::string_view digits = text == nullptr ? "" : text;
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size() || digits.empty() ||
      number == 0) {
    Usage(std::string(flag) + " takes a number above 0");
  }
  return number;
}

void Report(const simulation::SeedRunner& so_far) {
  const double seconds = so_far.seconds();
  std::printf("%llu seeds, %llu events, %.0f s: %.1f seeds/s, %.0f events/s, %zu failed\n",
              static_cast<unsigned long long>(so_far.seeds()),
              static_cast<unsigned long long>(so_far.events()), seconds,
              static_cast<double>(so_far.seeds()) / seconds,
              static_cast<double>(so_far.events()) / seconds, so_far.failures().size());
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t seeds = 1000;
  bool verbose = false;
  simulation::SeedRunner::Options options;
  options.threads = std::max(1U, std::thread::hardware_concurrency());
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    if (flag == "--verbose") {
      verbose = true;
      continue;
    }
    const uint64_t number = Number(flag, i + 1 < argc ? argv[i + 1] : nullptr);
    ++i;
    if (flag == "--first") {
      options.first = number;
    } else if (flag == "--seeds") {
      seeds = number;
    } else if (flag == "--threads") {
      options.threads = static_cast<unsigned>(number);
    } else if (flag == "--failures") {
      options.failures_max = number;
    } else {
      Usage("unknown flag " + std::string(flag));
    }
  }
  options.threads = std::min(options.threads, simulation::SeedRunner::kThreadsMax);
  options.last = options.first + seeds - 1;
  options.report = Report;
  options.failed = [](const simulation::SeedRunner::Failure& failure) {
    std::printf("seed %llu failed %s\n", static_cast<unsigned long long>(failure.seed),
                failure.text.c_str());
    std::fflush(stdout);
  };
  if (!verbose) base::SetLogLevel(base::LogLevel::kError);
  std::signal(SIGABRT, NameSeeds);
  std::signal(SIGSEGV, NameSeeds);
  runner.Run(options);

  std::printf("crashes:\n%stroubles:\n%s", simulation::Table(runner.crashes()).c_str(),
              simulation::Table(runner.troubles()).c_str());
  Report(runner);
  return runner.failures().empty() ? 0 : 1;
}
