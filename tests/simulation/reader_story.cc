#include "tests/simulation/reader_story.h"

#include <iterator>
#include <nlohmann/json.hpp>

#include "stages/inbox_action.h"

namespace simulation {

using Kind = stages::InboxAction::Kind;

void ReaderStory::AddRow(const std::string& recipient, const std::string& id,
                         const InboxModel::Place& place) {
  rows_.push_back({recipient, id, place});
  model_.AddRow(recipient, place);
}

std::pair<std::string, std::string> ReaderStory::Next() {
  constexpr Kind kKinds[] = {Kind::kRead, Kind::kRead,    Kind::kUnread, Kind::kUnread,
                             Kind::kSeen, Kind::kReadAll, Kind::kSeenAll};
  Kind kind = kKinds[Draw(std::size(kKinds))];
  if (deletes_ && Draw(8) == 0) kind = Kind::kDelete;
  const bool for_all = kind == Kind::kReadAll || kind == Kind::kSeenAll;
  nlohmann::json action = {{"v", 1}, {"action", stages::InboxActionName(kind)}};
  if (rows_.empty()) {  // Nobody was told of anything.
    action["action"] = "read-all";
    action["recipient"] = "4";
    return {"4", action.dump()};
  }
  const Row& row = rows_[Draw(rows_.size())];
  action["recipient"] = row.recipient;
  if (!for_all) action["id"] = row.id;
  model_.Act(row.recipient, kind, row.place);
  return {row.recipient, action.dump()};
}

}  // namespace simulation
