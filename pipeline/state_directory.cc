#include "pipeline/state_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>

namespace pipeline {
namespace {

std::string ErrnoText() { return std::strerror(errno); }

base::Status CreateDirectories(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) {
    return base::Status::Fatal("state directory " + path.string() +
                               " cannot be made: " + error.message());
  }
  return base::Status::Ok();
}

}  // namespace

bool StateDirectory::IsThere(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::exists(path / "INSTANCE", error);
}

base::Result<StateDirectory> StateDirectory::Open(const std::filesystem::path& path) {
  RETURN_IF_ERROR(CreateDirectories(path));
  const std::string lock_path = (path / "LOCK").string();
  const int lock = open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock < 0) {
    return base::Status::Fatal("state directory " + path.string() +
                               " is not writable: " + ErrnoText());
  }
  if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
    const std::string why = errno == EWOULDBLOCK ? "is in use by another process" : ErrnoText();
    close(lock);
    return base::Status::Fatal("state directory " + path.string() + " " + why +
                               "; give this one its own --state-dir");
  }
  StateDirectory directory(path, lock);
  RETURN_IF_ERROR(directory.Load());
  // Found out now rather than at the first commit.
  RETURN_IF_ERROR(directory.Save());
  RETURN_IF_ERROR(CreateDirectories(path / "tasks"));
  RETURN_IF_ERROR(CreateDirectories(path / "global"));
  return directory;
}

StateDirectory::StateDirectory(StateDirectory&& other) noexcept
    : path_(std::move(other.path_)),
      lock_(std::exchange(other.lock_, -1)),
      values_(std::move(other.values_)) {}

StateDirectory::~StateDirectory() {
  if (lock_ >= 0) close(lock_);
}

std::filesystem::path StateDirectory::TaskDirectory(const base::TaskId& task) const {
  return path_ / "tasks" / task.ToString();
}

std::filesystem::path StateDirectory::GlobalDirectory(const std::string& topic) const {
  return path_ / "global" / topic;
}

std::string StateDirectory::Get(const std::string& name) const {
  const auto it = values_.find(name);
  return it == values_.end() ? std::string() : it->second;
}

base::Status StateDirectory::Set(const std::string& name, const std::string& value) {
  if (Get(name) == value) return base::Status::Ok();
  values_[name] = value;
  return Save();
}

base::Status StateDirectory::Load() {
  std::ifstream in(path_ / "INSTANCE");
  std::string line;
  while (std::getline(in, line)) {
    const size_t equals = line.find('=');
    if (equals == std::string::npos) {
      return base::Status::Fatal("state directory " + path_.string() +
                                 ": file INSTANCE has a line without '='");
    }
    values_[line.substr(0, equals)] = line.substr(equals + 1);
  }
  return base::Status::Ok();
}

base::Status StateDirectory::Save() const {
  std::ostringstream text;
  for (const auto& [name, value] : values_) text << name << '=' << value << '\n';
  const std::string bytes = text.str();
  const std::string target = (path_ / "INSTANCE").string();
  const std::string fresh = target + ".new";
  const int file = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  bool written = file >= 0;
  size_t done = 0;
  while (written && done < bytes.size()) {
    const ssize_t n = write(file, bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) written = false;
    else done += static_cast<size_t>(n);
  }
  if (written) written = fsync(file) == 0;
  std::string why = written ? "" : ErrnoText();
  if (file >= 0) close(file);
  if (written && rename(fresh.c_str(), target.c_str()) != 0) {
    written = false;
    why = ErrnoText();
  }
  if (written) {
    // The rename itself lasts once the directory is on disk.
    const int parent = open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    written = parent >= 0 && fsync(parent) == 0;
    if (!written) why = ErrnoText();
    if (parent >= 0) close(parent);
  }
  if (!written) {
    return base::Status::Fatal("state directory " + path_.string() + " is not writable: " + why);
  }
  return base::Status::Ok();
}

base::Status StateDirectory::MoveAside() {
  std::error_code error;
  int number = 1;
  while (std::filesystem::exists(path_ / ("aside-" + std::to_string(number)))) ++number;
  const std::filesystem::path aside = path_ / ("aside-" + std::to_string(number));
  RETURN_IF_ERROR(CreateDirectories(aside));
  for (const char* part : {"tasks", "global"}) {
    std::filesystem::rename(path_ / part, aside / part, error);
    if (error) {
      return base::Status::Fatal("state directory " + path_.string() +
                                 " cannot be moved aside: " + error.message());
    }
    RETURN_IF_ERROR(CreateDirectories(path_ / part));
  }
  const std::string instance_id = Get("instance-id");
  values_.clear();
  if (!instance_id.empty()) values_["instance-id"] = instance_id;
  return Save();
}

base::Status StateDirectory::Clear() {
  RETURN_IF_ERROR(Empty("tasks"));
  return Empty("global");
}

std::vector<std::string> StateDirectory::Tasks() const {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator it(path_ / "tasks", error), end; !error && it != end;
       it.increment(error)) {
    names.push_back(it->path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> StateDirectory::Changelogs() const {
  std::vector<std::string> names;
  for (const auto& [name, value] : values_) {
    if (name.starts_with(kTopicIdName)) names.push_back(name.substr(kTopicIdName.size()));
  }
  return names;
}

base::Status StateDirectory::ForgetTasks() {
  // In this order: rows that are left behind half-way still say what they belonged to.
  RETURN_IF_ERROR(Empty("tasks"));
  std::erase_if(values_, [](const auto& value) { return value.first.starts_with(kTopicIdName); });
  return Save();
}

base::Status StateDirectory::Empty(const char* part) {
  std::error_code error;
  std::filesystem::remove_all(path_ / part, error);
  if (error) {
    return base::Status::Fatal("state directory " + path_.string() +
                               " cannot be cleared: " + error.message());
  }
  return CreateDirectories(path_ / part);
}

}  // namespace pipeline
