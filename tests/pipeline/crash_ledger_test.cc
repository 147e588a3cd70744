#include "pipeline/crash_ledger.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "state/task_state.h"
#include "tests/support/fake_kafka.h"
#include "tests/support/scratch_directory.h"

namespace pipeline {
namespace {

constexpr milliseconds kTimeout{100};
const base::TopicPartition kEvents{"events", base::Partition{0}};
const RecordPlace kPlace{kEvents, base::Offset{42}};

/// Two instances with a ledger each, and the table that both read.
class CrashLedgerTest : public ::testing::Test {
 protected:
  CrashLedgerTest() {
    cluster_.CreateTopic("app-instances", 1);
    auto opened = state::TaskState::Open(
        {scratch_.path() / "instances", {{std::string(GlobalTableBase::kStore), false}}, &memory_});
    EXPECT_TRUE(opened.ok());
    rows_ = std::move(*opened);
    table_.Attach(rows_->MakeReader());
  }

  int Crash(CrashLedger& ledger, const RecordPlace& place, const std::string& topic_id = "t1") {
    return ledger.Crashed(place, topic_id, ++run_, kTimeout).value();
  }

  /// What the loader does.
  void Read() {
    for (const auto& record : cluster_.CommittedRecords("app-instances")) {
      rows_->Store(GlobalTableBase::kStore).Put(*record.key, *record.value);
      EXPECT_TRUE(rows_->Commit({}).ok());
      table_.Applied(*record.key);
    }
  }

  uint64_t run_ = uint64_t{1} << 63;
  support::ScratchDirectory scratch_;
  support::FakeCluster cluster_;
  support::FakeClients clients_{cluster_};
  state::SharedMemory memory_{size_t{1} << 20, size_t{1} << 20};
  std::unique_ptr<state::TaskState> rows_;
  GlobalTable<InstanceRecord> table_{"app-instances"};
  CrashLedger here_{clients_, &table_, 1};
  CrashLedger there_{clients_, &table_, 1};
};

TEST_F(CrashLedgerTest, CountsCrashesAtOneRecordInARow) {
  EXPECT_FALSE(here_.Find(kEvents, "t1").has_value());
  EXPECT_EQ(Crash(here_, kPlace), 1);
  EXPECT_EQ(Crash(here_, kPlace), 2);
  const auto found = here_.Find(kEvents, "t1");
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->offset, base::Offset{42});
  EXPECT_EQ(found->times, 2);
}

TEST_F(CrashLedgerTest, GoesOnWithWhatOtherInstancesCounted) {
  Crash(here_, kPlace);
  Crash(here_, kPlace);
  Read();
  EXPECT_EQ(there_.Find(kEvents, "t1")->times, 2);
  EXPECT_EQ(Crash(there_, kPlace), 3);
  Read();
  EXPECT_EQ(here_.Find(kEvents, "t1")->times, 3);
}

TEST_F(CrashLedgerTest, BeginsAnewAtAnotherRecord) {
  Crash(here_, kPlace);
  EXPECT_EQ(Crash(here_, {kEvents, base::Offset{43}}), 1);
  EXPECT_EQ(here_.Find(kEvents, "t1")->offset, base::Offset{43});
  EXPECT_EQ(Crash(here_, kPlace), 1) << "not in a row";
}

TEST_F(CrashLedgerTest, CountsOneEndOnceHoweverOftenItIsTold) {
  EXPECT_EQ(here_.Crashed(kPlace, "t1", 7, kTimeout).value(), 1);
  EXPECT_EQ(here_.Crashed(kPlace, "t1", 7, kTimeout).value(), 1);
  Read();
  EXPECT_EQ(there_.Crashed(kPlace, "t1", 7, kTimeout).value(), 1);
  EXPECT_EQ(there_.Crashed(kPlace, "t1", 8, kTimeout).value(), 2);
}

TEST_F(CrashLedgerTest, KnowsNothingOfATopicThatWasMadeAnew) {
  Crash(here_, kPlace);
  EXPECT_FALSE(here_.Find(kEvents, "t2").has_value());
  EXPECT_EQ(Crash(here_, kPlace, "t2"), 1);
}

TEST_F(CrashLedgerTest, CountsNothingThatIsNotWritten) {
  cluster_.SetReachable(false);
  EXPECT_EQ(here_.Crashed(kPlace, "t1", 7, milliseconds(1)).status().code(),
            base::StatusCode::kUnavailable);
  EXPECT_FALSE(here_.Find(kEvents, "t1").has_value());
  cluster_.SetReachable(true);
  EXPECT_EQ(here_.Crashed(kPlace, "t1", 7, kTimeout).value(), 1);
}

}  // namespace
}  // namespace pipeline
