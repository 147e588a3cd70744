#include "serving/inbox_place.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "pipeline/partitioner.h"
#include "serving/forwarder.h"
#include "stages/inbox_rows.h"

namespace serving {
namespace {

constexpr int kUnavailableStatus = 503;

/// Another instance answers HEAD without the body whose size this one has to tell: so it is asked
/// for the whole.
void Forward(Forwarder& forwarder, const pipeline::Instance& to, const Request& request,
             const Respond& respond) {
  if (request.method != "HEAD") return forwarder.Forward(to, request, respond);
  Request whole = request;
  whole.method = "GET";
  forwarder.Forward(to, whole, respond);
}

/// A view of a copy, shared with whoever else reads it.
class SharedView final : public state::TaskReader::View {
 public:
  explicit SharedView(std::shared_ptr<const View> view) : view_(std::move(view)) {}
  const state::ReadableStore& Store(std::string_view name) const override {
    return view_->Store(name);
  }

 private:
  const std::shared_ptr<const View> view_;
};

/// The copy that is here, if there is one; then `respond` says so with the answer.
InboxView OpenCopy(const Backend& backend, base::Partition partition, Respond& respond) {
  auto [view, lag] = backend.stores->FindStandby(stages::kInboxStore, partition);
  if (view == nullptr) return nullptr;
  respond = [respond, lag = lag](Response response) {
    response.headers.emplace_back(kStaleHeader, std::to_string(lag));
    respond(std::move(response));
  };
  return std::make_unique<SharedView>(std::move(view));
}

/// For a request whose owner did not answer: another's warm copy; what the owner's absence came to
/// when there is none.
void AskCopies(const Backend& backend, base::Partition partition, Request request,
               const Respond& respond, Response without) {
  request.headers.emplace_back(kStaleHeader, "accepted");
  if (backend.stores->FindStandby(stages::kInboxStore, partition).view != nullptr) {
    return backend.take_again(std::move(request), respond);
  }
  const auto standby = backend.find_standby(partition);
  if (!standby.has_value() || backend.forwarder == nullptr) return respond(std::move(without));
  Forward(*backend.forwarder, *standby, request,
          [respond, without = std::move(without)](Response response) {
            respond(response.status == kUnavailableStatus ? without : std::move(response));
          });
}

InboxView Open(const Backend& backend, std::string_view user, const Request& request,
               Respond& respond, UnavailableAnswer unavailable, bool copy_will_do) {
  const auto meant_for = request.Header(kForwardedHeader);
  if (meant_for.has_value() && *meant_for != backend.instance_name) {
    respond(unavailable("This is not the instance that the request was forwarded to."));
    return nullptr;
  }
  const base::Partition partition =
      pipeline::PartitionForKey(user, backend.notifications_partitions);
  const pipeline::StoreLookup found = backend.stores->Find(stages::kInboxStore, partition);
  if (found.where == pipeline::StoreLookup::Where::kHere) return found.reader->Snapshot();
  if (copy_will_do && request.Header(kStaleHeader).has_value()) {
    if (InboxView copy = OpenCopy(backend, partition, respond); copy != nullptr) return copy;
  }
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
    Response nowhere =
        unavailable("The partition of this inbox is on no instance that is known here yet.");
    if (copy_will_do && !request.Header(kStaleHeader).has_value()) {
      AskCopies(backend, partition, request, respond, std::move(nowhere));
    } else {
      respond(std::move(nowhere));
    }
    return nullptr;
  }
  if (!copy_will_do) {
    Forward(*backend.forwarder, *owner, request, respond);
    return nullptr;
  }
  Forward(*backend.forwarder, *owner, request,
          [&backend, partition, request, respond](Response response) {
            if (response.status != kUnavailableStatus) return respond(std::move(response));
            AskCopies(backend, partition, request, respond, std::move(response));
          });
  return nullptr;
}

}  // namespace

InboxView OpenInbox(const Backend& backend, std::string_view user, const Request& request,
                    const Respond& respond, UnavailableAnswer unavailable) {
  Respond unmarked = respond;
  return Open(backend, user, request, unmarked, unavailable, /*copy_will_do=*/false);
}

InboxView OpenInboxOrCopy(const Backend& backend, std::string_view user, const Request& request,
                          Respond& respond, UnavailableAnswer unavailable) {
  return Open(backend, user, request, respond, unavailable,
              /*copy_will_do=*/backend.find_standby != nullptr);
}

InboxView OpenInboxHere(const Backend& backend, std::string_view user) {
  const pipeline::StoreLookup found = backend.stores->Find(
      stages::kInboxStore, pipeline::PartitionForKey(user, backend.notifications_partitions));
  return found.where == pipeline::StoreLookup::Where::kHere ? found.reader->Snapshot() : nullptr;
}

}  // namespace serving
