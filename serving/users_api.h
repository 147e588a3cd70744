#pragma once

#include <memory>
#include <optional>
#include <string>

#include "serving/backend.h"
#include "serving/http_message.h"
#include "serving/timers.h"

namespace serving {

class Router;

/// Reads and writes users. A write goes to topic `users` and is answered when this instance's table
/// has read it back, so that a GET behind it sees it. Threads: any.
class UsersApi {
 public:
  /// `backend` outlives this.
  UsersApi(const Backend& backend, std::shared_ptr<Timers> timers)
      : backend_(backend), timers_(std::move(timers)) {}

  void AddRoutes(Router& router);

 private:
  Response GetUser(const Request& request) const;
  void PutUser(const Request& request, const Respond& respond) const;
  void DeleteUser(const Request& request, const Respond& respond) const;

  /// Produces `value` (nullopt: a tombstone), waits for the table, then responds with `done`.
  void Write(const std::string& user, const std::optional<std::string>& value, Response done,
             const Respond& respond) const;

  const Backend& backend_;
  const std::shared_ptr<Timers> timers_;
};

}  // namespace serving
