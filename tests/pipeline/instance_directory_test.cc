#include "pipeline/instance_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "state/task_state.h"
#include "tests/support/scratch_directory.h"

namespace pipeline {
namespace {

const base::TopicPartition kFirst{"notifications", base::Partition{0}};
const base::TopicPartition kSecond{"notifications", base::Partition{1}};

class InstanceDirectoryTest : public ::testing::Test {
 protected:
  InstanceDirectoryTest() {
    auto opened = state::TaskState::Open(
        {scratch_.path() / "instances", {{std::string(GlobalTableBase::kStore), false}}, &memory_});
    EXPECT_TRUE(opened.ok());
    rows_ = std::move(*opened);
    addresses_.Attach(rows_->MakeReader());
  }

  void Advertise(const std::string& id, const std::string& address) {
    std::string value;
    Serde<InstanceRecord>().Encode({address, 0}, value);
    rows_->Store(GlobalTableBase::kStore).Put(id, value);
    EXPECT_TRUE(rows_->Commit({}).ok());
    addresses_.Applied(id);
  }

  support::ScratchDirectory scratch_;
  state::SharedMemory memory_{size_t{1} << 20, size_t{1} << 20};
  std::unique_ptr<state::TaskState> rows_;
  GlobalTable<InstanceRecord> addresses_{"app-instances"};
  InstanceDirectory directory_{"a", addresses_};
};

TEST_F(InstanceDirectoryTest, FindsTheInstanceOfTheMemberThatHasThePartition) {
  Advertise("a", "127.0.0.1:1");
  Advertise("b-2", "127.0.0.1:2");
  directory_.Refresh({true, {{"a-0", {kFirst}}, {"b-2-1", {kSecond}}}});
  const auto first = directory_.FindOwner(kFirst);
  ASSERT_TRUE(first.has_value());
  EXPECT_TRUE(first->self);
  const auto second = directory_.FindOwner(kSecond);
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(second->id, "b-2");
  EXPECT_EQ(second->address, "127.0.0.1:2");
  EXPECT_FALSE(second->self);
}

TEST_F(InstanceDirectoryTest, KnowsNobodyInTheMiddleOfARebalance) {
  Advertise("b", "127.0.0.1:2");
  directory_.Refresh({true, {{"b-0", {kFirst}}}});
  ASSERT_TRUE(directory_.FindOwner(kFirst).has_value());
  directory_.Refresh({false, {{"b-0", {kFirst}}}});
  EXPECT_FALSE(directory_.FindOwner(kFirst).has_value());
  EXPECT_EQ(directory_.Shares().size(), 1U) << "its members are known all the same";
}

TEST_F(InstanceDirectoryTest, KnowsNobodyWhoseAddressIsNotKnown) {
  directory_.Refresh({true, {{"b-0", {kFirst}}}});
  EXPECT_FALSE(directory_.FindOwner(kFirst).has_value());
  Advertise("b", "127.0.0.1:2");
  EXPECT_EQ(directory_.FindOwner(kFirst)->address, "127.0.0.1:2");
  Advertise("b", "127.0.0.1:3");
  EXPECT_EQ(directory_.FindOwner(kFirst)->address, "127.0.0.1:3") << "it came back elsewhere";
  directory_.Forget();
  EXPECT_FALSE(directory_.FindOwner(kFirst).has_value());
}

TEST_F(InstanceDirectoryTest, PutsTheThreadsOfAnInstanceTogether) {
  directory_.Refresh({true, {{"b-1", {kSecond}}, {"b-0", {kFirst}}}});
  const auto shares = directory_.Shares();
  ASSERT_EQ(shares.size(), 1U);
  EXPECT_EQ(shares[0].instance.id, "b");
  EXPECT_THAT(shares[0].partitions, testing::ElementsAre(kFirst, kSecond));
}

TEST(InstanceRecord, IsReadBackAsItWasWritten) {
  std::string value;
  Serde<InstanceRecord>().Encode({"[::1]:8080", 1795237200000}, value);
  EXPECT_EQ(value, R"({"address":"[::1]:8080","started":"2026-11-21T05:00:00Z"})");
  RawRecord record;
  record.value = value;
  const auto read = Serde<InstanceRecord>().Decode(record);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->address, "[::1]:8080");
  EXPECT_EQ(read->started_ms, 1795237200000);
}

TEST(InstanceRecord, IsRefusedWithoutAnAddress) {
  RawRecord record;
  for (const char* value : {"", "{", "[]", "{}", R"({"address":7})", R"({"address":""})"}) {
    record.value = value;
    EXPECT_EQ(Serde<InstanceRecord>().Decode(record).status().code(),
              base::StatusCode::kInvalidArgument)
        << value;
  }
}

}  // namespace
}  // namespace pipeline
