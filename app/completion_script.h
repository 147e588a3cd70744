#pragma once

#include <string>

namespace CLI {
class App;
}

namespace app {

/// Scripts that complete the commands, flags and choices of this tree, to be sourced.
std::string BashCompletion(const CLI::App& herald);
std::string ZshCompletion(const CLI::App& herald);

}  // namespace app
