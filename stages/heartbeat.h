#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "pipeline/processor.h"
#include "pipeline/record.h"
#include "pipeline/serde.h"
#include "state/key_value_store.h"

namespace stages {

inline constexpr std::string_view kHeartbeatStore = "heartbeats";
/// The only row of that store in a partition: the heartbeat that arrived last.
inline constexpr std::string_view kNewestHeartbeatKey = "newest";
/// Bytes of a record on the heartbeats' topics at most.
inline constexpr size_t kHeartbeatBytesMax = 1024;

/// A record that goes the way of an event, on topics of its own, to see how long that takes.
struct Heartbeat {
  /// The instance that sent it.
  std::string from;
  /// Grows with each that this instance sends.
  int64_t number = 0;
};

class HeartbeatDecoder;

/// The first half of the way: back into Kafka, as a notification goes.
class ForwardHeartbeat : public pipeline::Processor<Heartbeat, Heartbeat> {
 public:
  base::Status Process(pipeline::Record<Heartbeat> record,
                       pipeline::Context<Heartbeat>& context) override;
};

/// The second half: into a store, where it can be read once it is committed.
class RecordHeartbeat : public pipeline::Processor<Heartbeat, pipeline::Nothing> {
 public:
  /// The store is kHeartbeatStore.
  explicit RecordHeartbeat(state::KeyValueStore& heartbeats) : heartbeats_(heartbeats) {}

  base::Status Process(pipeline::Record<Heartbeat> record,
                       pipeline::Context<pipeline::Nothing>& context) override;

 private:
  state::KeyValueStore& heartbeats_;
};

}  // namespace stages

/// JSON of the heartbeats' topics, and of the row; docs/formats.md describes the fields.
template <>
struct pipeline::Serde<stages::Heartbeat> {
  Serde();
  ~Serde();
  Serde(Serde&&) noexcept;
  Serde& operator=(Serde&&) noexcept;

  base::Result<stages::Heartbeat> Decode(const RawRecord& record);
  /// The same of the bytes of a row.
  base::Result<stages::Heartbeat> DecodeText(std::string_view json);
  void Encode(const stages::Heartbeat& heartbeat, std::string& value);

 private:
  std::unique_ptr<stages::HeartbeatDecoder> decoder_;
};
