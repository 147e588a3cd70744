#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "base/status.h"
#include "serving/http_message.h"

namespace serving {

/// The body of an answer that Call() takes.
inline constexpr size_t kCallBodyBytesMax = size_t{64} << 20;

/// Sends one HTTP/1.1 request to `server` ("ADDR:PORT" or "http://ADDR:PORT", see
/// ParseServerAddress) on a connection of its own and waits for the answer, whatever its status.
/// `request` needs method, target, headers and body; Host and Content-Length are added.
///
/// Threads: any; blocks up to `timeout`, and for as long as the system takes to look up a name.
/// Errors, all of which name the server:
///   InvalidArgument  `server` cannot be read.
///   Unavailable      nobody listens there, or no whole answer came in time; the request may have
///                    been applied all the same.
///   Fatal            what came is not HTTP, or its body is above kCallBodyBytesMax.
base::Result<Response> Call(const std::string& server, const Request& request,
                            std::chrono::milliseconds timeout);

}  // namespace serving
