#include "serving/inbox_service.h"

#include <utility>

#include "base/check.h"
#include "serving/events_api.h"
#include "serving/http_metrics.h"
#include "serving/inbox_actions_api.h"
#include "serving/inbox_api.h"
#include "serving/operations_api.h"
#include "serving/router.h"
#include "serving/seed_api.h"
#include "serving/users_api.h"

namespace serving {

struct InboxService::Impl {
  Impl(Backend backend_in, std::shared_ptr<Timers> timers)
      : backend(WithTakeAgain(std::move(backend_in))),
        inbox(backend),
        actions(backend, timers),
        events(backend),
        users(backend, std::move(timers)),
        seed(backend),
        operations(backend) {
    inbox.AddRoutes(router);
    actions.AddRoutes(router);
    events.AddRoutes(router);
    users.AddRoutes(router);
    seed.AddRoutes(router);
    operations.AddRoutes(router);
    router.VisitRoutes([this](std::string_view method, std::string_view pattern) {
      PrimeFailures(*backend.metrics, pattern, method);
    });
  }

  Backend WithTakeAgain(Backend complete) {
    complete.take_again = [this](Request request, Respond respond) {
      router.Handle(std::move(request), std::move(respond));
    };
    return complete;
  }

  const Backend backend;
  InboxApi inbox;
  InboxActionsApi actions;
  EventsApi events;
  UsersApi users;
  SeedApi seed;
  OperationsApi operations;
  Router router;
};

InboxService::InboxService(Backend backend, std::shared_ptr<Timers> timers) {
  CHECK(backend.stores != nullptr && backend.producer != nullptr && backend.positions != nullptr &&
            backend.metrics != nullptr && backend.clock != nullptr,
        "a Backend has all its parts");
  CHECK(backend.find_user && backend.users_position && backend.find_owner && backend.status_json &&
            backend.readiness,
        "a Backend has all its functions");
  CHECK(backend.events_partitions > 0 && backend.users_partitions > 0 &&
            backend.notifications_partitions > 0,
        "topics have partitions");
  impl_ = std::make_unique<Impl>(std::move(backend), std::move(timers));
}

InboxService::~InboxService() = default;

Handler InboxService::handler() {
  return [router = &impl_->router](Request request, Respond respond) {
    router->Handle(std::move(request), std::move(respond));
  };
}

}  // namespace serving
