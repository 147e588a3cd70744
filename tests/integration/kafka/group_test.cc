#include <algorithm>
#include <map>
#include <thread>

#include "pipeline/standby_plan.h"
#include "tests/integration/kafka/real_kafka.h"

namespace pipeline {
namespace {

using std::chrono::steady_clock;
using testing::ElementsAre;
using testing::HasSubstr;

class LibrdkafkaGroupTest : public RealKafkaTest {};

TEST_F(LibrdkafkaGroupTest, CommittedWaitsForTheOpenTransactionOfAnotherProducer) {
  const std::string topic = MakeTopic();
  const TopicPartition partition{topic, Partition{0}};
  Commit(topic, {"a", "b"});
  const std::string group = UniqueName("group");
  auto member = NewMember(group, "one");
  GroupWatcher watcher(member.get());
  ASSERT_OK(member->Subscribe({topic}, &watcher));
  PollUntil(member.get(), [&] { return watcher.assigned > 0; });
  auto producer = NewTransactional(UniqueName("tx"));
  ASSERT_OK(producer->BeginTransaction());
  ASSERT_OK(producer->SendPositions({{partition, Offset{1}}}, *member->Group(), kPatience));

  auto unstable = member->Committed({&partition, 1}, milliseconds(500));
  ASSERT_FALSE(unstable.ok());
  EXPECT_EQ(unstable.status().code(), base::StatusCode::kUnavailable);
  std::jthread commit([&] {
    // Somewhere in the middle of the wait below; that it has begun is not needed for the result.
    std::this_thread::sleep_for(milliseconds(300));
    EXPECT_OK(producer->CommitTransaction(kPatience));
  });
  auto committed = member->Committed({&partition, 1}, kPatience);
  ASSERT_TRUE(committed.ok()) << committed.status().ToString();
  EXPECT_EQ(*committed, (Positions{{partition, Offset{1}}}));
}

TEST_F(LibrdkafkaGroupTest, LeavingLetsAnotherStaticMemberTakeOverAtOnce) {
  const std::string topic = MakeTopic(2);
  const std::string group = UniqueName("group");
  auto first = NewMember(group, "one", milliseconds(30000));
  GroupWatcher first_watcher(first.get());
  ASSERT_OK(first->Subscribe({topic}, &first_watcher));
  PollUntil(first.get(), [&] { return first_watcher.owned.size() == 2; });
  auto second = NewMember(group, "two", milliseconds(30000));
  GroupWatcher second_watcher(second.get());
  ASSERT_OK(second->Subscribe({topic}, &second_watcher));
  PollUntil(second.get(), [&] {
    auto batch = first->Poll(milliseconds(10), 10);
    return first_watcher.owned.size() == 1 && second_watcher.owned.size() == 1;
  });

  const TopicPartition mine = first_watcher.owned.front();
  first_watcher.before_revoke = [&] { EXPECT_OK(first->CommitPositions({{mine, Offset{7}}})); };
  const int revoked = first_watcher.revoked;
  const auto start = steady_clock::now();
  ASSERT_OK(first->Leave(kPatience));
  EXPECT_EQ(first_watcher.revoked, revoked + 1);
  PollUntil(second.get(), [&] { return second_watcher.owned.size() == 2; });
  EXPECT_LT(steady_clock::now() - start, milliseconds(10000));
  auto committed = second->Committed({&mine, 1}, kPatience);
  ASSERT_TRUE(committed.ok()) << committed.status().ToString();
  EXPECT_EQ(*committed, (Positions{{mine, Offset{7}}}));
}

TEST_F(LibrdkafkaGroupTest, IsDescribedWithTheShareOfEachStaticMember) {
  const std::string topic = MakeTopic(3);
  const std::string group = UniqueName("group");
  auto nobody = clients_->admin().DescribeGroup(group, kPatience);
  ASSERT_TRUE(nobody.ok()) << nobody.status().ToString();
  EXPECT_TRUE(nobody->stable);
  EXPECT_TRUE(nobody->members.empty());

  auto first = NewMember(group, "one");
  GroupWatcher first_watcher(first.get());
  ASSERT_OK(first->Subscribe({topic}, &first_watcher));
  PollUntil(first.get(), [&] { return first_watcher.owned.size() == 3; });
  auto second = NewMember(group, "two");
  GroupWatcher second_watcher(second.get());
  ASSERT_OK(second->Subscribe({topic}, &second_watcher));
  PollUntil(second.get(), [&] {
    auto batch = first->Poll(milliseconds(10), 10);
    return first_watcher.owned.size() == 2 && second_watcher.owned.size() == 1;
  });
  auto described = clients_->admin().DescribeGroup(group, kPatience);
  ASSERT_TRUE(described.ok()) << described.status().ToString();
  EXPECT_TRUE(described->stable);
  std::map<std::string, std::vector<TopicPartition>> shares;
  for (const GroupMember& member : described->members) {
    shares[member.group_instance_id] = member.partitions;
  }
  EXPECT_EQ(shares, (std::map<std::string, std::vector<TopicPartition>>{
                        {"one", first_watcher.owned}, {"two", second_watcher.owned}}));
}

/// The first join of one meets the other at each of its steps; alone, librdkafka would rest for a second
/// or two after some of them.
TEST_F(LibrdkafkaGroupTest, MembersWhoseFirstJoinsMeetAreSoonTogether) {
  constexpr int kRounds = 10;
  // A heartbeat, and some more.
  constexpr milliseconds kSoon{900};
  const std::string topic = MakeTopic(2);
  int late = 0;
  for (int round = 0; round < kRounds; ++round) {
    const std::string group = UniqueName("group");
    auto first = NewMember(group, "a-0", milliseconds(6000));
    auto second = NewMember(group, "a-1", milliseconds(6000));
    GroupWatcher watchers[] = {GroupWatcher(first.get()), GroupWatcher(second.get())};
    const auto began = steady_clock::now();
    ASSERT_OK(first->Subscribe({topic}, &watchers[0]));
    std::this_thread::sleep_for(milliseconds(round));
    ASSERT_OK(second->Subscribe({topic}, &watchers[1]));
    PollUntil(first.get(), [&] {
      auto batch = second->Poll(milliseconds(5), 10);
      return watchers[0].owned.size() == 1 && watchers[1].owned.size() == 1;
    });
    if (steady_clock::now() - began > kSoon) ++late;
    EXPECT_NE(watchers[0].owned, watchers[1].owned);
  }
  // A machine may stall for a moment.
  EXPECT_LE(late, 1);
}

/// Where warm copies lie is computed by our own copy of the rule.
TEST_F(LibrdkafkaGroupTest, RangeGivesEachPartitionToTheMemberThatOurRuleNames) {
  constexpr int32_t kPartitions = 7;
  const std::string topic = MakeTopic(kPartitions);
  const std::string other = MakeTopic(kPartitions);
  const std::string group = UniqueName("group");
  // In the order of their bytes: a-0, a-1, a-10, a-2, b-0.
  std::vector<std::string> names{"b-0", "a-10", "a-2", "a-0", "a-1"};
  std::map<std::string, std::unique_ptr<Consumer>> members;
  std::map<std::string, std::unique_ptr<GroupWatcher>> watchers;
  for (const std::string& name : names) {
    members[name] = NewMember(group, name);
    watchers[name] = std::make_unique<GroupWatcher>(members[name].get());
    ASSERT_OK(members[name]->Subscribe({topic, other}, watchers[name].get()));
  }
  PollUntil(members["a-0"].get(), [&] {
    size_t owned = 0;
    bool all = true;
    for (const auto& [name, member] : members) {
      auto batch = member->Poll(milliseconds(10), 10);
      owned += watchers[name]->owned.size();
      all = all && !watchers[name]->owned.empty();
    }
    return all && owned == 2 * static_cast<size_t>(kPartitions);
  });
  std::sort(names.begin(), names.end());
  for (const auto& [name, watcher] : watchers) {
    for (const TopicPartition& owned : watcher->owned) {
      EXPECT_EQ(name, names[RangeMember(owned.partition.value, kPartitions, names.size())])
          << owned.ToString();
    }
  }
}

TEST_F(LibrdkafkaGroupTest, AMemberThatIsDestroyedKeepsItsShareForItsReturn) {
  const std::string topic = MakeTopic(2);
  const std::string group = UniqueName("group");
  auto stays = NewMember(group, "stays");
  GroupWatcher stays_watcher(stays.get());
  ASSERT_OK(stays->Subscribe({topic}, &stays_watcher));
  PollUntil(stays.get(), [&] { return stays_watcher.owned.size() == 2; });
  auto dies = NewMember(group, "dies");
  auto dies_watcher = std::make_unique<GroupWatcher>(dies.get());
  ASSERT_OK(dies->Subscribe({topic}, dies_watcher.get()));
  PollUntil(stays.get(), [&] {
    auto batch = dies->Poll(milliseconds(10), 10);
    return stays_watcher.owned.size() == 1 && dies_watcher->owned.size() == 1;
  });
  const std::vector<TopicPartition> before = dies_watcher->owned;
  const int assigned = stays_watcher.assigned;

  const auto start = steady_clock::now();
  dies.reset();
  EXPECT_LT(steady_clock::now() - start, milliseconds(2000));
  EXPECT_EQ(dies_watcher->revoked + dies_watcher->lost, 0);
  dies = NewMember(group, "dies");
  dies_watcher = std::make_unique<GroupWatcher>(dies.get());
  ASSERT_OK(dies->Subscribe({topic}, dies_watcher.get()));
  PollUntil(dies.get(), [&] { return dies_watcher->assigned > 0; });
  EXPECT_EQ(dies_watcher->owned, before);
  auto batch = stays->Poll(milliseconds(500), 10);
  EXPECT_EQ(stays_watcher.assigned, assigned);
}

TEST_F(LibrdkafkaGroupTest, ASecondLiveMemberWithTheSameInstanceIdStopsTheFirstAndNamesIt) {
  const std::string topic = MakeTopic();
  const std::string group = UniqueName("group");
  auto first = NewMember(group, "the-same-id");
  GroupWatcher first_watcher(first.get());
  ASSERT_OK(first->Subscribe({topic}, &first_watcher));
  PollUntil(first.get(), [&] { return first_watcher.assigned > 0; });
  auto second = NewMember(group, "the-same-id");
  GroupWatcher second_watcher(second.get());
  ASSERT_OK(second->Subscribe({topic}, &second_watcher));

  base::Status fenced;
  PollUntil(second.get(), [&] {
    if (fenced.ok()) {
      auto batch = first->Poll(milliseconds(10), 10);
      if (!batch.ok()) fenced = batch.status();
    }
    return !fenced.ok() && second_watcher.assigned > 0;
  });
  EXPECT_EQ(fenced.code(), base::StatusCode::kInternal);
  EXPECT_THAT(fenced.message(), HasSubstr("the-same-id"));
}

TEST_F(LibrdkafkaGroupTest, AMemberThatDoesNotPollInTimeIsLost) {
  clients_ = NewClients({{"max.poll.interval.ms", "1500"}});
  const std::string topic = MakeTopic();
  auto member = NewMember(UniqueName("group"), "", milliseconds(1500));
  GroupWatcher watcher(member.get());
  ASSERT_OK(member->Subscribe({topic}, &watcher));
  PollUntil(member.get(), [&] { return watcher.assigned > 0; });
  std::this_thread::sleep_for(milliseconds(3000));
  base::Status lost;
  const auto end = steady_clock::now() + kPatience;
  while (lost.ok() && steady_clock::now() < end) {
    auto batch = member->Poll(milliseconds(10), 10);
    if (!batch.ok()) lost = batch.status();
  }
  EXPECT_EQ(lost.code(), base::StatusCode::kLost) << lost.ToString();
}

TEST_F(LibrdkafkaGroupTest, AMemberOfAnOldGenerationCannotSendItsPositions) {
  const std::string topic = MakeTopic(2);
  const std::string group = UniqueName("group");
  auto first = NewMember(group, "one");
  GroupWatcher first_watcher(first.get());
  ASSERT_OK(first->Subscribe({topic}, &first_watcher));
  PollUntil(first.get(), [&] { return first_watcher.assigned > 0; });
  const std::unique_ptr<GroupMetadata> old = first->Group();
  auto second = NewMember(group, "two");
  GroupWatcher second_watcher(second.get());
  ASSERT_OK(second->Subscribe({topic}, &second_watcher));
  PollUntil(second.get(), [&] {
    auto batch = first->Poll(milliseconds(10), 10);
    return second_watcher.assigned > 0;
  });

  auto producer = NewTransactional(UniqueName("tx"));
  ASSERT_OK(producer->BeginTransaction());
  const Positions positions = {{{topic, Partition{0}}, Offset{1}}};
  const base::Status stale = producer->SendPositions(positions, *old, kPatience);
  EXPECT_EQ(stale.code(), base::StatusCode::kUnavailable) << stale.ToString();
  ASSERT_OK(producer->AbortTransaction(kPatience));
  ASSERT_OK(producer->BeginTransaction());
  ASSERT_OK(producer->SendPositions(positions, *first->Group(), kPatience));
  ASSERT_OK(producer->CommitTransaction(kPatience));
}

/// One stream thread in small: copies what it reads, in transactions, and commits when revoked.
class Copier {
 public:
  Copier(std::unique_ptr<Consumer> consumer, std::unique_ptr<Producer> producer, std::string target)
      : consumer_(std::move(consumer)),
        producer_(std::move(producer)),
        target_(std::move(target)),
        watcher_(consumer_.get()) {
    watcher_.before_revoke = [this] { Commit(); };
  }

  void Start(const std::string& source) {
    ASSERT_OK(consumer_->Subscribe({source}, &watcher_));
    ASSERT_OK(producer_->BeginTransaction());
  }

  void Step() {
    auto batch = consumer_->Poll(milliseconds(5), 50);
    ASSERT_TRUE(batch.ok()) << batch.status().ToString();
    for (size_t i = 0; i < (*batch)->size(); ++i) {
      const RawRecord& record = (*batch)->record(i);
      ASSERT_OK(producer_->Produce(
          {target_, record.metadata.partition, record.key, record.value, nullptr, 0}));
      ++copied_;
    }
    if (copied_ >= 200) Commit();
  }

  void Commit() {
    copied_ = 0;
    Positions positions;
    for (const TopicPartition& partition : watcher_.owned) {
      if (auto position = consumer_->Position(partition)) positions[partition] = *position;
    }
    ASSERT_OK(producer_->SendPositions(positions, *consumer_->Group(), kPatience));
    ASSERT_OK(producer_->CommitTransaction(kPatience));
    ASSERT_OK(producer_->BeginTransaction());
  }

  void Leave() { ASSERT_OK(consumer_->Leave(kPatience)); }

 private:
  std::unique_ptr<Consumer> consumer_;
  std::unique_ptr<Producer> producer_;
  std::string target_;
  GroupWatcher watcher_;
  int copied_ = 0;
};

TEST_F(LibrdkafkaGroupTest, NothingIsLostOrDoubledWhileMembersComeAndGo) {
  constexpr int kPartitions = 4;
  constexpr int kRecords = 20000;
  const std::string source = MakeTopic(kPartitions);
  const std::string target = MakeTopic(kPartitions);
  for (int partition = 0; partition < kPartitions; ++partition) {
    std::vector<std::string> values;
    for (int i = partition; i < kRecords; i += kPartitions) values.push_back(std::to_string(i));
    Commit(source, values, partition);
  }
  const std::string group = UniqueName("group");
  const std::string id = UniqueName("tx");
  const auto start = [&](const std::string& instance) {
    auto copier = std::make_unique<Copier>(NewMember(group, instance),
                                           NewTransactional(id + instance), target);
    copier->Start(source);
    return copier;
  };
  auto stays = start("stays");
  std::unique_ptr<Copier> goes;
  auto reader = NewReader();
  std::vector<AssignedPartition> all;
  for (int i = 0; i < kPartitions; ++i) all.push_back({{target, Partition{i}}, {}, false});
  ASSERT_OK(reader->Assign(all));
  std::map<std::string, int> copies;
  size_t total = 0;
  int round = 0;
  const auto end = steady_clock::now() + 2 * kPatience;
  while (total < kRecords) {
    ASSERT_LT(steady_clock::now(), end) << total << " of " << kRecords << " arrived";
    ++round;
    if (round % 120 == 20) goes = start("goes");
    if (round % 120 == 119) {
      goes->Leave();
      goes.reset();
    }
    stays->Step();
    if (goes != nullptr) goes->Step();
    if (HasFatalFailure()) return;
    auto batch = reader->Poll(milliseconds(0), 10000);
    ASSERT_TRUE(batch.ok()) << batch.status().ToString();
    for (size_t i = 0; i < (*batch)->size(); ++i) {
      ++copies[std::string(*(*batch)->record(i).value)];
      ++total;
    }
  }
  EXPECT_EQ(copies.size(), static_cast<size_t>(kRecords));
  EXPECT_GT(round, 120) << "no member ever left: read less at a time";
}

}  // namespace
}  // namespace pipeline
