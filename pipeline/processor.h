#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"
#include "pipeline/record.h"

namespace pipeline {

/// How a stage passes records on. Threads: the stream thread that owns the task.
template <typename Out>
class Context {
 public:
  virtual ~Context() = default;

  /// Runs the record through everything downstream before it returns. The first error of a child is
  /// returned; pass it on.
  virtual base::Status Forward(Record<Out> record) = 0;

  /// Wall clock, milliseconds since the epoch.
  virtual int64_t NowMs() const = 0;
};

/// The output type of a stage that ends its branch.
struct Nothing {};

/// A stage: sees each record of one partition in order, reads and writes its stores, forwards.
///
/// Every record may be processed twice (a crash replays what was not committed), so the same record
/// must lead to the same rows and outputs. When Process() returns an error, the writes and outputs
/// of that record are taken back: InvalidArgument sends it to the dead letters (or as the source's
/// handler says), anything else stops the task. One instance a task; it gets its stores through
/// its constructor.
///
/// Threads: the stream thread that owns the task.
template <typename In, typename Out>
class Processor {
 public:
  using Input = In;
  using Output = Out;

  virtual ~Processor() = default;

  virtual base::Status Process(Record<In> record, Context<Out>& context) = 0;

  /// Called about every EngineConfig::punctuate_interval while the task runs, between records, for
  /// work that time asks for. Bounded work a call. Its writes are committed like a record's.
  virtual base::Status Punctuate(Context<Out>& context) {
    (void)context;
    return base::Status::Ok();
  }
};

}  // namespace pipeline
