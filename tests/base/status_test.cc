#include "base/status.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace base {
namespace {

TEST(Status, IsOkWithoutAMessageByDefault) {
  const Status status;
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(status.code(), StatusCode::kOk);
  EXPECT_EQ(status.ToString(), "ok");
}

TEST(Status, NamesItsCodeAndMessage) {
  EXPECT_EQ(Status::InvalidArgument("no type").ToString(), "invalid argument: no type");
  EXPECT_EQ(Status::Unavailable("a").ToString(), "unavailable: a");
  EXPECT_EQ(Status::Lost("b").ToString(), "lost: b");
  EXPECT_EQ(Status::Corruption("c").ToString(), "corruption: c");
  EXPECT_EQ(Status::Fatal("").ToString(), "fatal");
  EXPECT_FALSE(Status::Fatal("").ok());
}

TEST(Status, KeepsItsCodeUnderAContext) {
  const Status status = Status::Corruption("bad block").WithContext("restoring task 1_0");
  EXPECT_EQ(status.code(), StatusCode::kCorruption);
  EXPECT_EQ(status.message(), "restoring task 1_0: bad block");
}

Status FailAfter(const Status& first, int* calls) {
  RETURN_IF_ERROR(first);
  ++*calls;
  return Status::Ok();
}

TEST(Status, ReturnsEarlyOnAnErrorOnly) {
  int calls = 0;
  EXPECT_TRUE(FailAfter(Status::Ok(), &calls).ok());
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(FailAfter(Status::Lost("moved"), &calls).code(), StatusCode::kLost);
  EXPECT_EQ(calls, 1);
}

Result<std::string> Greet(bool well) {
  if (!well) return Status::Unavailable("asleep");
  return std::string("hello");
}

TEST(Result, HoldsAValueOrAStatus) {
  const Result<std::string> good = Greet(true);
  ASSERT_TRUE(good.ok());
  EXPECT_EQ(*good, "hello");
  EXPECT_EQ(good->size(), 5u);
  EXPECT_TRUE(good.status().ok());

  const Result<std::string> bad = Greet(false);
  EXPECT_FALSE(bad.ok());
  EXPECT_EQ(bad.status().code(), StatusCode::kUnavailable);
}

TEST(Result, GivesAMoveOnlyValueAway) {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(7));
  const std::unique_ptr<int> taken = std::move(result).value();
  EXPECT_EQ(*taken, 7);
}

TEST(ResultDeathTest, AbortsWhenTheValueOfAnErrorIsTaken) {
  const Result<std::string> bad = Greet(false);
  EXPECT_DEATH(static_cast<void>(bad.value()), "check failed.*asleep");
}

TEST(ResultDeathTest, AbortsWhenMadeOfAnOkStatus) {
  EXPECT_DEATH(static_cast<void>(Result<int>{Status::Ok()}), "needs an error");
}

TEST(CheckDeathTest, PrintsConditionAndMessage) {
  EXPECT_DEATH(CHECK(1 + 1 == 3, "sums are off"), "1 \\+ 1 == 3: sums are off");
}

TEST(Check, EvaluatesTheMessageOnlyOnFailure) {
  int made = 0;
  const auto message = [&] {
    ++made;
    return "unused";
  };
  CHECK(made == 0, message());
  EXPECT_EQ(made, 0);
}

}  // namespace
}  // namespace base
