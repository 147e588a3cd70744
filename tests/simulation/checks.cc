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
    const state::ReadableStore& index = view_.Store(stages::kInboxUnreadStore);
    const auto page = stages::ReadPage(inbox, index, recipient_, {}, kPageItems, "");
    if (!page.ok()) return Problem(page.status().ToString());
    expected_ = model_.Inbox(recipient_);
    const uint64_t rows = expected_.size();
    uint64_t unseen = 0;
    json unread = json::array();
    std::string last_time = "9999";
    for (const json& item : json::parse(page->items)) {
      CheckItem(item);
      if (item["time"] > last_time) Problem("rows are not newest first");
      last_time = item["time"];
      if (item["read"] == false) unread.push_back(item);
      if (item["seen"] == false) ++unseen;
    }
    const stages::InboxCounts& counts = page->counts;
    if (counts.total != rows || counts.unread != unread.size() || counts.unseen != unseen) {
      Problem("total " + std::to_string(counts.total) + ", unread " +
              std::to_string(counts.unread) + ", unseen " + std::to_string(counts.unseen) +
              ", should be " + std::to_string(rows) + ", " + std::to_string(unread.size()) + ", " +
              std::to_string(unseen));
    }
    for (const auto& candidates : expected_) {
      Problem("no row for " + Text(*candidates.begin()));
    }
    const auto unread_page = stages::ReadPage(
        inbox, index, recipient_, {stages::InboxFilter::Status::kUnread, {}}, kPageItems, "");
    if (!unread_page.ok()) return Problem(unread_page.status().ToString());
    if (json::parse(unread_page->items) != unread) {
      Problem("the index of unread rows shows " + unread_page->items + ", not " + unread.dump());
    }
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
        item["recipient"] != recipient_ || item["text"] != text) {
      Problem("the row of " + Text(place) + " reads " + item.dump());
    }
    const InboxModel::RowState state = model_.StateOf(recipient_, place);
    if (item["read"] != state.read || item["seen"] != state.seen) {
      Problem("the row of " + Text(place) + " should be " + (state.read ? "read" : "unread") +
              (state.seen ? ", seen" : ", unseen") + ": " + item.dump());
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

/// Of the processes that have the recipient's inbox.
std::vector<std::shared_ptr<const state::TaskReader>> FindReaders(
    const Plan& plan, const std::vector<Process*>& processes, const std::string& recipient) {
  const base::Partition partition = pipeline::PartitionForKey(recipient, plan.inbox_partitions);
  std::vector<std::shared_ptr<const state::TaskReader>> readers;
  for (Process* process : processes) {
    const auto found = process->engine().stores().Find(stages::kInboxStore, partition);
    if (found.where == pipeline::StoreLookup::Where::kHere) readers.push_back(found.reader);
  }
  return readers;
}

}  // namespace

std::vector<std::pair<std::string, InboxModel::Place>> ReadRows(
    const Plan& plan, const std::vector<Process*>& processes, const std::string& recipient) {
  std::vector<std::pair<std::string, InboxModel::Place>> rows;
  for (const auto& reader : FindReaders(plan, processes, recipient)) {
    const auto view = reader->Snapshot();
    const auto page =
        stages::ReadPage(view->Store(stages::kInboxStore), view->Store(stages::kInboxUnreadStore),
                         recipient, {}, kPageItems, "");
    if (!page.ok()) continue;
    for (const json& item : json::parse(page->items)) {
      rows.push_back({item["id"], {item["source"]["partition"], item["source"]["offset"]}});
    }
  }
  return rows;
}

void CheckInboxes(const Plan& plan, const InboxModel& model, const std::vector<Process*>& processes,
                  std::vector<std::string>* problems) {
  for (const std::string& recipient : StoryTeller::Recipients()) {
    const auto readers = FindReaders(plan, processes, recipient);
    if (readers.size() != 1) {
      problems->push_back("the inbox of " + recipient + " is served by " +
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
