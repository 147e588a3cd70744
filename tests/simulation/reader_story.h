#pragma once

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/simulation/inbox_model.h"

namespace simulation {

/// Draws what readers do to the rows that are there, and tells the model of it.
class ReaderStory {
 public:
  ReaderStory(std::mt19937_64& random, InboxModel& model) : random_(random), model_(model) {}

  /// `deletes`: rows may be deleted, too.
  void Begin(bool deletes) { deletes_ = deletes; }
  /// A row that something may be done to: its id and the event that it was made from.
  void AddRow(const std::string& recipient, const std::string& id, const InboxModel::Place& place);

  /// Key and value of the next record on `inbox-actions`.
  std::pair<std::string, std::string> Next();

 private:
  struct Row {
    std::string recipient;
    std::string id;
    InboxModel::Place place;
  };
  size_t Draw(size_t below) { return random_() % below; }

  std::mt19937_64& random_;
  InboxModel& model_;
  bool deletes_ = false;
  std::vector<Row> rows_;
};

}  // namespace simulation
