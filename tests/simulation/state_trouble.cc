#include "tests/simulation/state_trouble.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <vector>

namespace simulation {
namespace fs = std::filesystem;

void StateTrouble::Remember() {
  fs::remove_all(copy_);
  if (fs::exists(directory_)) fs::copy(directory_, copy_, fs::copy_options::recursive);
}

bool StateTrouble::FallBack() {
  if (!fs::exists(copy_)) return false;
  fs::remove_all(directory_);
  fs::copy(copy_, directory_, fs::copy_options::recursive);
  return true;
}

bool StateTrouble::FallBackOne(std::mt19937_64& random) {
  std::vector<fs::path> databases;
  for (const char* kind : {"tasks", "global"}) {
    if (!fs::exists(copy_ / kind)) continue;
    for (const auto& entry : fs::directory_iterator(copy_ / kind)) {
      databases.push_back(fs::relative(entry.path(), copy_));
    }
  }
  if (databases.empty()) return false;
  std::sort(databases.begin(), databases.end());
  const fs::path database = databases[random() % databases.size()];
  fs::remove_all(directory_ / database);
  fs::create_directories((directory_ / database).parent_path());
  fs::copy(copy_ / database, directory_ / database, fs::copy_options::recursive);
  return true;
}

void StateTrouble::LoseLogTails(std::mt19937_64& random) {
  const uint64_t cut = random();
  if (!fs::exists(directory_)) return;
  // The newest of each database: older ones may be there or be deleted already, as RocksDB's own
  // threads have it.
  std::map<fs::path, fs::path> newest;
  for (const auto& entry : fs::recursive_directory_iterator(directory_)) {
    if (entry.path().extension() != ".log") continue;
    fs::path& log = newest[entry.path().parent_path()];
    log = std::max(log, entry.path());
  }
  for (const auto& [database, log] : newest) {
    const uintmax_t bytes = fs::file_size(log);
    if (bytes > 0) fs::resize_file(log, bytes - cut % bytes);
  }
}

void StateTrouble::Lose() { fs::remove_all(directory_); }

}  // namespace simulation
