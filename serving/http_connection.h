#pragma once

#include "serving/http_loop.h"

// Of the HTTP server's own files; nobody else includes this.
namespace serving {

/// Serves `socket` until it is closed. The caller has counted it in shared.connections.
/// REQUIRES: on `loop`'s thread; `shared` and `loop` outlive the connection.
void StartConnection(ServerShared& shared, Loop& loop, LoopSocket socket);

/// Answers 503 to a connection that is one too many, without reading a request, and closes it.
/// REQUIRES: on `loop`'s thread.
void RefuseConnection(ServerShared& shared, Loop& loop, LoopSocket socket);

/// Lets go of connections that wait for a request; others end after the response they are at.
/// REQUIRES: on `loop`'s thread, shared.stopping is set.
void StopConnections(Loop& loop);

/// Closes every connection now. REQUIRES: on `loop`'s thread.
void AbortConnections(Loop& loop);

}  // namespace serving
