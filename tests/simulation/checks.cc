#include "tests/simulation/checks.h"

#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "pipeline/partitioner.h"
#include "stages/inbox_query.h"
#include "stages/inbox_rows.h"

namespace simulation {
namespace {

using nlohmann::json;

/// More than any recipient of a story has.
constexpr size_t kPageItems = 1000;

std::string Text(const InboxModel::Place& place) {
  return "events[" + std::to_string(place.first) + "]@" + std::to_string(place.second);
}

class InboxCheck {
 public:
  InboxCheck(const InboxModel& model, const state::TaskReader::View& view, std::string recipient,
             std::vector<std::string>* problems)
      : model_(model), view_(view), recipient_(std::move(recipient)), problems_(*problems) {}

  void Run() {
    const state::ReadableStore& inbox = view_.Store(stages::kInboxStore);
    auto page = stages::ReadPage(inbox, recipient_, kPageItems, "");
    if (!page.ok()) return Problem(page.status().ToString());
    expected_ = model_.Inbox(recipient_);
    const uint64_t rows = expected_.size();
    const stages::InboxCounts& counts = page->counts;
    if (counts.total != rows || counts.unread != rows || counts.unseen != rows) {
      Problem("total " + std::to_string(counts.total) + ", unread " +
              std::to_string(counts.unread) + ", unseen " + std::to_string(counts.unseen) +
              ", all should be " + std::to_string(rows));
    }
    std::string last_time = "9999";
    for (const json& item : json::parse(page->items)) {
      CheckItem(item);
      if (item["time"] > last_time) Problem("rows are not newest first");
      last_time = item["time"];
    }
    for (const auto& candidates : expected_) {
      Problem("no row for " + Text(*candidates.begin()));
    }
    CheckUnreadIndex(rows);
  }

 private:
  void Problem(const std::string& what) {
    problems_.push_back("inbox of " + recipient_ + ": " + what);
  }

  void CheckItem(const json& item) {
    const json& source = item["source"];
    const InboxModel::Place place{source["partition"], source["offset"]};
    const auto standing =
        std::find_if(expected_.begin(), expected_.end(),
                     [&](const auto& candidates) { return candidates.contains(place); });
    if (standing == expected_.end()) {
      return Problem("a row of " + Text(place) + " that should not stand, or stands twice");
    }
    expected_.erase(standing);
    const StoryEvent& event = model_.EventAt(place);
    const json text = event.text.empty() ? json() : json(event.text);
    if (item["type"] != event.type || item["actor"]["id"] != event.actor ||
        item["recipient"] != recipient_ || item["text"] != text || item["read"] != false) {
      Problem("the row of " + Text(place) + " reads " + item.dump());
    }
  }

  void CheckUnreadIndex(uint64_t rows) {
    const stages::InboxKeys keys(recipient_);
    std::set<std::string> items;
    std::set<std::string> index;
    const auto collect = [&](std::string_view store, std::set<std::string>& into) {
      const base::Status scanned = view_.Store(store).Scan(
          keys.Begin(stages::InboxRowKind::kItem), keys.End(stages::InboxRowKind::kItem),
          [&](std::string_view key, std::string_view) {
            into.emplace(key);
            return true;
          });
      if (!scanned.ok()) Problem(scanned.ToString());
    };
    collect(stages::kInboxStore, items);
    collect(stages::kInboxUnreadStore, index);
    if (items.size() != rows || items != index) {
      Problem(std::to_string(items.size()) + " rows, " + std::to_string(index.size()) +
              " in the index of unread rows, " + std::to_string(rows) + " expected");
    }
  }

  const InboxModel& model_;
  const state::TaskReader::View& view_;
  const std::string recipient_;
  std::vector<std::string>& problems_;
  std::vector<std::set<InboxModel::Place>> expected_;
};

/// Compares how often each thing is there with once.
template <typename T, typename Name>
void CompareOnce(const std::set<T>& expected, const std::map<T, int>& found, bool exactly,
                 const std::string& topic, const Name& name, std::vector<std::string>* problems) {
  for (const T& one : expected) {
    const auto at = found.find(one);
    if (at == found.end()) problems->push_back(topic + ": nothing for " + name(one));
  }
  for (const auto& [one, times] : found) {
    if (!expected.contains(one)) {
      problems->push_back(topic + ": a record that should not be: " + name(one));
    } else if (exactly && times != 1) {
      problems->push_back(topic + ": " + std::to_string(times) + " records for " + name(one));
    }
  }
}

}  // namespace

void CheckInboxes(const Plan& plan, const InboxModel& model, const std::vector<Process*>& processes,
                  std::vector<std::string>* problems) {
  for (const std::string& recipient : StoryTeller::Recipients()) {
    const base::Partition partition = pipeline::PartitionForKey(recipient, plan.inbox_partitions);
    std::vector<std::shared_ptr<const state::TaskReader>> readers;
    for (Process* process : processes) {
      const auto found = process->engine().stores().Find(stages::kInboxStore, partition);
      if (found.where == pipeline::StoreLookup::Where::kHere) readers.push_back(found.reader);
    }
    if (readers.size() != 1) {
      problems->push_back("partition " + std::to_string(partition.value) + " is served by " +
                          std::to_string(readers.size()) + " processes");
      continue;
    }
    const auto view = readers.front()->Snapshot();
    InboxCheck(model, *view, recipient, problems).Run();
  }
}

void CheckTopics(const Plan& plan, const InboxModel& model, const support::FakeCluster& cluster,
                 std::vector<std::string>* problems) {
  const bool exactly = plan.exactly_once();
  std::map<InboxModel::Told, int> told;
  for (const support::StoredRecord& record : cluster.CommittedRecords("notifications")) {
    const json notification = json::parse(record.value.value_or("{}"));
    const json& source = notification["source"];
    ++told[{source["partition"], source["offset"], notification["recipient"],
            notification.value("retracted", false)}];
    if (record.key != notification["recipient"]) {
      problems->push_back("notifications: a key that is not the recipient");
    }
  }
  CompareOnce(
      model.told(), told, exactly, "notifications",
      [](const InboxModel::Told& one) {
        return Text({std::get<0>(one), std::get<1>(one)}) + " to " + std::get<2>(one);
      },
      problems);
  std::map<InboxModel::Dead, int> dead;
  for (const support::StoredRecord& record : cluster.CommittedRecords("dead-letters")) {
    ++dead[{std::stoi(record.Header("partition").value_or("-1")),
            std::stoll(record.Header("offset").value_or("-1"))}];
  }
  CompareOnce(model.dead(), dead, exactly, "dead-letters", Text, problems);
}

}  // namespace simulation
