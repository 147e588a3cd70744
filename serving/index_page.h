#pragma once

#include <string>

namespace serving {

/// The HTML page at /: how this instance is, and lines to paste. Static; PageScript() fills it in.
const std::string& IndexPage();

/// /page.js: asks /v1/status and /metrics every two seconds and draws what they say. Whatever the
/// server says is put in as text, never as HTML.
const std::string& PageScript();

}  // namespace serving
