#include "pipeline/topology.h"

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
