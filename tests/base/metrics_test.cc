#include "base/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

namespace base {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Metrics, WritesCountersWithHelpTypeAndLabels) {
  Metrics metrics;
  const Counter counter =
      metrics.AddCounter("herald_records_total", "Records.", {{"topic", "events"}});
  counter.Increment();
  counter.Increment(2);
  const std::string text = metrics.Serialize();
  EXPECT_THAT(text, HasSubstr("# HELP herald_records_total Records.\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE herald_records_total counter\n"));
  EXPECT_THAT(text, HasSubstr("herald_records_total{topic=\"events\"} 3\n"));
}

TEST(Metrics, EscapesLabelValues) {
  Metrics metrics;
  metrics.AddGauge("herald_lag_records", "Lag.", {{"topic", "a\"b\\c\nd"}}).Set(1);
  EXPECT_THAT(metrics.Serialize(), HasSubstr(R"(topic="a\"b\\c\nd")"));
}

TEST(Metrics, GivesTheSameSeriesForTheSameNameAndLabels) {
  Metrics metrics;
  metrics.AddCounter("herald_a_total", "A.", {{"x", "1"}}).Increment();
  metrics.AddCounter("herald_a_total", "A.", {{"x", "1"}}).Increment();
  metrics.AddCounter("herald_a_total", "A.", {{"x", "2"}}).Increment();
  EXPECT_THAT(metrics.Serialize(), HasSubstr("herald_a_total{x=\"1\"} 2\n"));
  EXPECT_THAT(metrics.Serialize(), HasSubstr("herald_a_total{x=\"2\"} 1\n"));
}

TEST(Metrics, SetsAndAddsToGauges) {
  Metrics metrics;
  const Gauge gauge = metrics.AddGauge("herald_connections", "Connections.");
  gauge.Set(5);
  gauge.Add(-2);
  EXPECT_THAT(metrics.Serialize(), HasSubstr("herald_connections 3\n"));
}

TEST(Metrics, PutsObservationsIntoBuckets) {
  Metrics metrics;
  const Histogram histogram = metrics.AddHistogram("herald_commit_seconds", "Commit.", {0.1, 1});
  histogram.Observe(0.05);
  histogram.Observe(0.5);
  histogram.Observe(5);
  const std::string text = metrics.Serialize();
  EXPECT_THAT(text, HasSubstr("herald_commit_seconds_bucket{le=\"0.1\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("herald_commit_seconds_bucket{le=\"1\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("herald_commit_seconds_bucket{le=\"+Inf\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("herald_commit_seconds_count 3\n"));
}

TEST(Metrics, DropsARemovedGaugeAndNoOther) {
  Metrics metrics;
  metrics.AddGauge("herald_lag_records", "Lag.", {{"partition", "0"}}).Set(1);
  metrics.AddGauge("herald_lag_records", "Lag.", {{"partition", "1"}}).Set(2);
  metrics.RemoveGauge("herald_lag_records", {{"partition", "0"}});
  metrics.RemoveGauge("herald_lag_records", {{"partition", "7"}});
  const std::string text = metrics.Serialize();
  EXPECT_THAT(text, Not(HasSubstr("partition=\"0\"")));
  EXPECT_THAT(text, HasSubstr("# HELP herald_lag_records Lag.\n"));
  EXPECT_THAT(text, HasSubstr("herald_lag_records{partition=\"1\"} 2\n"));

  metrics.AddGauge("herald_lag_records", "Lag.", {{"partition", "0"}}).Set(3);
  EXPECT_THAT(metrics.Serialize(), HasSubstr("herald_lag_records{partition=\"0\"} 3\n"));
}

TEST(Metrics, CountsFromSeveralThreads) {
  Metrics metrics;
  constexpr int kThreads = 4;
  constexpr int kEach = 1000;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&] {
        for (int j = 0; j < kEach; ++j) metrics.AddCounter("herald_b_total", "B.").Increment();
      });
    }
  }
  EXPECT_THAT(metrics.Serialize(), HasSubstr("herald_b_total 4000\n"));
}

TEST(Metrics, UpdatesBeforeItSerializes) {
  Metrics metrics;
  const Gauge gauge = metrics.AddGauge("herald_scrapes", "Scrapes.");
  int scrapes = 0;
  metrics.UpdateBeforeSerialize([&] { gauge.Set(++scrapes); });
  EXPECT_THAT(metrics.Serialize(), HasSubstr("herald_scrapes 1\n"));
  EXPECT_THAT(metrics.Serialize(), HasSubstr("herald_scrapes 2\n"));
}

TEST(ChangingGauges, DropWhatWasNotSetInARound) {
  Metrics metrics;
  ChangingGauges gauges(metrics, "herald_lag_records", "Lag.");
  gauges.Set({{"partition", "0"}}, 1);
  gauges.Set({{"partition", "1"}}, 2);
  gauges.EndRound();
  gauges.Set({{"partition", "1"}}, 3);
  EXPECT_THAT(metrics.Serialize(), HasSubstr("herald_lag_records{partition=\"0\"} 1\n"));
  gauges.EndRound();
  std::string text = metrics.Serialize();
  EXPECT_THAT(text, Not(HasSubstr("partition=\"0\"")));
  EXPECT_THAT(text, HasSubstr("herald_lag_records{partition=\"1\"} 3\n"));

  gauges.Set({{"partition", "0"}}, 4);
  gauges.EndRound();
  text = metrics.Serialize();
  EXPECT_THAT(text, HasSubstr("herald_lag_records{partition=\"0\"} 4\n"));
  EXPECT_THAT(text, Not(HasSubstr("partition=\"1\"")));
}

TEST(FollowedCounter, AddsWhatAFigureGrewBy) {
  Metrics metrics;
  FollowedCounter counter(metrics.AddCounter("herald_followed_total", "Followed."));
  counter.Follow(3);
  counter.Follow(5);
  counter.Follow(5);
  EXPECT_THAT(metrics.Serialize(), HasSubstr("herald_followed_total 5\n"));
}

TEST(FollowedCounter, GoesOnWhenTheFigureBeginsAnew) {
  Metrics metrics;
  FollowedCounter counter(metrics.AddCounter("herald_followed_total", "Followed."));
  counter.Follow(5);
  counter.Follow(2);
  EXPECT_THAT(metrics.Serialize(), HasSubstr("herald_followed_total 7\n"));
}

TEST(Metrics, CountsNowhereThroughADefaultHandle) {
  Counter().Increment();
  Gauge().Set(1);
  Gauge().Add(1);
  Histogram().Observe(1);
}

TEST(Metrics, HasAscendingDurationBuckets) {
  const std::vector<double>& buckets = DurationBuckets();
  EXPECT_TRUE(std::is_sorted(buckets.begin(), buckets.end()));
  EXPECT_EQ(buckets.front(), 0.0005);
  EXPECT_EQ(buckets.back(), 30);
}

TEST(Metrics, HasLatencyBucketsFromAMillisecondToMinutes) {
  const std::vector<double>& buckets = LatencyBuckets();
  EXPECT_TRUE(std::is_sorted(buckets.begin(), buckets.end()));
  EXPECT_EQ(buckets.front(), 0.001);
  EXPECT_EQ(buckets.back(), 300);
}

TEST(BuildVersion, IsThreeNumbers) {
  EXPECT_THAT(std::string(BuildVersion()), testing::MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+"));
}

}  // namespace
}  // namespace base
