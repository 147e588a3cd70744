#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pipeline/processor.h"
#include "pipeline/record.h"
#include "pipeline/serde.h"

namespace stages {

/// 2026-11-21T05:00:00Z
inline constexpr int64_t kTestTimeMs = 1'795'237'200'000;

/// Keeps what a stage forwards; its clock stands at `now_ms`.
template <typename Out>
class CollectingContext : public pipeline::Context<Out> {
 public:
  base::Status Forward(pipeline::Record<Out> record) override {
    if (records.size() == refuse_after) return base::Status::InvalidArgument("limit: enough");
    records.push_back(std::move(record));
    return base::Status::Ok();
  }
  int64_t NowMs() const override { return now_ms; }

  std::vector<pipeline::Record<Out>> records;
  size_t refuse_after = SIZE_MAX;
  int64_t now_ms = kTestTimeMs;
};

/// A record of topic "events", partition 3, offset 42.
inline pipeline::RawRecord MakeRawRecord(std::optional<std::string_view> value,
                                         std::optional<std::string_view> key = std::nullopt) {
  pipeline::RawRecord record;
  record.metadata = {"events", {3}, {42}, kTestTimeMs};
  record.key = key;
  record.value = value;
  return record;
}

/// The part of a refusal before the colon; "" for a good result.
template <typename T>
std::string CodeOf(const base::Result<T>& result) {
  if (result.ok()) return "";
  const std::string& message = result.status().message();
  return message.substr(0, message.find(": "));
}

}  // namespace stages
