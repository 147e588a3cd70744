#include "tests/simulation/seed_runner.h"

#include <algorithm>
#include <thread>

#include "base/check.h"
#include "base/clock.h"

namespace simulation {

void SeedRunner::Run(const Options& options) {
  CHECK(options.threads >= 1 && options.threads <= kThreadsMax, "too many threads, or none");
  next_ = options.first;
  began_ = base::SystemClock::Instance().Monotonic();
  reported_ = began_;
  std::vector<std::jthread> threads;
  for (unsigned i = 0; i < options.threads; ++i) {
    threads.emplace_back([this, i, &options] {
      for (uint64_t seed = next_++; seed <= options.last; seed = next_++) {
        under_way_[i] = seed;
        Take(seed, Simulate(seed), options);
        under_way_[i] = 0;
      }
    });
  }
  threads.clear();
  std::sort(failures_.begin(), failures_.end(),
            [](const Failure& left, const Failure& right) { return left.seed < right.seed; });
}

void SeedRunner::Take(uint64_t seed, const Outcome& outcome, const Options& options) {
  const base::MutexLock lock(mutex_);
  ++seeds_;
  events_ += static_cast<uint64_t>(outcome.events);
  turns_ += static_cast<uint64_t>(outcome.turns);
  for (const auto& [step, times] : outcome.crashes) crashes_[step] += times;
  for (const auto& [name, times] : outcome.troubles) troubles_[name] += times;
  if (!outcome.problems.empty()) {
    Failure failure{seed, "after " + std::to_string(outcome.turns) + " turns:"};
    for (const std::string& problem : outcome.problems) failure.text += "\n  " + problem;
    if (options.failed) options.failed(failure);
    failures_.push_back(std::move(failure));
    // Seeds are begun in order, so that no smaller one is left out.
    if (failures_.size() >= options.failures_max) next_ = options.last + 1;
  }
  const std::chrono::nanoseconds now = base::SystemClock::Instance().Monotonic();
  if (!options.report || now - reported_ < kReportEvery) return;
  reported_ = now;
  options.report(*this);
}

double SeedRunner::seconds() const {
  const std::chrono::nanoseconds now = base::SystemClock::Instance().Monotonic();
  return std::chrono::duration<double>(now - began_).count();
}

std::string Table(const std::map<std::string, int64_t>& counts) {
  std::string text;
  for (const auto& [name, times] : counts) text += "  " + name + " " + std::to_string(times) + "\n";
  return text;
}

}  // namespace simulation
