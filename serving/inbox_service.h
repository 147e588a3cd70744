#pragma once

#include <memory>

#include "serving/backend.h"
#include "serving/http_message.h"
#include "serving/timers.h"

namespace serving {

/// Herald over HTTP: all routes of docs/http.md.
///
/// Threads: any. Destroy it after HttpServer::Stop().
class InboxService {
 public:
  InboxService(Backend backend, std::shared_ptr<Timers> timers);
  ~InboxService();
  InboxService(const InboxService&) = delete;
  InboxService& operator=(const InboxService&) = delete;

  /// For HttpServer::Start(). Valid as long as this object.
  Handler handler();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace serving
