#include "app/ready_file.h"

#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>

namespace app {

base::Status ReadyFile::Remove() const {
  if (path_.empty()) return base::Status::Ok();
  std::error_code error;
  std::filesystem::remove(path_, error);
  if (error) {
    return base::Status::Fatal("cannot remove the old ready file " + path_.string() + ": " +
                               error.message());
  }
  return base::Status::Ok();
}

base::Status ReadyFile::Write(const std::vector<std::string>& http,
                              const std::string& brokers) const {
  if (path_.empty()) return base::Status::Ok();
  const nlohmann::ordered_json content = {
      {"http", http}, {"brokers", brokers}, {"pid", static_cast<int64_t>(getpid())}};
  const std::filesystem::path fresh = path_.string() + ".new";
  std::ofstream out(fresh, std::ios::trunc);
  out << content.dump() << '\n';
  out.close();
  std::error_code error;
  if (out) std::filesystem::rename(fresh, path_, error);
  if (!out || error) {
    return base::Status::Fatal("cannot write the ready file " + path_.string() +
                               (error ? ": " + error.message() : std::string()));
  }
  return base::Status::Ok();
}

}  // namespace app
