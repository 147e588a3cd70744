#pragma once

#include <cstddef>

#include "serving/backend.h"
#include "serving/http_message.h"

namespace serving {

class Router;

/// Events of one POST at most.
inline constexpr size_t kEventsMax = 1000;

/// Takes raw events and puts them on topic `events`, keyed by their first target, so that the
/// events for one recipient stay in order. Threads: any.
class EventsApi {
 public:
  /// `backend` outlives this.
  explicit EventsApi(const Backend& backend) : backend_(backend) {}

  void AddRoutes(Router& router);

 private:
  void PostEvents(const Request& request, const Respond& respond) const;

  const Backend& backend_;
};

}  // namespace serving
