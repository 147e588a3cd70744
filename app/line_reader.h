#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "base/status.h"

namespace app {

/// A line of input at most.
inline constexpr size_t kLineBytesMax = size_t{2} << 20;

/// Reads lines from a file, or from a pipe that is still being written to.
class LineReader {
 public:
  /// "-" is `input`, a descriptor that stays open; anything else a file.
  /// Errors: InvalidArgument naming the file.
  static base::Result<LineReader> Open(const std::string& path, int input);

  LineReader(LineReader&& other) noexcept;
  LineReader& operator=(LineReader&&) = delete;
  ~LineReader();

  /// The next line that is not blank, without its line end; nullopt at the end.
  /// Errors: InvalidArgument for a line above kLineBytesMax, Unavailable when reading fails.
  base::Result<std::optional<std::string>> Next();

  /// Number of the line that Next() returned last, from 1.
  size_t line() const { return line_; }

  /// Whether Next() would return without waiting for whoever writes.
  bool Ready() const;

 private:
  explicit LineReader(int descriptor, bool owned) : descriptor_(descriptor), owned_(owned) {}

  /// False at the end of the input.
  base::Result<bool> Fill();

  int descriptor_;
  bool owned_;
  bool ended_ = false;
  std::string buffer_;
  /// Where the next line begins in `buffer_`.
  size_t begin_ = 0;
  size_t line_ = 0;
};

}  // namespace app
