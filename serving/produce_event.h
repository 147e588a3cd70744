#pragma once

#include <string_view>

#include "base/ids.h"
#include "pipeline/kafka_client.h"
#include "serving/backend.h"
#include "serving/request_trace.h"

/// How events that come over HTTP get onto topic `events`: keyed by their first target, so that the
/// events for one recipient stay in order. Threads: any.
namespace serving {

/// True: that event should not be produced now, because so much of its partition is unread. Asked
/// for all events of a request before the first is produced.
bool IsBacklogged(const Backend& backend, std::string_view first_target);

/// `trace` goes onto the record.
void ProduceEvent(const Backend& backend, std::string_view first_target, std::string_view value,
                  const RequestTrace& trace, pipeline::AsyncProducer::Delivered delivered);

/// What a client that is refused so is told.
inline constexpr std::string_view kBackloggedDetail =
    "Too many events are waiting to be processed. Nothing was taken; send again later.";

/// The same of an instance that takes no events (Backend::takes_events).
inline constexpr std::string_view kTakesNoEventsDetail =
    "This instance takes no new events (--role process); send them to one with role ingest or all. "
    "Nothing was taken.";

}  // namespace serving
