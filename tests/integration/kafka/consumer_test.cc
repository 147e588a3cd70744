#include "tests/integration/kafka/real_kafka.h"

namespace pipeline {
namespace {

using std::chrono::steady_clock;
using testing::ElementsAre;

class LibrdkafkaConsumerTest : public RealKafkaTest {};

std::vector<std::string> Values(const std::vector<SeenRecord>& seen) {
  std::vector<std::string> values;
  for (const SeenRecord& record : seen) values.push_back(record.value);
  return values;
}

TEST_F(LibrdkafkaConsumerTest, ReadsCommittedRecordsAndItsPositionPassesMarkersAndAbortedOnes) {
  const std::string topic = MakeTopic();
  const TopicPartition partition{topic, Partition{0}};
  auto producer = NewTransactional(UniqueName("tx"));
  const auto produce = [&](const std::string& value) {
    ASSERT_OK(producer->Produce({topic, Partition{0}, "k", value, nullptr, 0}));
  };
  ASSERT_OK(producer->BeginTransaction());
  produce("a");
  produce("b");
  ASSERT_OK(producer->CommitTransaction(kPatience));
  EXPECT_EQ(producer->LastDelivered(partition), Offset{1});
  auto reader = NewReader();
  const AssignedPartition assigned{partition, std::nullopt, false};
  ASSERT_OK(reader->Assign({&assigned, 1}));
  EXPECT_EQ(reader->Position(partition), std::nullopt);

  // 0 a, 1 b, 2 marker: nothing but the marker lies between the last record and the end.
  std::vector<SeenRecord> seen;
  PollUntil(
      reader.get(), [&] { return reader->Position(partition) == Offset{3}; }, &seen);
  EXPECT_THAT(Values(seen), ElementsAre("a", "b"));
  EXPECT_EQ(EndOf(partition), Offset{3});

  ASSERT_OK(producer->BeginTransaction());
  produce("x");
  produce("y");
  ASSERT_OK(producer->Flush(kPatience));
  ASSERT_OK(producer->AbortTransaction(kPatience));
  EXPECT_TRUE(producer->TakeRefused().empty());
  // 3 x, 4 y, 5 marker: nothing comes out, and yet the position moves, without waiting for the
  // poll's time to be over.
  seen.clear();
  const auto start = steady_clock::now();
  while (reader->Position(partition) != Offset{6} && steady_clock::now() - start < kPatience) {
    auto batch = reader->Poll(kPatience, 1000);
    ASSERT_TRUE(batch.ok()) << batch.status().ToString();
    EXPECT_EQ((*batch)->size(), 0U);
  }
  EXPECT_LT(steady_clock::now() - start, kPatience / 2);
  EXPECT_EQ(reader->Position(partition), Offset{6});

  ASSERT_OK(producer->BeginTransaction());
  produce("c");
  ASSERT_OK(producer->CommitTransaction(kPatience));
  PollUntil(
      reader.get(), [&] { return reader->Position(partition) == Offset{8}; }, &seen);
  EXPECT_EQ(seen, (std::vector<SeenRecord>{{0, 6, "c"}}));
}

TEST_F(LibrdkafkaConsumerTest, ForgetsItsPositionAtASeekAndDropsWhatItHadFetched) {
  const std::string topic = MakeTopic();
  const TopicPartition partition{topic, Partition{0}};
  Commit(topic, {"a", "b", "c", "d"});
  auto reader = NewReader();
  const AssignedPartition assigned{partition, Offset{2}, false};
  ASSERT_OK(reader->Assign({&assigned, 1}));
  std::vector<SeenRecord> seen;
  PollUntil(
      reader.get(), [&] { return !seen.empty(); }, &seen);
  EXPECT_EQ(seen.front(), (SeenRecord{0, 2, "c"}));
  ASSERT_OK(reader->Seek({{partition, Offset{1}}}));
  EXPECT_EQ(reader->Position(partition), std::nullopt);
  seen.clear();
  PollUntil(
      reader.get(), [&] { return reader->Position(partition) == Offset{5}; }, &seen);
  EXPECT_THAT(Values(seen), ElementsAre("b", "c", "d"));
}

TEST_F(LibrdkafkaConsumerTest, LetsNothingOutOfAPartitionThatIsAssignedPaused) {
  const std::string topic = MakeTopic(2);
  const TopicPartition held{topic, Partition{0}};
  const TopicPartition open{topic, Partition{1}};
  Commit(topic, {"a", "b", "c"}, 0);
  Commit(topic, {"z"}, 1);
  auto reader = NewReader();
  const std::vector<AssignedPartition> assigned = {{held, Offset{1}, true}, {open, {}, false}};
  ASSERT_OK(reader->Assign(assigned));
  std::vector<SeenRecord> seen;
  PollUntil(
      reader.get(), [&] { return reader->Position(open) == Offset{2}; }, &seen);
  auto batch = reader->Poll(milliseconds(200), 1000);
  ASSERT_TRUE(batch.ok());
  EXPECT_EQ((*batch)->size(), 0U);
  EXPECT_THAT(Values(seen), ElementsAre("z"));
  EXPECT_EQ(reader->Position(held), std::nullopt);

  ASSERT_OK(reader->Resume({&held, 1}));
  seen.clear();
  PollUntil(
      reader.get(), [&] { return reader->Position(held) == Offset{4}; }, &seen);
  EXPECT_THAT(Values(seen), ElementsAre("b", "c"));
  ASSERT_OK(reader->Pause({&held, 1}));
  Commit(topic, {"later"}, 0);
  batch = reader->Poll(milliseconds(200), 1000);
  ASSERT_TRUE(batch.ok());
  EXPECT_EQ((*batch)->size(), 0U);
  ASSERT_OK(reader->Resume({&held, 1}));
  seen.clear();
  PollUntil(
      reader.get(), [&] { return !seen.empty(); }, &seen);
  EXPECT_THAT(Values(seen), ElementsAre("later"));

  ASSERT_OK(reader->Pause({&held, 1}));
  ASSERT_OK(reader->Seek({{held, Offset{2}}}));
  batch = reader->Poll(milliseconds(200), 1000);
  ASSERT_TRUE(batch.ok());
  EXPECT_EQ((*batch)->size(), 0U);
  ASSERT_OK(reader->Resume({&held, 1}));
  seen.clear();
  PollUntil(
      reader.get(), [&] { return seen.size() >= 2; }, &seen);
  EXPECT_THAT(Values(seen), ElementsAre("c", "later"));
}

TEST_F(LibrdkafkaConsumerTest, StartsAnewWhenTheSamePartitionsAreAssignedAgain) {
  const std::string topic = MakeTopic(2);
  const TopicPartition held{topic, Partition{0}};
  const TopicPartition open{topic, Partition{1}};
  Commit(topic, {"a", "b", "c"}, 0);
  Commit(topic, {"x", "y"}, 1);
  auto reader = NewReader();
  std::vector<SeenRecord> seen;
  const std::vector<AssignedPartition> first = {{held, {}, false}, {open, {}, false}};
  ASSERT_OK(reader->Assign(first));
  const auto at_the_end = [&] {
    return reader->Position(held) == Offset{4} && reader->Position(open) == Offset{3};
  };
  PollUntil(reader.get(), at_the_end, &seen);
  EXPECT_EQ(seen.size(), 5U);

  // The positions of before must not show, nor be where a paused partition goes on.
  const std::vector<AssignedPartition> second = {{held, Offset{1}, true}, {open, Offset{1}, false}};
  ASSERT_OK(reader->Assign(second));
  EXPECT_EQ(reader->Position(held), std::nullopt);
  EXPECT_EQ(reader->Position(open), std::nullopt);
  ASSERT_OK(reader->Resume({&held, 1}));
  seen.clear();
  PollUntil(reader.get(), at_the_end, &seen);
  EXPECT_THAT(Values(seen), testing::UnorderedElementsAre("b", "c", "y"));
}

TEST_F(LibrdkafkaConsumerTest, TellsAPositionThatIsGoneAndGoesOnAfterASeekWithoutRereading) {
  const std::string topic = MakeTopic(2);
  const TopicPartition gone{topic, Partition{0}};
  const TopicPartition other{topic, Partition{1}};
  Commit(topic, {"a", "b"}, 0);
  Commit(topic, {"x", "y"}, 1);
  auto reader = NewReader();
  const std::vector<AssignedPartition> assigned = {{gone, Offset{1000}, false}, {other, {}, false}};
  ASSERT_OK(reader->Assign(assigned));
  std::vector<SeenRecord> seen;
  std::vector<TopicPartition> out_of_range;
  PollUntil(
      reader.get(),
      [&] {
        for (TopicPartition& partition : reader->TakeOutOfRange()) {
          out_of_range.push_back(std::move(partition));
        }
        return !out_of_range.empty() && reader->Position(other) == Offset{3};
      },
      &seen);
  EXPECT_THAT(out_of_range, ElementsAre(gone));
  EXPECT_EQ(reader->Position(gone), std::nullopt);
  EXPECT_THAT(Values(seen), ElementsAre("x", "y"));

  ASSERT_OK(reader->Seek({{gone, Offset{0}}}));
  Commit(topic, {"z"}, 1);
  PollUntil(
      reader.get(),
      [&] { return reader->Position(gone) == Offset{3} && reader->Position(other) == Offset{5}; },
      &seen);
  EXPECT_THAT(Values(seen), testing::UnorderedElementsAre("x", "y", "a", "b", "z"));
  EXPECT_TRUE(reader->TakeOutOfRange().empty());
}

TEST_F(LibrdkafkaConsumerTest, PassesARecordOfTwoMegabytes) {
  const std::string topic = MakeTopic(1, {{"max.message.bytes", "4000000"}});
  const TopicPartition partition{topic, Partition{0}};
  const std::string big(2'000'000, 'b');
  Commit(topic, {"small", big, "after"});
  auto reader = NewReader();
  const AssignedPartition assigned{partition, std::nullopt, false};
  ASSERT_OK(reader->Assign({&assigned, 1}));
  std::vector<SeenRecord> seen;
  PollUntil(
      reader.get(), [&] { return seen.size() >= 3; }, &seen);
  ASSERT_EQ(seen.size(), 3U);
  EXPECT_TRUE(seen[1].value == big) << seen[1].value.size() << " bytes";
  EXPECT_EQ(seen[2].value, "after");
}

TEST_F(LibrdkafkaConsumerTest, ReturnsAnEmptyBatchWhenTheTimeIsOver) {
  const std::string topic = MakeTopic();
  const AssignedPartition assigned{{topic, Partition{0}}, std::nullopt, false};
  auto reader = NewReader();
  ASSERT_OK(reader->Assign({&assigned, 1}));
  const auto start = steady_clock::now();
  auto batch = reader->Poll(milliseconds(300), 10);
  ASSERT_TRUE(batch.ok()) << batch.status().ToString();
  EXPECT_EQ((*batch)->size(), 0U);
  EXPECT_GE(steady_clock::now() - start, milliseconds(300));
  EXPECT_LT(steady_clock::now() - start, milliseconds(3000));
}

}  // namespace
}  // namespace pipeline
