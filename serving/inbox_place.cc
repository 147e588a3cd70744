#include "serving/inbox_place.h"

#include <optional>

#include "pipeline/partitioner.h"
#include "serving/forwarder.h"
#include "stages/inbox_rows.h"

namespace serving {
namespace {

/// Another instance answers HEAD without the body whose size this one has to tell: so it is asked
/// for the whole.
void Forward(Forwarder& forwarder, const pipeline::Instance& to, const Request& request,
             const Respond& respond) {
  if (request.method != "HEAD") return forwarder.Forward(to, request, respond);
  Request whole = request;
  whole.method = "GET";
  forwarder.Forward(to, whole, respond);
}

}  // namespace

InboxView OpenInbox(const Backend& backend, std::string_view user, const Request& request,
                    const Respond& respond, UnavailableAnswer unavailable) {
  const auto meant_for = request.Header(kForwardedHeader);
  if (meant_for.has_value() && *meant_for != backend.instance_name) {
    respond(unavailable("This is not the instance that the request was forwarded to."));
    return nullptr;
  }
  const base::Partition partition =
      pipeline::PartitionForKey(user, backend.notifications_partitions);
  const pipeline::StoreLookup found = backend.stores->Find(stages::kInboxStore, partition);
  if (found.where == pipeline::StoreLookup::Where::kHere) return found.reader->Snapshot();
  if (found.where == pipeline::StoreLookup::Where::kRestoring) {
    respond(unavailable("The partition of this inbox is being restored."));
    return nullptr;
  }
  if (meant_for.has_value()) {
    respond(unavailable("The partition of this inbox has just moved."));
    return nullptr;
  }
  const std::optional<pipeline::Instance> owner = backend.find_owner(partition);
  if (!owner.has_value() || owner->self || owner->address.empty() || backend.forwarder == nullptr) {
    respond(unavailable("The partition of this inbox is on no instance that is known here yet."));
    return nullptr;
  }
  Forward(*backend.forwarder, *owner, request, respond);
  return nullptr;
}

InboxView OpenInboxHere(const Backend& backend, std::string_view user) {
  const pipeline::StoreLookup found = backend.stores->Find(
      stages::kInboxStore, pipeline::PartitionForKey(user, backend.notifications_partitions));
  return found.where == pipeline::StoreLookup::Where::kHere ? found.reader->Snapshot() : nullptr;
}

}  // namespace serving
