#pragma once

namespace app {

/// How a command of `herald` ends; the footer of `herald --help` tells them to people.
enum ExitCode : int {
  kExitDone = 0,
  /// The server failed, or this program did: 5xx, an answer that is none.
  kExitFailure = 1,
  /// A wrong command line.
  kExitUsage = 2,
  /// Nobody answers at --server, or at --brokers.
  kExitUnreachable = 3,
  /// The server, Kafka, or we before them, refused what was asked for: 4xx.
  kExitRefused = 4,
};

}  // namespace app
