#pragma once

#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace app {

/// Where a command writes: results to `out`, everything else to `err`.
struct Console {
  std::ostream& out;
  std::ostream& err;
  /// `out` is a terminal, which obeys control characters.
  bool terminal = false;
  bool colours = false;
};

/// Text of others as one line that no terminal obeys: control characters, those that turn the
/// direction of writing and bytes that are not UTF-8 become \n, \x1b, \u202e.
std::string SafeText(std::string_view text);

/// The same JSON document with such characters as \u escapes. REQUIRES: `json` is JSON.
std::string SafeJson(std::string_view json);

std::string Bold(const Console& console, const std::string& text);
std::string Dim(const Console& console, const std::string& text);

/// Rows under a heading, each column as wide as its widest cell.
class Table {
 public:
  explicit Table(std::vector<std::string> heading) : rows_{std::move(heading)} {}

  /// Cells are made safe. A row may be shorter than the heading.
  void Add(std::vector<std::string> cells);
  bool empty() const { return rows_.size() == 1; }
  void Print(const Console& console) const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace app
