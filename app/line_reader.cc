#include "app/line_reader.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

namespace app {

base::Result<LineReader> LineReader::Open(const std::string& path, int input) {
  if (path == "-") return LineReader(input, false);
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    return base::Status::InvalidArgument("cannot read " + path + ": " + std::strerror(errno));
  }
  return LineReader(descriptor, true);
}

LineReader::LineReader(LineReader&& other) noexcept
    : descriptor_(other.descriptor_),
      owned_(std::exchange(other.owned_, false)),
      ended_(other.ended_),
      buffer_(std::move(other.buffer_)),
      begin_(other.begin_),
      line_(other.line_) {}

LineReader::~LineReader() {
  if (owned_) close(descriptor_);
}

base::Result<std::optional<std::string>> LineReader::Next() {
  size_t searched = begin_;
  while (true) {
    size_t end = buffer_.find('\n', searched);
    if (end == std::string::npos) {
      searched = buffer_.size() - begin_;
      if (searched > kLineBytesMax) {
        return base::Status::InvalidArgument("line " + std::to_string(line_ + 1) +
                                             " is longer than " + std::to_string(kLineBytesMax) +
                                             " bytes");
      }
      const auto more = Fill();
      if (!more.ok()) return more.status();
      if (*more) continue;
      if (begin_ == buffer_.size()) return std::optional<std::string>();
      end = buffer_.size();
    }
    const std::string_view line = std::string_view(buffer_).substr(begin_, end - begin_);
    ++line_;
    begin_ = std::min(end + 1, buffer_.size());
    searched = begin_;
    if (line.find_first_not_of(" \t\r") != std::string_view::npos) {
      return std::optional<std::string>(line);
    }
  }
}

bool LineReader::Ready() const {
  if (ended_ || buffer_.find('\n', begin_) != std::string::npos) return true;
  pollfd waiting{descriptor_, POLLIN, 0};
  return poll(&waiting, 1, 0) > 0;
}

base::Result<bool> LineReader::Fill() {
  if (ended_) return false;
  buffer_.erase(0, std::exchange(begin_, 0));
  std::array<char, 65536> chunk;
  ssize_t count = 0;
  do {
    count = read(descriptor_, chunk.data(), chunk.size());
  } while (count < 0 && errno == EINTR);
  if (count < 0) {
    return base::Status::Unavailable(std::string("cannot read on: ") + std::strerror(errno));
  }
  ended_ = count == 0;
  buffer_.append(chunk.data(), static_cast<size_t>(count));
  return !ended_;
}

}  // namespace app
