#pragma once

#include "app/run_options.h"

namespace app {

/// `herald run`: runs until a signal or a failure. Returns the process's exit code.
int RunHerald(RunOptions options);

}  // namespace app
