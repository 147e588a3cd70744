#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/status.h"
#include "pipeline/global_table.h"
#include "pipeline/processor.h"
#include "pipeline/record.h"
#include "pipeline/serde.h"
#include "state/key_value_store.h"
#include "state/task_state.h"

namespace pipeline {

/// What happens to a record that a source or stage refuses with InvalidArgument.
enum class OnRefused {
  /// It becomes a dead letter, in the same transaction as its position.
  kDeadLetter,
  /// It is counted and passed over.
  kSkip,
  /// The engine stops.
  kFail,
};

/// Looks up a store of the same task by name. REQUIRES: declared.
using StoreLookupFunction = std::function<state::KeyValueStore&(std::string_view name)>;

/// Rebuilds what is derived from a store's rows (a local index, a recount) after rows came back
/// from the changelog, before the task runs. Rows with the same group are repaired together, once.
struct RestoreRepair {
  /// The prefix of `key` that names its group; a group is one contiguous key range.
  std::function<std::string_view(std::string_view key)> group_of;
  /// Leaves the derived rows of `group` as if they had been written beside the group's rows. It
  /// may be run again for a group that is in order.
  std::function<base::Status(std::string_view group, const StoreLookupFunction& stores)> repair;
};

struct StoreOptions {
  /// False: a local index that is absent from the changelog.
  bool changelog = true;
  RestoreRepair repair = {};
};

/// One line of the topology, for people and tools.
struct NodeDescription {
  enum class Kind { kSource, kProcessor, kSink };
  Kind kind = Kind::kProcessor;
  std::string name;
  /// Source and sink: the topic.
  std::string topic;
  /// Processor: its stores and global tables.
  std::vector<std::string> stores;
  /// Index of the node upstream; -1 for a source.
  int parent = -1;
  int32_t subtopology = 0;
};

struct StoreDescription {
  std::string name;
  StoreOptions options;
  int32_t subtopology = 0;
};

/// Bytes of all output of one record at most; a record with more is refused.
inline constexpr size_t kOutputBytesMax = size_t{16} << 20;

/// Records that one input record led to, held back until the record is through.
///
/// Strings are reused from record to record. Threads: the task's.
class OutputBuffer {
 public:
  struct Output {
    uint32_t sink = 0;
    std::string key;
    std::string value;
  };

  /// A cleared slot for the caller to fill.
  Output& Append(uint32_t sink) {
    if (used_ == slots_.size()) slots_.emplace_back();
    Output& slot = slots_[used_++];
    slot.sink = sink;
    slot.key.clear();
    slot.value.clear();
    return slot;
  }
  /// To be called with the bytes of a slot once it is filled; the sum decides `bytes()`.
  void AddBytes(size_t bytes) { bytes_ += bytes; }
  /// What one record may lead to, in bytes.
  void SetBytesMax(size_t bytes) { bytes_max_ = bytes; }
  size_t bytes_max() const { return bytes_max_; }

  size_t size() const { return used_; }
  size_t bytes() const { return bytes_; }
  const Output& operator[](size_t index) const { return slots_[index]; }

  /// Forgets the outputs; gives memory back when a single record had very many.
  void Clear() {
    if (slots_.size() > kSlotsKept) slots_.resize(kSlotsKept);
    used_ = 0;
    bytes_ = 0;
  }

 private:
  static constexpr size_t kSlotsKept = 64;
  std::vector<Output> slots_;
  size_t used_ = 0;
  size_t bytes_ = 0;
  size_t bytes_max_ = kOutputBytesMax;
};

namespace internal {

/// Of one task: whether the record that is under way is in the sample of which stages' times are
/// taken, and how long the stages behind the one that runs took for it.
struct StageSample {
  bool on = false;
  std::chrono::nanoseconds behind{0};
};

/// What metrics say of one stage or source, in one task. Counts beside the metrics and hands over now
/// and then: a record passes several stages, and an atomic at each would be felt.
class StageFigures {
 public:
  StageFigures() = default;
  /// `metrics` may be nullptr: then it counts nowhere.
  StageFigures(base::Metrics* metrics, const std::string& stage);

  void CountIn() { ++in_; }
  void CountOut() { ++out_; }
  void CountFailed() { ++failed_; }
  void Took(std::chrono::nanoseconds time) const {
    duration_.Observe(std::chrono::duration<double>(time).count());
  }
  void HandOver() {
    HandOver(processed_, in_);
    HandOver(forwarded_, out_);
    HandOver(failures_, failed_);
  }

 private:
  static void HandOver(const base::Counter& counter, uint64_t& count) {
    if (count == 0) return;
    counter.Increment(static_cast<double>(count));
    count = 0;
  }

  uint64_t in_ = 0;
  uint64_t out_ = 0;
  uint64_t failed_ = 0;
  base::Counter processed_;
  base::Counter forwarded_;
  base::Counter failures_;
  base::Histogram duration_;
};

/// What nodes need to come alive in a task.
struct BuildArgs {
  StoreLookupFunction stores;
  OutputBuffer* outputs = nullptr;
  /// Set to the name of the innermost node that returned an error; empty before each record.
  std::string* refused_by = nullptr;
  const base::Clock* clock = nullptr;
  base::Metrics* metrics = nullptr;
  StageSample* sample = nullptr;
};

class Node {
 public:
  virtual ~Node() = default;
  virtual base::Status Punctuate() { return base::Status::Ok(); }
  /// Brings the metrics up to date.
  virtual void HandOverFigures() {}
};

template <typename T>
class Receiver : public Node {
 public:
  /// Takes what it needs out of the record. A reference, for a record is some hundred bytes and
  /// passes several nodes.
  virtual base::Status Receive(Record<T>&& record) = 0;
};

/// The children of one node in one task; the record is copied for all but the last.
template <typename T>
class FanOut {
 public:
  void Add(Receiver<T>* child) { children_.push_back(child); }

  base::Status Deliver(Record<T>&& record) {
    if (children_.empty()) return base::Status::Ok();
    for (size_t i = 0; i + 1 < children_.size(); ++i) {
      RETURN_IF_ERROR(children_[i]->Receive(Record<T>(record)));
    }
    return children_.back()->Receive(std::move(record));
  }

 private:
  std::vector<Receiver<T>*> children_;
};

/// The nodes of one task; parents may be built before their children.
using OwnedNodes = std::vector<std::unique_ptr<Node>>;

template <typename T>
using AttachFunction = std::function<void(const BuildArgs&, OwnedNodes&, FanOut<T>&)>;
template <typename T>
using Children = std::shared_ptr<std::vector<AttachFunction<T>>>;

class SourceNode : public Node {
 public:
  virtual base::Status Deliver(const RawRecord& record) = 0;
  /// The record that `record` was made from, when it says so.
  virtual std::optional<RecordPlace> OriginOf(const RawRecord& record) = 0;
};

template <typename T>
class TypedSourceNode : public SourceNode {
 public:
  TypedSourceNode(std::string name, const BuildArgs& args)
      : name_(std::move(name)),
        clock_(args.clock),
        refused_by_(args.refused_by),
        sample_(args.sample),
        figures_(args.metrics, name_) {}

  base::Status Deliver(const RawRecord& raw) override {
    figures_.CountIn();
    std::chrono::nanoseconds began{0};
    if (sample_->on) [[unlikely]] began = clock_->Monotonic();
    base::Result<T> value = serde_.Decode(raw);
    if (sample_->on) [[unlikely]] figures_.Took(clock_->Monotonic() - began);
    if (!value.ok()) {
      figures_.CountFailed();
      *refused_by_ = name_;
      return value.status();
    }
    figures_.CountOut();
    return children.Deliver(
        Record<T>{std::string(raw.key.value_or("")), std::move(*value), raw.metadata});
  }
  void HandOverFigures() override { figures_.HandOver(); }

  std::optional<RecordPlace> OriginOf(const RawRecord& raw) override {
    if constexpr (TellsOrigin<T>) {
      return serde_.OriginOf(raw);
    } else {
      return std::nullopt;
    }
  }

  FanOut<T> children;

 private:
  const std::string name_;
  const base::Clock* clock_;
  std::string* refused_by_;
  const StageSample* sample_;
  StageFigures figures_;
  Serde<T> serde_;
};

template <typename P>
class ProcessorNode : public Receiver<typename P::Input>, public Context<typename P::Output> {
 public:
  using Out = typename P::Output;

  ProcessorNode(std::string name, std::unique_ptr<P> processor, const BuildArgs& args)
      : name_(std::move(name)),
        processor_(std::move(processor)),
        clock_(args.clock),
        refused_by_(args.refused_by),
        sample_(args.sample),
        figures_(args.metrics, name_) {}

  base::Status Receive(Record<typename P::Input>&& record) override {
    figures_.CountIn();
    if (!sample_->on) [[likely]] return Process(std::move(record));
    // What comes out is received within Process(): the time of those behind is not this one's own.
    const std::chrono::nanoseconds beside = std::exchange(sample_->behind, {});
    const std::chrono::nanoseconds began = clock_->Monotonic();
    base::Status status = Process(std::move(record));
    const std::chrono::nanoseconds whole = clock_->Monotonic() - began;
    figures_.Took(whole - sample_->behind);
    sample_->behind = beside + whole;
    return status;
  }
  base::Status Punctuate() override { return processor_->Punctuate(*this); }
  void HandOverFigures() override { figures_.HandOver(); }
  base::Status Forward(Record<Out> record) override {
    figures_.CountOut();
    return children.Deliver(std::move(record));
  }
  int64_t NowMs() const override { return clock_->NowMs(); }

  FanOut<Out> children;

 private:
  base::Status Process(Record<typename P::Input>&& record) {
    base::Status status = processor_->Process(std::move(record), *this);
    if (!status.ok() && refused_by_->empty()) {
      figures_.CountFailed();
      *refused_by_ = name_;
    }
    return status;
  }

  const std::string name_;
  std::unique_ptr<P> processor_;
  const base::Clock* clock_;
  std::string* refused_by_;
  StageSample* sample_;
  StageFigures figures_;
};

template <typename T>
class SinkNode : public Receiver<T> {
 public:
  SinkNode(uint32_t sink, OutputBuffer* outputs) : sink_(sink), outputs_(outputs) {}

  base::Status Receive(Record<T>&& record) override {
    OutputBuffer::Output& output = outputs_->Append(sink_);
    serde_.Encode(record.value, output.value);
    output.key = std::move(record.key);
    outputs_->AddBytes(output.key.size() + output.value.size());
    if (outputs_->bytes() > outputs_->bytes_max()) {
      return base::Status::InvalidArgument("limit: the output of this record is larger than " +
                                           std::to_string(outputs_->bytes_max()) + " bytes");
    }
    return base::Status::Ok();
  }

 private:
  uint32_t sink_;
  OutputBuffer* outputs_;
  Serde<T> serde_;
};

}  // namespace internal

class TopologyBuilder;

/// Names a store in the graph; a stage declared with it gets `state::KeyValueStore&`.
struct StoreHandle {
  std::string name;
};

/// Names a global table in the graph; a stage declared with it gets `const GlobalTable<T>&`.
template <typename T>
struct GlobalTableHandle {
  std::shared_ptr<GlobalTable<T>> table;
};

/// The nodes of a sub-topology come alive for one partition. Threads: the task's.
class TaskTopology {
 public:
  /// Runs a record of `topic` through the graph. The outputs are in `outputs` afterwards, also
  /// when an error says that they must not be used. REQUIRES: a source reads `topic`.
  base::Status Deliver(size_t source, const RawRecord& record) {
    return sources_[source].node->Deliver(record);
  }
  /// The record that `record` was made from, when it says so.
  std::optional<RecordPlace> OriginOf(size_t source, const RawRecord& record) const {
    return sources_[source].node->OriginOf(record);
  }
  /// The index for Deliver(). REQUIRES: a source of this sub-topology reads `topic`.
  size_t SourceIndex(std::string_view topic) const;
  OnRefused on_refused(size_t source) const { return sources_[source].on_refused; }
  const std::string& source_name(size_t source) const { return sources_[source].name; }

  base::Status Punctuate() {
    for (const auto& node : nodes_) RETURN_IF_ERROR(node->Punctuate());
    return base::Status::Ok();
  }

  void HandOverFigures() {
    for (const auto& node : nodes_) node->HandOverFigures();
  }

 private:
  friend class Topology;
  struct Source {
    std::string topic;
    std::string name;
    OnRefused on_refused = OnRefused::kDeadLetter;
    internal::SourceNode* node = nullptr;
  };
  internal::OwnedNodes nodes_;
  std::vector<Source> sources_;
};

/// The acyclic graph of sources, stages, stores and sinks. Immutable; shared by all threads.
///
/// Sources that are connected by stages or by a common store form one sub-topology; a task is a
/// sub-topology for one partition number.
class Topology {
 public:
  int32_t subtopology_count() const { return subtopology_count_; }
  const std::vector<NodeDescription>& nodes() const { return nodes_; }
  const std::vector<StoreDescription>& stores() const { return stores_; }
  const std::vector<std::shared_ptr<GlobalTableBase>>& global_tables() const {
    return global_tables_;
  }

  /// All topics that sources read, each once.
  std::vector<std::string> SourceTopics() const;
  std::vector<std::string> SourceTopics(int32_t subtopology) const;
  /// The sub-topology that reads `topic`; -1 when none does.
  int32_t SubtopologyOf(std::string_view topic) const;
  /// The topic of sink number `sink` (OutputBuffer::Output::sink).
  const std::string& SinkTopic(uint32_t sink) const { return sink_topics_[sink]; }
  const std::vector<std::string>& sink_topics() const { return sink_topics_; }
  std::vector<state::StoreSpec> StoreSpecs(int32_t subtopology) const;

  /// Builds the nodes of one task. `outputs`, `clock` and `metrics` outlive the result.
  std::unique_ptr<TaskTopology> Instantiate(int32_t subtopology,
                                            const internal::BuildArgs& args) const;

  /// The graph as indented text, a line a node.
  std::string ToString() const;

 private:
  friend class TopologyBuilder;
  struct Root {
    int node = 0;
    std::string topic;
    OnRefused on_refused = OnRefused::kDeadLetter;
    std::function<internal::SourceNode*(const internal::BuildArgs&, internal::OwnedNodes&)> build;
  };

  std::vector<NodeDescription> nodes_;
  std::vector<StoreDescription> stores_;
  std::vector<std::shared_ptr<GlobalTableBase>> global_tables_;
  std::vector<Root> roots_;
  std::vector<std::string> sink_topics_;
  int32_t subtopology_count_ = 0;
};

/// A stream of T between two nodes, while the topology is built.
///
/// Process<P>() does not compile unless P takes what this stream carries.
template <typename T>
class Stream {
 public:
  /// Appends a stage. Each argument reaches P's constructor: a StoreHandle as
  /// `state::KeyValueStore&`, a GlobalTableHandle<U> as `const GlobalTable<U>&`, anything else as
  /// a copy of itself.
  template <typename P, typename... Args>
    requires std::same_as<typename P::Input, T>
  Stream<typename P::Output> Process(std::string name, Args... args);

  /// Ends the branch in a topic; the record's key decides the partition.
  void Sink(std::string name, std::string topic)
    requires Encodable<T>;

 private:
  template <typename U>
  friend class Stream;
  friend class TopologyBuilder;
  Stream(TopologyBuilder* builder, int node, internal::Children<T> children)
      : builder_(builder), node_(node), children_(std::move(children)) {}

  TopologyBuilder* builder_;
  int node_;
  internal::Children<T> children_;
};

/// Builds a Topology with three verbs: Source, Process, Sink. Used once. Mistakes (a name twice, a
/// topic with two sources) are ours and CHECKed.
class TopologyBuilder {
 public:
  template <Decodable T>
  Stream<T> Source(std::string name, std::string topic,
                   OnRefused on_refused = OnRefused::kDeadLetter) {
    const int node = AddNode({NodeDescription::Kind::kSource, name, topic, {}, -1, 0});
    auto children = std::make_shared<std::vector<internal::AttachFunction<T>>>();
    Topology::Root root;
    root.node = node;
    root.topic = std::move(topic);
    root.on_refused = on_refused;
    root.build = [name, children](const internal::BuildArgs& args, internal::OwnedNodes& nodes) {
      auto source = std::make_unique<internal::TypedSourceNode<T>>(name, args);
      auto* built = source.get();
      nodes.push_back(std::move(source));
      for (const auto& attach : *children) attach(args, nodes, built->children);
      return static_cast<internal::SourceNode*>(built);
    };
    AddRoot(std::move(root));
    return Stream<T>(this, node, std::move(children));
  }

  /// A table from a compacted topic that every instance reads to its end before the first event.
  template <Decodable T>
  GlobalTableHandle<T> GlobalTable(std::string topic) {
    auto table = std::make_shared<pipeline::GlobalTable<T>>(std::move(topic));
    topology_.global_tables_.push_back(table);
    return {std::move(table)};
  }

  StoreHandle Store(std::string name, StoreOptions options = {});

  /// Numbers the sub-topologies. REQUIRES: each store has a stage that uses it.
  Topology Build();

 private:
  template <typename T>
  friend class Stream;

  int AddNode(NodeDescription node);
  void AddRoot(Topology::Root root);
  uint32_t AddSink(std::string topic);

  // How an argument of Process() is described and what P's constructor gets for it.
  static void Describe(const StoreHandle& handle, NodeDescription& node) {
    node.stores.push_back(handle.name);
  }
  template <typename T>
  static void Describe(const GlobalTableHandle<T>& handle, NodeDescription& node) {
    node.stores.push_back("global:" + handle.table->topic());
  }
  template <typename T>
  static void Describe(const T&, NodeDescription&) {}
  static state::KeyValueStore& Resolve(const StoreHandle& handle, const internal::BuildArgs& args) {
    return args.stores(handle.name);
  }
  template <typename T>
  static const pipeline::GlobalTable<T>& Resolve(const GlobalTableHandle<T>& handle,
                                       const internal::BuildArgs&) {
    return *handle.table;
  }
  template <typename T>
  static const T& Resolve(const T& value, const internal::BuildArgs&) {
    return value;
  }

  Topology topology_;
};

template <typename T>
template <typename P, typename... Args>
  requires std::same_as<typename P::Input, T>
Stream<typename P::Output> Stream<T>::Process(std::string name, Args... args) {
  using Out = typename P::Output;
  NodeDescription description{NodeDescription::Kind::kProcessor, name, "", {}, node_, 0};
  (TopologyBuilder::Describe(args, description), ...);
  const int node = builder_->AddNode(std::move(description));
  auto children = std::make_shared<std::vector<internal::AttachFunction<Out>>>();
  children_->push_back([name = std::move(name), children, args...](
                           const internal::BuildArgs& build, internal::OwnedNodes& nodes,
                           internal::FanOut<T>& upstream) {
    auto made = std::make_unique<internal::ProcessorNode<P>>(
        name, std::make_unique<P>(TopologyBuilder::Resolve(args, build)...), build);
    auto* built = made.get();
    nodes.push_back(std::move(made));
    upstream.Add(built);
    for (const auto& attach : *children) attach(build, nodes, built->children);
  });
  return Stream<Out>(builder_, node, std::move(children));
}

template <typename T>
void Stream<T>::Sink(std::string name, std::string topic)
  requires Encodable<T>
{
  builder_->AddNode({NodeDescription::Kind::kSink, std::move(name), topic, {}, node_, 0});
  const uint32_t sink = builder_->AddSink(std::move(topic));
  children_->push_back([sink](const internal::BuildArgs& build, internal::OwnedNodes& nodes,
                              internal::FanOut<T>& upstream) {
    auto made = std::make_unique<internal::SinkNode<T>>(sink, build.outputs);
    upstream.Add(made.get());
    nodes.push_back(std::move(made));
  });
}

}  // namespace pipeline
