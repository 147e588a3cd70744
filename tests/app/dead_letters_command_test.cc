#include "app/dead_letters_command.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <unistd.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "app/command_line.h"
#include "app/exit_code.h"
#include "base/clock.h"
#include "pipeline/dead_letter.h"
#include "pipeline/dead_letter_topic.h"
#include "pipeline/partitioner.h"
#include "tests/app/borrowed_clients.h"
#include "tests/app/command_fixture.h"
#include "tests/support/fake_kafka.h"

namespace app {
namespace {

using base::Offset;
using base::Partition;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

constexpr int64_t kRefusedMs = 1'795'237'200'000;  // 2026-11-21T05:00:00Z
constexpr int64_t kNowMs = kRefusedMs + 3'600'000;

/// As a stream thread gives them to the dead letter of `record`.
pipeline::Headers HeadersOf(const pipeline::RawRecord& record, const std::string& stage,
                            const std::string& reason) {
  const pipeline::RecordPlace place{
      {std::string(record.metadata.topic), record.metadata.partition}, record.metadata.offset};
  return pipeline::DeadLetterHeaders(record, stage, base::Status::InvalidArgument(reason),
                                     pipeline::TraceOfPlace(place));
}

class DeadLettersCommandTest : public testing::Test {
 protected:
  DeadLettersCommandTest() : clock_(kNowMs) {
    for (const char* topic : {"events", "notifications", "inbox-actions"}) {
      cluster_.CreateTopic(topic, 3);
    }
    cluster_.CreateTopic("dead-letters", 2);
  }

  /// Refuses events[1]@`offset`, as a stream thread does, `offset` seconds after kRefusedMs.
  void AddLetter(int64_t offset, const std::string& value,
                 const std::string& reason = "not-json: x", const std::string& topic = "events",
                 const std::string& stage = "decode-event",
                 std::optional<std::string> key = std::nullopt) {
    pipeline::RawRecord record;
    record.metadata = {topic, Partition{1}, Offset{offset}, kRefusedMs - 1'000};
    record.value = value;
    cluster_.Append(
        "dead-letters", Partition{1}, std::move(key),
        value.substr(0, pipeline::kDeadLetterValueBytesMax),
        HeadersOf(record, stage, reason),
        kRefusedMs + 1'000 * offset);
  }

  Ran Run(const std::string& name, std::vector<std::string> arguments = {}, int input = -1) {
    std::vector<const char*> argv = {"herald", "dead-letters", name.c_str(), "--brokers", "b:1"};
    for (const std::string& argument : arguments) argv.push_back(argument.c_str());
    std::ostringstream out;
    std::ostringstream err;
    const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    Environment environment{.console = {out, err, false, false},
                            .input = input >= 0 ? input : nothing,
                            .connect = nullptr,
                            .pause = nullptr,
                            .end_on_interrupt = nullptr};
    CommandLine command_line("test version");
    AddDeadLettersCommand(
        command_line,
        [this](const std::string&, const std::map<std::string, std::string>&)
            -> base::Result<std::unique_ptr<pipeline::KafkaClients>> {
          return std::unique_ptr<pipeline::KafkaClients>(
              std::make_unique<BorrowedClients>(*clients_));
        },
        clock_, [this] { return interrupted_; });
    Ran ran;
    ran.exit_code = command_line.Main(static_cast<int>(argv.size()), argv.data(), environment);
    ran.out = out.str();
    ran.err = err.str();
    close(nothing);
    return ran;
  }

  Ran RunAndAnswer(const std::string& name, std::vector<std::string> arguments,
                   const std::string& answer) {
    int master = -1;
    int terminal = -1;
    EXPECT_EQ(openpty(&master, &terminal, nullptr, nullptr, nullptr), 0);
    EXPECT_EQ(write(master, answer.data(), answer.size()), static_cast<ssize_t>(answer.size()));
    Ran ran = Run(name, std::move(arguments), terminal);
    close(terminal);
    close(master);
    return ran;
  }

  /// The names of the letters that `list` shows.
  std::vector<std::string> Listed(std::vector<std::string> arguments = {}) {
    arguments.emplace_back("--json");
    const Ran ran = Run("list", std::move(arguments));
    EXPECT_EQ(ran.exit_code, kExitDone) << ran.err;
    const auto document = nlohmann::json::parse(ran.out);
    std::vector<std::string> names;
    for (const auto& letter : document["dead_letters"]) {
      names.push_back(letter["letter"]);
    }
    return names;
  }

  /// Another process.
  void Restart() { clients_ = std::make_unique<support::FakeClients>(cluster_); }

  base::ManualClock clock_;
  /// By Ctrl-C or SIGTERM.
  bool interrupted_ = false;
  support::FakeCluster cluster_;
  std::unique_ptr<support::FakeClients> clients_ = std::make_unique<support::FakeClients>(cluster_);
};

TEST_F(DeadLettersCommandTest, ListsTheNewestFirstAndSaysHowManyThereAre) {
  for (int64_t i = 0; i < 3; ++i) AddLetter(i, "not json");
  const Ran ran = Run("list", {"--limit", "2"});
  EXPECT_EQ(ran.exit_code, kExitDone) << ran.err;
  EXPECT_THAT(ran.out,
              StartsWith("LETTER  REFUSED                   STAGE         SOURCE      KEY  BYTES  "
                         "REASON\n"
                         "1/2     2026-11-21T05:00:02.000Z  decode-event  events/1@2  -    8      "
                         "not-json: x\n"
                         "1/1     "));
  EXPECT_THAT(ran.out, HasSubstr("The newest 2 of 3"));
  EXPECT_THAT(ran.out, Not(HasSubstr("1/0")));
}

TEST_F(DeadLettersCommandTest, AnEmptyTopicHasNone) {
  EXPECT_THAT(Run("list").out, StartsWith("No dead letters"));
  EXPECT_THAT(Listed(), IsEmpty());
}

TEST_F(DeadLettersCommandTest, EachFilterLeavesOutWhatItDoesNotName) {
  AddLetter(0, "a");
  AddLetter(1, "b", "unknown-type: type");
  AddLetter(2, "c", "limit: too big", "notifications", "write-inbox");
  EXPECT_THAT(Listed(), ElementsAre("1/2", "1/1", "1/0"));
  EXPECT_THAT(Listed({"--reason", "unknown-type"}), ElementsAre("1/1"));
  EXPECT_THAT(Listed({"--stage", "write-inbox"}), ElementsAre("1/2"));
  EXPECT_THAT(Listed({"--topic", "events"}), ElementsAre("1/1", "1/0"));
  EXPECT_THAT(Listed({"--topic", "events", "--partition", "1", "--offset", "1"}),
              ElementsAre("1/1"));
  EXPECT_THAT(Listed({"--partition", "0"}), IsEmpty());
  EXPECT_THAT(Listed({"--since", "2026-11-21T05:00:01Z"}), ElementsAre("1/2", "1/1"));
  EXPECT_THAT(Listed({"--until", std::to_string(kRefusedMs + 1'000)}), ElementsAre("1/0"));
  EXPECT_THAT(Listed({"--since", "2026-11-22T05:00:00Z"}), IsEmpty());
}

TEST_F(DeadLettersCommandTest, JsonSaysAllThatAPageHas) {
  AddLetter(7, "\xff", "invalid-utf8: at 0", "events", "decode-event", "key\x1b");
  const Ran ran = Run("list", {"--json"});
  const auto document = nlohmann::json::parse(ran.out);
  EXPECT_EQ(document["total"], 1);
  const auto& letter = document["dead_letters"][0];
  EXPECT_EQ(letter["letter"], "1/0");
  EXPECT_EQ(letter["refused"], "2026-11-21T05:00:07.000Z");
  EXPECT_EQ(letter["reason"], "invalid-utf8: at 0");
  EXPECT_EQ(letter["topic"], "events");
  EXPECT_EQ(letter["partition"], 1);
  EXPECT_EQ(letter["offset"], 7);
  EXPECT_EQ(letter["timestamp"], kRefusedMs - 1'000);
  EXPECT_EQ(letter["bytes"], 1);
  EXPECT_EQ(letter["key"], "key\x1b");
  EXPECT_TRUE(letter["truncated_from"].is_null());
  EXPECT_TRUE(letter["handled"].is_null());
}

TEST_F(DeadLettersCommandTest, ShowsOneWholeWithoutBytesThatATerminalObeys) {
  AddLetter(3, "{\x1b[2J\xff", "not-json: x", "events", "decode-event", "k\x07");
  const Ran ran = Run("show", {"1/0"});
  EXPECT_EQ(ran.exit_code, kExitDone) << ran.err;
  EXPECT_THAT(ran.out, AllOf(HasSubstr("letter     1/0\n"),
                             HasSubstr("header     reason: not-json"),
                             HasSubstr("header     offset: 3\n"), HasSubstr("key        k\\x07\n"),
                             HasSubstr("bytes      6\n"), HasSubstr("\n{\\x1b[2J\\xff\n")));
  EXPECT_EQ(Run("show", {"1/0", "--raw"}).out, "{\x1b[2J\xff");
  const auto document = nlohmann::json::parse(Run("show", {"1/0", "--json"}).out);
  EXPECT_EQ(document["headers"][0]["name"], "reason");
  EXPECT_EQ(document["value"], "{\x1b[2J\xef\xbf\xbd");
  EXPECT_TRUE(document["cannot_be_replayed"].is_null());
}

TEST_F(DeadLettersCommandTest, ShowSaysThatThereIsNone) {
  const Ran ran = Run("show", {"1/0"});
  EXPECT_EQ(ran.exit_code, kExitRefused);
  EXPECT_THAT(ran.err, HasSubstr("1/0"));
  EXPECT_EQ(Run("show", {"5/0"}).exit_code, kExitRefused);
}

TEST_F(DeadLettersCommandTest, ReplaysTheBytesToTheirPartitionWithThePlaceOfBefore) {
  AddLetter(42, "not json", "not-json: x", "events", "decode-event", "key");
  const Ran ran = Run("replay", {"1/0", "--yes"});
  EXPECT_EQ(ran.exit_code, kExitDone) << ran.err;
  EXPECT_EQ(ran.out, "replayed 1 dead letters\n");
  const auto events = cluster_.CommittedRecords("events");
  ASSERT_THAT(events, SizeIs(1));
  EXPECT_EQ(events[0].partition, Partition{1});
  EXPECT_EQ(events[0].key, "key");
  EXPECT_EQ(events[0].value, "not json");
  EXPECT_EQ(events[0].Header("herald-replayed"), "1/42/" + std::to_string(kRefusedMs - 1'000));
  EXPECT_EQ(events[0].Header("traceparent"),
            pipeline::TraceOfPlace({{"events", Partition{1}}, Offset{42}}).context.ToTraceParent());
}

TEST_F(DeadLettersCommandTest, WhereTheKeyDecidesThePartitionItDoesNowToo) {
  AddLetter(1, "x", "wrong-shape: v", "notifications", "decode-notification", "somebody");
  EXPECT_EQ(Run("replay", {"--all", "--yes"}).exit_code, kExitDone);
  const auto records = cluster_.CommittedRecords("notifications");
  ASSERT_THAT(records, SizeIs(1));
  EXPECT_EQ(records[0].partition, pipeline::PartitionForKey("somebody", 3));
}

TEST_F(DeadLettersCommandTest, ANullValueAndANullKeyStayNull) {
  pipeline::RawRecord record;
  record.metadata = {"events", Partition{0}, Offset{1}, kRefusedMs};
  cluster_.Append("dead-letters", Partition{0}, std::nullopt, std::nullopt,
                  HeadersOf(record, "decode-event", "null-value: x"));
  EXPECT_EQ(Run("replay", {"--all", "--yes"}).exit_code, kExitDone);
  const auto records = cluster_.CommittedRecords("events");
  ASSERT_THAT(records, SizeIs(1));
  EXPECT_FALSE(records[0].key.has_value());
  EXPECT_FALSE(records[0].value.has_value());
}

TEST_F(DeadLettersCommandTest, WhatWasReplayedOrDroppedIsNotListedNorReplayedAgain) {
  for (int64_t i = 0; i < 3; ++i) AddLetter(i, "x");
  EXPECT_EQ(Run("replay", {"1/0", "--yes"}).exit_code, kExitDone);
  EXPECT_EQ(Run("drop", {"1/1", "--yes"}).out, "dropped 1 dead letters\n");
  EXPECT_THAT(Listed(), ElementsAre("1/2"));
  EXPECT_THAT(Listed({"--handled"}), ElementsAre("1/2", "1/1", "1/0"));
  EXPECT_THAT(Run("list", {"--handled"}).out,
              AllOf(HasSubstr("[replayed] not-json"), HasSubstr("[dropped] not-json")));
  EXPECT_THAT(Run("show", {"1/1"}).out, HasSubstr("handled    dropped\n"));
  const Ran again = Run("replay", {"1/0", "1/1", "--yes"});
  EXPECT_EQ(again.exit_code, kExitDone) << again.err;
  EXPECT_EQ(again.out, "replayed 0 dead letters\n");
  EXPECT_EQ(Run("replay", {"--all", "--yes"}).out, "replayed 1 dead letters\n");
  EXPECT_THAT(cluster_.CommittedRecords("events"), SizeIs(2));
}

TEST_F(DeadLettersCommandTest, SaysWhichOfThoseNamedIsNotThereAndDoesTheRest) {
  AddLetter(0, "x");
  const Ran ran = Run("drop", {"1/0", "0/18", "--yes"});
  EXPECT_EQ(ran.exit_code, kExitRefused);
  EXPECT_EQ(ran.out, "dropped 1 dead letters\n");
  EXPECT_EQ(ran.err, "there is no dead letter 0/18\n");
}

TEST_F(DeadLettersCommandTest, RefusesByNameWhatItCannotReplayAndDoesTheRest) {
  AddLetter(0, std::string(pipeline::kDeadLetterValueBytesMax + 1, 'x'), "limit: big");
  AddLetter(1, "x", "not-json: x", "payments");
  AddLetter(2, "x", "not-json: x", "events", "decode-event",
            std::string(pipeline::kDeadLetterKeyBytesMax, 'k'));
  cluster_.Append("dead-letters", Partition{1}, "k", "no headers at all", {},
                  kRefusedMs + 3'000);
  AddLetter(4, "good");
  const Ran ran = Run("replay", {"--all", "--yes"});
  EXPECT_EQ(ran.exit_code, kExitRefused);
  EXPECT_EQ(ran.out, "replayed 1 dead letters\n");
  EXPECT_THAT(ran.err,
              AllOf(HasSubstr("1/0 cannot be replayed: only the first 524288 of its 524289 bytes"),
                    HasSubstr("1/1 cannot be replayed: it says that it is of topic payments"),
                    HasSubstr("1/2 cannot be replayed: its key"),
                    HasSubstr("1/3 cannot be replayed: its headers do not say")));
  EXPECT_THAT(cluster_.CommittedRecords("events"), SizeIs(1));
  EXPECT_THAT(Listed(), ElementsAre("1/3", "1/2", "1/1", "1/0")) << "they can be dropped";
  EXPECT_EQ(Run("drop", {"--all", "--yes"}).out, "dropped 4 dead letters\n");
}

TEST_F(DeadLettersCommandTest, APartitionThatIsGoneIsNoPlaceToReplayTo) {
  pipeline::RawRecord record;
  record.metadata = {"events", Partition{3}, Offset{1}, kRefusedMs};
  cluster_.Append(
      "dead-letters", Partition{0}, std::nullopt, "x",
      HeadersOf(record, "s", "not-json: x"));
  const Ran ran = Run("replay", {"--all", "--yes"});
  EXPECT_EQ(ran.exit_code, kExitRefused);
  EXPECT_THAT(ran.err, HasSubstr("topic events has no partition 3"));
}

TEST_F(DeadLettersCommandTest, ADryRunSaysWhatWouldBeDoneAndChangesNothing) {
  AddLetter(0, "x");
  AddLetter(1, "x", "unknown-type: type");
  AddLetter(2, "x");
  const Ran ran = Run("replay", {"--all", "--dry-run"});
  EXPECT_EQ(ran.exit_code, kExitDone) << ran.err;
  EXPECT_EQ(ran.out,
            "would replay 3 dead letters\n"
            "COUNT  REASON        STAGE         TOPIC\n"
            "2      not-json      decode-event  events\n"
            "1      unknown-type  decode-event  events\n");
  EXPECT_THAT(Run("drop", {"--reason", "not-json", "--dry-run"}).out,
              StartsWith("would drop 2 dead letters\n"));
  EXPECT_THAT(cluster_.CommittedRecords("events"), IsEmpty());
  EXPECT_THAT(Listed(), SizeIs(3));
}

TEST_F(DeadLettersCommandTest, AsksOnATerminalAndTakesOnlyYes) {
  AddLetter(0, "x");
  const Ran no = RunAndAnswer("replay", {"1/0"}, "no\n");
  EXPECT_EQ(no.exit_code, kExitRefused);
  EXPECT_THAT(no.out, AllOf(HasSubstr("would replay 1"), HasSubstr("Go on? [y/N]")));
  EXPECT_THAT(no.err, HasSubstr("Nothing was changed"));
  EXPECT_THAT(cluster_.CommittedRecords("events"), IsEmpty());
  const Ran yes = RunAndAnswer("replay", {"1/0"}, "y\n");
  EXPECT_EQ(yes.exit_code, kExitDone) << yes.err;
  EXPECT_THAT(yes.out, HasSubstr("replayed 1 dead letters\n"));
}

TEST_F(DeadLettersCommandTest, WantsToBeToldWhichAndByWhom) {
  AddLetter(0, "x");
  const auto expect = [this](const std::string& name, std::vector<std::string> arguments,
                             const std::string& words) {
    const Ran ran = Run(name, std::move(arguments));
    EXPECT_EQ(ran.exit_code, kExitUsage) << words;
    EXPECT_THAT(ran.err, HasSubstr(words));
  };
  expect("replay", {"--yes"}, "--all");
  expect("replay", {"1/0", "--all", "--yes"}, "--all");
  expect("drop", {"1/0"}, "--yes");
  expect("replay", {"1-0", "--yes"}, "\"1-0\"");
  expect("replay", {"1/-2", "--yes"}, "\"1/-2\"");
  expect("list", {"--since", "yesterday"}, "--since");
  expect("list", {"--until", "-1"}, "--until");
  expect("list", {"--limit", "0"}, "--limit");
  expect("list", {"--limit", "1001"}, "--limit");
  expect("show", {}, "letter");
  expect("show", {"1/0", "--raw", "--json"}, "--raw");
  expect("list", {"-X", "novalue"}, "-X");
  EXPECT_THAT(cluster_.CommittedRecords("events"), IsEmpty());
}

TEST_F(DeadLettersCommandTest, SaysThatTheTopicIsNotThereOrNoBroker) {
  Ran ran = Run("list", {"--topic-prefix", "typo."});
  EXPECT_EQ(ran.exit_code, kExitRefused);
  EXPECT_THAT(ran.err, AllOf(HasSubstr("typo.dead-letters"), HasSubstr("--topic-prefix")));
  cluster_.SetReachable(false);
  ran = Run("list");
  EXPECT_EQ(ran.exit_code, kExitUnreachable);
  EXPECT_THAT(ran.err, StartsWith("herald dead-letters list: "));
}

TEST_F(DeadLettersCommandTest, OneThatDiesHalfWayIsCompletedByTheNextAndNothingIsTwice) {
  // The first transaction is committed; the second breaks off at each of its steps.
  constexpr size_t kLetters = pipeline::kReplayedRecordsMax + 3;
  size_t letters = 0;
  for (const char* step : {"producer.begin.after", "producer.produce.after",
                           "producer.commit.before", "producer.commit.flushed"}) {
    for (size_t i = 0; i < kLetters; ++i) AddLetter(static_cast<int64_t>(letters++), "x");
    bool committed = false;
    clients_->SetStepHook([&](std::string_view at) {
      if (at == "producer.commit.after") committed = true;
      if (committed && at == step) clients_->Kill();
    });
    const Ran died = Run("replay", {"--all", "--yes"});
    EXPECT_EQ(died.exit_code, kExitFailure) << step;
    EXPECT_THAT(died.out, HasSubstr("replayed 500 dead letters\n"));
    EXPECT_THAT(cluster_.CommittedRecords("events"), SizeIs(letters - 3)) << step;
    Restart();
    const Ran next = Run("replay", {"--all", "--yes"});
    EXPECT_EQ(next.exit_code, kExitDone) << next.err;
    EXPECT_EQ(next.out, "replayed 3 dead letters\n");
    EXPECT_THAT(cluster_.CommittedRecords("events"), SizeIs(letters)) << step;
  }
}

TEST_F(DeadLettersCommandTest, OneThatIsInterruptedLeavesNoTransactionOpen) {
  // One of the first that are read together cannot be replayed, so that at the second look a
  // transaction is open.
  AddLetter(0, "x", "not-json: x", "payments");
  constexpr size_t kLetters = 2 * pipeline::kReplayedRecordsMax + 10;
  for (size_t i = 0; i < kLetters; ++i) AddLetter(static_cast<int64_t>(i + 1), "x");
  std::string last;
  clients_->SetStepHook([&](std::string_view at) {
    if (at == "producer.commit.after") interrupted_ = true;
    if (at == "producer.produce.after" || at == "producer.commit.after") last = at;
  });
  const Ran ran = Run("replay", {"--all", "--yes"});
  EXPECT_EQ(ran.exit_code, kExitFailure);
  EXPECT_EQ(ran.out, "replayed 999 dead letters\n");
  EXPECT_THAT(ran.err, AllOf(HasSubstr("interrupted"), HasSubstr("the same command goes on")));
  EXPECT_EQ(last, "producer.commit.after");
  EXPECT_THAT(cluster_.CommittedRecords("events"), SizeIs(999));

  clients_->SetStepHook(nullptr);
  interrupted_ = false;
  EXPECT_EQ(Run("replay", {"--all", "--yes"}).out, "replayed 11 dead letters\n");
  EXPECT_THAT(cluster_.CommittedRecords("events"), SizeIs(kLetters));
}

TEST_F(DeadLettersCommandTest, ALostAnswerIsNoReasonToReplayTwice) {
  for (const auto how : {support::LostCommit::kCommitted, support::LostCommit::kAborted}) {
    AddLetter(static_cast<int64_t>(how), "x");
    clients_->LoseNextCommit(how);
    const Ran ran = Run("replay", {"--all", "--yes"});
    EXPECT_NE(ran.exit_code, kExitDone);
    EXPECT_THAT(ran.err, HasSubstr("the same command goes on"));
    Restart();
    EXPECT_EQ(Run("replay", {"--all", "--yes"}).exit_code, kExitDone);
  }
  EXPECT_THAT(cluster_.CommittedRecords("events"), SizeIs(2));
}

TEST_F(DeadLettersCommandTest, OfTwoAtOnceTheOneThatCameFirstIsShutOut) {
  AddLetter(0, "x");
  support::FakeClients other(cluster_);
  const auto second = other.NewTransactionalProducer("dead-letters-tool");
  bool there = false;
  clients_->SetStepHook([&](std::string_view at) {
    if (at == "producer.produce.after" && !there) {
      there = true;
      EXPECT_TRUE((*second)->InitTransactions(std::chrono::milliseconds(100)).ok());
    }
  });
  const Ran ran = Run("replay", {"--all", "--yes"});
  EXPECT_EQ(ran.exit_code, kExitFailure);
  EXPECT_THAT(ran.err, HasSubstr("another run has taken over"));
  EXPECT_THAT(cluster_.CommittedRecords("events"), IsEmpty());
}

TEST_F(DeadLettersCommandTest, NamesTheLetterThatABrokerRefuses) {
  AddLetter(0, "x");
  AddLetter(1, "y");
  clients_->RefuseNext("events", "too large");
  const Ran ran = Run("replay", {"--all", "--yes"});
  EXPECT_EQ(ran.exit_code, kExitRefused);
  EXPECT_THAT(ran.err, AllOf(HasSubstr("dead letter 1/"), HasSubstr("too large")));
  EXPECT_THAT(cluster_.CommittedRecords("events"), IsEmpty());
  EXPECT_THAT(Listed(), SizeIs(2));
}

TEST_F(DeadLettersCommandTest, MarksOfLettersThatAreGoneGoToo) {
  AddLetter(0, "x");
  AddLetter(1, "x");
  EXPECT_EQ(Run("drop", {"1/0", "--yes"}).exit_code, kExitDone);
  cluster_.DeleteRecordsBefore({"dead-letters", Partition{1}}, Offset{1});
  EXPECT_EQ(Run("drop", {"1/1", "--yes"}).exit_code, kExitDone);
  const auto marks = cluster_.CommittedRecords("dead-letters-handled");
  ASSERT_THAT(marks, SizeIs(3));
  EXPECT_EQ(marks[2].key, marks[0].key);
  EXPECT_FALSE(marks[2].value.has_value());
}

TEST_F(DeadLettersCommandTest, MarksDoNotCountForATopicThatWasMadeAnew) {
  AddLetter(0, "x");
  EXPECT_EQ(Run("drop", {"1/0", "--yes"}).exit_code, kExitDone);
  cluster_.RecreateTopic("dead-letters");
  AddLetter(0, "x");
  EXPECT_THAT(Listed(), ElementsAre("1/0"));
}

}  // namespace
}  // namespace app
