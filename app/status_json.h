#pragma once

#include <cstdint>
#include <string>

#include "app/run_options.h"
#include "pipeline/engine.h"

namespace app {

/// The body of GET /v1/status; docs/http.md has its shape. `started_ms`: when this process started.
std::string StatusJson(const pipeline::EngineStatus& status, Role role,
                       pipeline::Guarantee guarantee, const std::string& brokers,
                       int64_t started_ms);

}  // namespace app
