#pragma once

#include <filesystem>
#include <optional>
#include <random>
#include <string>

namespace simulation {

/// What happens to a process's state directory between two lives. Databases fall back as a whole:
/// rows and the positions beside them are one batch.
class StateTrouble {
 public:
  StateTrouble(std::filesystem::path directory, std::filesystem::path copy)
      : directory_(std::move(directory)), copy_(std::move(copy)) {}

  /// Keeps a copy of everything, for FallBack().
  void Remember();

  /// Puts back what was remembered: everything, or one database of it.
  /// False when nothing is remembered.
  bool FallBack();
  bool FallBackOne(std::mt19937_64& random);

  /// Cuts a random piece off the end of each database's write-ahead log, as a machine does that
  /// loses power.
  void LoseLogTails(std::mt19937_64& random);

  /// Deletes everything: another machine.
  void Lose();

 private:
  const std::filesystem::path directory_;
  const std::filesystem::path copy_;
};

}  // namespace simulation
