#include "tests/simulation/state_trouble.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "tests/support/memory_task_state.h"

namespace simulation {
namespace {

namespace fs = std::filesystem;

/// Below a state directory, in order.
std::vector<fs::path> DatabasesIn(const fs::path& directory) {
  std::vector<fs::path> databases;
  for (const char* kind : {"tasks", "global"}) {
    if (!fs::exists(directory / kind)) continue;
    for (const auto& entry : fs::directory_iterator(directory / kind)) {
      databases.push_back(fs::relative(entry.path(), directory));
    }
  }
  std::sort(databases.begin(), databases.end());
  return databases;
}

class OnDisk final : public StateTrouble {
 public:
  OnDisk(fs::path directory, fs::path copy)
      : directory_(std::move(directory)), copy_(std::move(copy)) {}

  state::TaskStates& states() override { return state::RocksdbTaskStates(); }

  void Remember() override {
    fs::remove_all(copy_);
    if (fs::exists(directory_)) fs::copy(directory_, copy_, fs::copy_options::recursive);
  }

  bool FallBack() override {
    if (!fs::exists(copy_)) return false;
    fs::remove_all(directory_);
    fs::copy(copy_, directory_, fs::copy_options::recursive);
    return true;
  }

  bool FallBackOne(std::mt19937_64& random) override {
    const std::vector<fs::path> databases = DatabasesIn(copy_);
    if (databases.empty()) return false;
    const fs::path database = databases[random() % databases.size()];
    fs::remove_all(directory_ / database);
    fs::create_directories((directory_ / database).parent_path());
    fs::copy(copy_ / database, directory_ / database, fs::copy_options::recursive);
    return true;
  }

  void LoseLogTails(std::mt19937_64& random) override {
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

  bool Spoil(std::mt19937_64& random) override {
    const std::vector<fs::path> databases = DatabasesIn(directory_);
    if (databases.empty()) return false;
    const fs::path database = directory_ / databases[random() % databases.size()];
    for (const auto& entry : fs::directory_iterator(database)) {
      if (entry.path().filename().string().starts_with("MANIFEST")) fs::remove(entry.path());
    }
    return true;
  }

  void Lose() override { fs::remove_all(directory_); }

 private:
  const fs::path directory_;
  const fs::path copy_;
};

class InMemory final : public StateTrouble {
 public:
  state::TaskStates& states() override { return states_; }

  void Remember() override { states_.Remember(); }

  bool FallBack() override {
    if (states_.Remembered().empty()) return false;
    states_.PutBackAll();
    return true;
  }

  bool FallBackOne(std::mt19937_64& random) override {
    const std::vector<fs::path> databases = states_.Remembered();
    if (databases.empty()) return false;
    states_.PutBack(databases[random() % databases.size()]);
    return true;
  }

  void LoseLogTails(std::mt19937_64& random) override {
    const uint64_t cut = random();
    for (const fs::path& database : states_.Databases()) {
      states_.LoseTail(database, cut % (states_.TailBatches(database) + 1));
    }
  }

  bool Spoil(std::mt19937_64& random) override {
    const std::vector<fs::path> databases = states_.Databases();
    if (databases.empty()) return false;
    states_.Spoil(databases[random() % databases.size()]);
    return true;
  }

  void Lose() override { states_.Lose(); }

 private:
  support::MemoryTaskStates states_;
};

}  // namespace

std::unique_ptr<StateTrouble> TroubleOnDisk(fs::path directory, fs::path copy) {
  return std::make_unique<OnDisk>(std::move(directory), std::move(copy));
}

std::unique_ptr<StateTrouble> TroubleInMemory() { return std::make_unique<InMemory>(); }

}  // namespace simulation
