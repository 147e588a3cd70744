#include "serving/users_api.h"

#include <chrono>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "pipeline/partitioner.h"
#include "serving/json_input.h"
#include "serving/problem.h"
#include "serving/router.h"
#include "serving/user_id.h"
#include "stages/user.h"

namespace serving {
namespace {

/// How often a write looks whether the table has it. The table applies in batches of its own, some
/// milliseconds after Kafka has the record.
constexpr std::chrono::milliseconds kLookInterval{5};

/// A write that Kafka has and the table not yet.
struct WaitingWrite {
  base::Partition partition;
  base::Offset offset;
  std::chrono::nanoseconds deadline;
  Response done;
  Respond respond;
};

/// Runs on server threads, so never after the server has stopped: `backend` is there.
void Look(const Backend& backend, const std::shared_ptr<Timers>& timers,
          const std::shared_ptr<WaitingWrite>& write) {
  if (backend.users_position(write->partition) > write->offset) {
    return write->respond(std::move(write->done));
  }
  if (backend.clock->Monotonic() >= write->deadline) {
    return write->respond(MayHaveBeenApplied("This instance has not read it back in time."));
  }
  timers->After(kLookInterval, [&backend, timers, write] { Look(backend, timers, write); });
}

/// "limit: name is larger than ..." without the code.
std::string_view WithoutCode(std::string_view message) {
  const size_t colon = message.find(": ");
  return colon == std::string_view::npos ? message : message.substr(colon + 2);
}

}  // namespace

void UsersApi::AddRoutes(Router& router) {
  router.Add("GET", "/v1/users/{user}",
             [this](const Request& request, const Respond& respond) { respond(GetUser(request)); });
  router.Add("PUT", "/v1/users/{user}",
             [this](const Request& request, const Respond& respond) { PutUser(request, respond); });
  router.Add("DELETE", "/v1/users/{user}", [this](const Request& request, const Respond& respond) {
    DeleteUser(request, respond);
  });
}

Response UsersApi::GetUser(const Request& request) const {
  const std::string& user = request.PathParameter("user");
  if (const auto problem = CheckUserId(user)) return ToResponse(*problem);
  const auto found = backend_.find_user(user);
  if (!found.ok()) {
    base::LogError("users table cannot be read", {{"why", found.status().ToString()}});
    return Unavailable("The users table cannot be read at the moment.");
  }
  if (*found == nullptr) {
    // A table that is still being read does not know who is not there.
    if (const base::Status ready = backend_.readiness(); !ready.ok()) {
      return Unavailable("This instance is not ready: " + ready.message() + ".");
    }
    return ToResponse({.status = 404, .detail = "There is no user of this id."});
  }
  Response response;
  response.content_type = "application/json";
  pipeline::Serde<stages::User>().Encode(**found, response.body);
  return response;
}

void UsersApi::PutUser(const Request& request, const Respond& respond) const {
  const std::string& user = request.PathParameter("user");
  if (const auto problem = CheckUserId(user)) return respond(ToResponse(*problem));
  nlohmann::ordered_json body;
  if (base::Status read = ReadJson(request.body, body); !read.ok()) {
    return respond(ToResponse({.status = 400, .detail = read.message()}));
  }
  pipeline::Serde<stages::User> serde;
  pipeline::RawRecord record;
  record.key = user;
  record.value = request.body;
  const auto decoded = serde.Decode(record);
  if (!decoded.ok()) {
    const std::string message(WithoutCode(decoded.status().message()));
    std::string field = message.substr(0, message.find(' '));
    if (field != "id" && field != "name" && field != "handle" && field != "avatar_url") {
      field.clear();
    }
    return respond(ToResponse({.status = 400, .detail = message + ".", .field = std::move(field)}));
  }
  std::string value;
  serde.Encode(*decoded, value);
  Response done;
  done.content_type = "application/json";
  done.body = value;
  Write(user, value, std::move(done), respond);
}

void UsersApi::DeleteUser(const Request& request, const Respond& respond) const {
  const std::string& user = request.PathParameter("user");
  if (const auto problem = CheckUserId(user)) return respond(ToResponse(*problem));
  Response done;
  done.status = 204;
  Write(user, std::nullopt, std::move(done), respond);
}

void UsersApi::Write(const std::string& user, const std::optional<std::string>& value,
                     Response done, const Respond& respond) const {
  auto write = std::make_shared<WaitingWrite>();
  write->partition = pipeline::PartitionForKey(user, backend_.users_partitions);
  write->deadline = backend_.clock->Monotonic() + backend_.users_timeout;
  write->done = std::move(done);
  write->respond = respond;
  backend_.producer->Produce(
      backend_.topics.users, write->partition, user, value,
      [&backend = backend_, timers = timers_, write](const base::Result<base::Offset>& outcome) {
        if (!outcome.ok()) {
          if (outcome.status().code() == base::StatusCode::kInvalidArgument) {
            return write->respond(ToResponse(
                {.status = 400,
                 .detail = "Kafka does not take this user: " + outcome.status().message() + "."}));
          }
          return write->respond(MayHaveBeenApplied("Kafka has not confirmed the change (" +
                                                   outcome.status().message() + ")."));
        }
        write->offset = *outcome;
        timers->After(std::chrono::milliseconds(0),
                      [&backend, timers, write] { Look(backend, timers, write); });
      });
}

}  // namespace serving
