#pragma once

#include <concepts>
#include <optional>
#include <string>

#include "base/status.h"
#include "pipeline/record.h"

namespace pipeline {

/// How a type is read from and written to Kafka: specialise it beside the type.
///
///   template <> struct Serde<Event> {
///     base::Result<Event> Decode(const RawRecord& record);      // needed by Source, GlobalTable
///     void Encode(const Event& event, std::string& value);      // needed by Sink; appends
///   };
///
/// An instance belongs to one task (or thread), so it may keep a parser and buffers. Decode returns
/// InvalidArgument with a message that names the field; the message becomes the dead letter's
/// reason text. It begins with a short code and a colon ("not-json: ..."): the code is the metric's
/// `reason` label, so codes are few and fixed.
template <typename T>
struct Serde;

template <typename T>
concept Decodable = requires(Serde<T> serde, const RawRecord& record) {
  { serde.Decode(record) } -> std::same_as<base::Result<T>>;
};

template <typename T>
concept Encodable = requires(Serde<T> serde, const T& value, std::string& out) {
  { serde.Encode(value, out) } -> std::same_as<void>;
};

/// A type whose records say which record they were made from: with that, they belong to its trace
/// (pipeline/record_trace.h) without a header. nullopt: this one does not say.
template <typename T>
concept TellsOrigin = requires(Serde<T> serde, const RawRecord& record) {
  { serde.OriginOf(record) } -> std::same_as<std::optional<RecordPlace>>;
};

}  // namespace pipeline
