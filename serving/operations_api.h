#pragma once

#include "serving/backend.h"

namespace serving {

class Router;

/// For those who run Herald: status, metrics, health, and the page at /. Threads: any.
class OperationsApi {
 public:
  /// `backend` outlives this.
  explicit OperationsApi(const Backend& backend) : backend_(backend) {}

  void AddRoutes(Router& router);

 private:
  const Backend& backend_;
};

}  // namespace serving
