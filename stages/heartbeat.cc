#include "stages/heartbeat.h"

#include <utility>

#include "stages/field_values.h"
#include "stages/json_reader.h"
#include "stages/json_text.h"
#include "stages/refusal.h"

namespace stages {
namespace {

constexpr size_t kInstanceIdBytesMax = 256;

}  // namespace

class HeartbeatDecoder {
 public:
  base::Result<Heartbeat> Decode(std::string_view json) {
    if (json.size() > kHeartbeatBytesMax) return RefuseSize("heartbeat", kHeartbeatBytesMax);
    RETURN_IF_ERROR(reader_.Read(json, fields_));
    Heartbeat heartbeat;
    RETURN_IF_ERROR(TakeRequiredText(from_, "from", kInstanceIdBytesMax, heartbeat.from));
    RETURN_IF_ERROR(TakeInteger(number_, "number", heartbeat.number));
    return heartbeat;
  }

 private:
  JsonReader reader_;
  JsonValue from_;
  JsonValue number_;
  const JsonField fields_[2] = {{"from", &from_}, {"number", &number_}};
};

base::Status ForwardHeartbeat::Process(pipeline::Record<Heartbeat> record,
                                       pipeline::Context<Heartbeat>& context) {
  return context.Forward(std::move(record));
}

base::Status RecordHeartbeat::Process(pipeline::Record<Heartbeat> record,
                                      pipeline::Context<pipeline::Nothing>&) {
  std::string row;
  pipeline::Serde<Heartbeat>().Encode(record.value, row);
  heartbeats_.Put(kNewestHeartbeatKey, std::move(row));
  return base::Status::Ok();
}

}  // namespace stages

namespace pipeline {

Serde<stages::Heartbeat>::Serde() : decoder_(std::make_unique<stages::HeartbeatDecoder>()) {}
Serde<stages::Heartbeat>::~Serde() = default;
Serde<stages::Heartbeat>::Serde(Serde&&) noexcept = default;
Serde<stages::Heartbeat>& Serde<stages::Heartbeat>::operator=(Serde&&) noexcept = default;

base::Result<stages::Heartbeat> Serde<stages::Heartbeat>::Decode(const RawRecord& record) {
  if (!record.value) return stages::Refuse(stages::refusal::kNullValue, "a heartbeat cannot be null");
  return DecodeText(*record.value);
}

base::Result<stages::Heartbeat> Serde<stages::Heartbeat>::DecodeText(std::string_view json) {
  return decoder_->Decode(json);
}

void Serde<stages::Heartbeat>::Encode(const stages::Heartbeat& heartbeat, std::string& value) {
  value.append("{\"from\":");
  stages::AppendJsonString(value, std::string_view(heartbeat.from));
  value.append(",\"number\":");
  stages::AppendDecimal(value, heartbeat.number);
  value.push_back('}');
}

}  // namespace pipeline
