#pragma once

#include <string>

namespace serving {

/// The HTML page at /: what runs here, where to look next, lines to paste. Static.
const std::string& IndexPage();

}  // namespace serving
