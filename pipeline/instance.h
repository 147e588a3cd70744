#pragma once

#include <string>

namespace pipeline {

/// An instance of the application, as others find it.
struct Instance {
  std::string id;
  /// Where it answers requests, "ADDR:PORT"; empty when it has told nobody.
  std::string address;
  /// This process is it.
  bool self = false;
};

}  // namespace pipeline
