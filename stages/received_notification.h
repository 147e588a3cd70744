#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "pipeline/record.h"
#include "pipeline/serde.h"
#include "stages/identity.h"
#include "stages/notification.h"

namespace stages {

/// A notification as an inbox takes it in: what decides where it goes, and its JSON as it is kept.
struct ReceivedNotification {
  Identity identity;
  bool retracted = false;
  int64_t time_ms = 0;
  /// A view into the record's key.
  std::string_view recipient;
  /// What Serde<Notification> writes for it. A view into the record or into the Serde that read it,
  /// valid until that reads the next.
  std::string_view json;
};

/// Reads what Serde<Notification> itself has written, byte for byte, without taking it apart: most
/// of what there is to read. True when `json` is exactly what Serde<Notification> would write for
/// what it would decode from it under this key. False says nothing: ids with escapes, other
/// spacing, another order and all that is wrong are left to the decoder.
bool ReadAsWritten(std::string_view json, std::string_view key, ReceivedNotification& received);

/// The same from a Notification; its JSON is put in `json`, which the result is a view into, as it
/// is into the notification.
ReceivedNotification AsReceived(const Notification& notification, std::string& json);

class NotificationReceiver;

}  // namespace stages

/// Topic `notifications` for the inbox: refuses what Serde<Notification> refuses.
template <>
struct pipeline::Serde<stages::ReceivedNotification> {
  Serde();
  ~Serde();
  Serde(Serde&&) noexcept;
  Serde& operator=(Serde&&) noexcept;

  base::Result<stages::ReceivedNotification> Decode(const RawRecord& record);
  /// As that of Serde<Notification>.
  std::optional<RecordPlace> OriginOf(const RawRecord& record);

 private:
  std::unique_ptr<stages::NotificationReceiver> receiver_;
};
