#pragma once

#include <optional>
#include <string>

#include "serving/backend.h"
#include "serving/http_message.h"

namespace serving {

class Router;

/// The routes of kafka-notify, to the byte: POST /send and GET /notifications/{userID}. A client
/// written for that system works unchanged; docs/http.md has the table.
///
/// What that system has no answer for (an inbox that is not to be had now, too many events) is said
/// in its own form, {"message":"..."}. Threads: any.
class SeedApi {
 public:
  /// `backend` outlives this.
  explicit SeedApi(const Backend& backend) : backend_(backend) {}

  void AddRoutes(Router& router);

 private:
  void PostSend(const Request& request, const Respond& respond) const;
  void GetNotifications(const Request& request, const Respond& respond) const;

  /// The answer when one of the two users is not to be had; nullopt: both are there.
  std::optional<Response> CheckUsers(const std::string& from, const std::string& to) const;

  const Backend& backend_;
};

}  // namespace serving
