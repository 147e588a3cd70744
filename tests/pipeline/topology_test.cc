#include "pipeline/topology.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "pipeline/task.h"

namespace {

struct Word {
  std::string text;
};

}  // namespace

template <>
struct pipeline::Serde<Word> {
  base::Result<Word> Decode(const RawRecord& record) {
    if (!record.value.has_value()) return base::Status::InvalidArgument("null-value: no word");
    return Word{std::string(*record.value)};
  }
  void Encode(const Word& word, std::string& value) { value += word.text; }
};

namespace pipeline {
namespace {

using testing::HasSubstr;

class Echo : public Processor<Word, Word> {
 public:
  explicit Echo(int times) : times_(times) {}
  base::Status Process(Record<Word> record, Context<Word>& context) override {
    for (int i = 0; i < times_; ++i) RETURN_IF_ERROR(context.Forward(record));
    return base::Status::Ok();
  }

 private:
  int times_;
};

class RefuseShort : public Processor<Word, Word> {
 public:
  base::Status Process(Record<Word> record, Context<Word>& context) override {
    if (record.value.text.size() < 2) return base::Status::InvalidArgument("limit: too short");
    return context.Forward(std::move(record));
  }
};

class UseStore : public Processor<Word, Nothing> {
 public:
  explicit UseStore(state::KeyValueStore& store) : store_(store) {}
  base::Status Process(Record<Word>, Context<Nothing>&) override { return base::Status::Ok(); }

 private:
  [[maybe_unused]] state::KeyValueStore& store_;
};

Topology TwoSubtopologies() {
  TopologyBuilder builder;
  builder.Source<Word>("decode-a", "a")
      .Process<Echo>("echo", 2)
      .Process<RefuseShort>("refuse-short")
      .Sink("out", "b");
  auto store = builder.Store("words");
  builder.Source<Word>("decode-b", "b").Process<UseStore>("use-b", store);
  builder.Source<Word>("decode-c", "c").Process<UseStore>("use-c", store);
  return builder.Build();
}

TEST(Topology, JoinsSourcesThatShareAStoreIntoOneSubtopology) {
  const Topology topology = TwoSubtopologies();
  EXPECT_EQ(topology.subtopology_count(), 2);
  EXPECT_EQ(topology.SubtopologyOf("a"), 0);
  EXPECT_EQ(topology.SubtopologyOf("b"), 1);
  EXPECT_EQ(topology.SubtopologyOf("c"), 1);
  EXPECT_EQ(topology.SubtopologyOf("unknown"), -1);
  EXPECT_TRUE(topology.StoreSpecs(0).empty());
  ASSERT_EQ(topology.StoreSpecs(1).size(), 1U);
  EXPECT_EQ(topology.StoreSpecs(1)[0].name, "words");
}

TEST(Topology, PrintsItselfAsATree) {
  EXPECT_EQ(TwoSubtopologies().ToString(),
            "sub-topology 0\n"
            "  source decode-a (topic a)\n"
            "    stage echo\n"
            "      stage refuse-short\n"
            "        sink out (topic b)\n"
            "sub-topology 1\n"
            "  source decode-b (topic b)\n"
            "    stage use-b [words]\n"
            "  source decode-c (topic c)\n"
            "    stage use-c [words]\n");
}

RawRecord Raw(std::string_view key, std::optional<std::string_view> value) {
  RawRecord record;
  record.metadata.topic = "a";
  record.key = key;
  record.value = value;
  return record;
}

TEST(StageMetrics, SayWhatCameInWhatWentOutAndWhatFailed) {
  base::ManualClock clock(0);
  base::Metrics metrics;
  const Topology topology = TwoSubtopologies();
  Task task({0, {}}, {{"a", {}}});
  task.Open(topology, nullptr, clock, &metrics);
  EXPECT_THAT(metrics.Serialize(), HasSubstr("herald_records_failed_total{stage=\"echo\"} 0\n"));
  ASSERT_TRUE(task.Process(task.inputs()[0], Raw("k", "hello")).ok());
  ASSERT_FALSE(task.Process(task.inputs()[0], Raw("k", "x")).ok());
  ASSERT_FALSE(task.Process(task.inputs()[0], Raw("k", std::nullopt)).ok());
  EXPECT_THAT(metrics.Serialize(), HasSubstr("herald_records_processed_total{stage=\"echo\"} 0\n"))
      << "counted beside the metrics until the end of a batch";
  task.HandOverFigures();
  task.HandOverFigures();
  const std::string text = metrics.Serialize();
  const auto expect = [&](const std::string& stage, int in, int out, int failed) {
    const std::string label = "{stage=\"" + stage + "\"} ";
    EXPECT_THAT(text, HasSubstr("processed_total" + label + std::to_string(in) + "\n"));
    EXPECT_THAT(text, HasSubstr("forwarded_total" + label + std::to_string(out) + "\n"));
    EXPECT_THAT(text, HasSubstr("failed_total" + label + std::to_string(failed) + "\n"));
  };
  expect("decode-a", 3, 2, 1);
  // It passes each on twice; the second of those that are too short never gets there.
  expect("echo", 2, 3, 0);
  expect("refuse-short", 3, 2, 1);
}

/// Takes `before` of its own, passes the record on, and takes `after`.
class TakeTime : public Processor<Word, Word> {
 public:
  TakeTime(base::ManualClock* clock, std::chrono::milliseconds before,
           std::chrono::milliseconds after)
      : clock_(clock), before_(before), after_(after) {}
  base::Status Process(Record<Word> record, Context<Word>& context) override {
    clock_->Advance(before_);
    RETURN_IF_ERROR(context.Forward(std::move(record)));
    clock_->Advance(after_);
    return base::Status::Ok();
  }

 private:
  base::ManualClock* clock_;
  std::chrono::milliseconds before_;
  std::chrono::milliseconds after_;
};

TEST(StageMetrics, TakeTheOwnTimeOfEachStageForOneRecordIn64) {
  using std::chrono::milliseconds;
  base::ManualClock clock(0);
  base::Metrics metrics;
  TopologyBuilder builder;
  builder.Source<Word>("decode", "a")
      .Process<TakeTime>("outer", &clock, milliseconds(100), milliseconds(20))
      .Process<Echo>("twice", 2)
      .Process<TakeTime>("inner", &clock, milliseconds(3000), milliseconds(0))
      .Sink("out", "b");
  const Topology topology = builder.Build();
  Task task({0, {}}, {{"a", {}}});
  task.Open(topology, nullptr, clock, &metrics);
  for (int i = 0; i < 65; ++i) {
    ASSERT_TRUE(task.Process(task.inputs()[0], Raw("k", "hello")).ok());
  }
  const std::string text = metrics.Serialize();
  const auto expect = [&](const std::string& stage, const std::string& count,
                          const std::string& sum) {
    const std::string name = "herald_stage_duration_seconds";
    const std::string label = "{stage=\"" + stage + "\"} ";
    EXPECT_THAT(text, HasSubstr(name + "_count" + label + count + "\n"));
    EXPECT_THAT(text, HasSubstr(name + "_sum" + label + sum + "\n"));
  };
  expect("decode", "2", "0");
  expect("outer", "2", "0.24");
  expect("twice", "2", "0");
  expect("inner", "4", "12");
}

class TaskOverTopology : public testing::Test {
 protected:
  TaskOverTopology() : topology_(TwoSubtopologies()), task_({0, {}}, {{"a", {}}}) {
    task_.Open(topology_, nullptr, clock_, nullptr);
  }
  base::ManualClock clock_{0};
  Topology topology_;
  Task task_;
};

TEST_F(TaskOverTopology, CollectsTheOutputsOfARecord) {
  ASSERT_TRUE(task_.Process(task_.inputs()[0], Raw("k", "hello")).ok());
  ASSERT_EQ(task_.outputs().size(), 2U);
  EXPECT_EQ(task_.outputs()[1].key, "k");
  EXPECT_EQ(task_.outputs()[1].value, "hello");
  EXPECT_EQ(topology_.SinkTopic(task_.outputs()[1].sink), "b");
}

TEST_F(TaskOverTopology, LeavesNoOutputOfARefusedRecordAndNamesTheStage) {
  const base::Status status = task_.Process(task_.inputs()[0], Raw("k", "x"));
  EXPECT_EQ(status.code(), base::StatusCode::kInvalidArgument);
  EXPECT_EQ(task_.refused_by(), "refuse-short");
  EXPECT_EQ(task_.outputs().size(), 0U);
}

TEST_F(TaskOverTopology, NamesTheSourceWhenDecodingFails) {
  const base::Status status = task_.Process(task_.inputs()[0], Raw("k", std::nullopt));
  EXPECT_EQ(status.code(), base::StatusCode::kInvalidArgument);
  EXPECT_EQ(task_.refused_by(), "decode-a");
}

TEST_F(TaskOverTopology, RefusesARecordWhoseOutputIsTooLarge) {
  const std::string large(kOutputBytesMax / 2, 'x');
  EXPECT_EQ(task_.Process(task_.inputs()[0], Raw("k", large)).code(),
            base::StatusCode::kInvalidArgument);
  EXPECT_EQ(task_.outputs().size(), 0U);
  const std::string fits(kOutputBytesMax / 2 - 1, 'x');
  EXPECT_TRUE(task_.Process(task_.inputs()[0], Raw("k", fits)).ok());
}

}  // namespace
}  // namespace pipeline
