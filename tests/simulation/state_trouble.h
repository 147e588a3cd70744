#pragma once

#include <filesystem>
#include <memory>
#include <random>

#include "state/task_state.h"

namespace simulation {

/// The disk of one instance, and what happens to it between two lives of the process. Databases
/// fall back as a whole: rows and the positions beside them are one batch.
class StateTrouble {
 public:
  virtual ~StateTrouble() = default;

  /// What processes keep their rows in.
  virtual state::TaskStates& states() = 0;

  /// Keeps a copy of everything, for FallBack().
  virtual void Remember() = 0;

  /// Puts back what was remembered: everything, or one database of it.
  /// False when nothing is remembered.
  virtual bool FallBack() = 0;
  virtual bool FallBackOne(std::mt19937_64& random) = 0;

  /// Cuts a random piece off the end of what each database logged last, as a machine does that
  /// loses power.
  virtual void LoseLogTails(std::mt19937_64& random) = 0;

  /// One database cannot be opened any more. False when there is none.
  virtual bool Spoil(std::mt19937_64& random) = 0;

  /// Deletes everything: another machine.
  virtual void Lose() = 0;
};

/// RocksDB's databases in `directory`; `copy` is for what is remembered.
std::unique_ptr<StateTrouble> TroubleOnDisk(std::filesystem::path directory,
                                            std::filesystem::path copy);
/// The stand-in's; processes have only their lock file in the directory.
std::unique_ptr<StateTrouble> TroubleInMemory();

}  // namespace simulation
