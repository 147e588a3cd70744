#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "stages/apply_action.h"
#include "stages/inbox_action.h"
#include "stages/inbox_query.h"
#include "stages/inbox_rows.h"
#include "stages/write_inbox.h"
#include "tests/stages/stage_test_util.h"
#include "tests/support/memory_store.h"

namespace stages {

/// An identity that ends in `number`.
inline Identity MakeIdentity(uint8_t number) {
  Identity identity;
  identity.bytes[15] = number;
  return identity;
}

/// The head's row as it was written before there was a top.
inline std::string EncodeOldHead(InboxHead head) {
  head.indexed = kOldestPlace;
  std::string value = EncodeHead(head);
  value.front() = 1;
  value.pop_back();
  return value;
}

/// WriteInbox and ApplyAction on two maps.
class InboxFixture {
 public:
  explicit InboxFixture(InboxLimits limits = {}, const TrimCounters& trimmed = {})
      : stage_(inbox, unread, limits, trimmed), actions_(inbox, unread, trimmed) {}

  /// Somebody liked post `number`, at kTestTimeMs + `time`.
  void Do(uint8_t number, int64_t time, std::string text = "t", std::string recipient = "1") {
    Run(number, time, false, std::move(text), std::move(recipient));
  }
  void Undo(uint8_t number, int64_t time, std::string recipient = "1") {
    Run(number, time, true, "", std::move(recipient));
  }

  void Run(uint8_t number, int64_t time, bool retracted, std::string text, std::string recipient) {
    Notification notification;
    notification.identity = MakeIdentity(number);
    notification.kind = FindEventKind("like");
    notification.retracted = retracted;
    notification.recipient = std::move(recipient);
    notification.actor.id = "2";
    notification.text = std::move(text);
    notification.time_ms = kTestTimeMs + time;
    notification.source = {"events", {0}, {offset_}};
    Write(std::move(notification));
  }

  void Write(Notification notification) {
    std::string json;
    const base::Status status =
        stage_.Process({notification.recipient,
                        AsReceived(notification, json),
                        {"notifications", {0}, {offset_++}, record_timestamp_ms}},
                       context);
    ASSERT_TRUE(status.ok()) << status.ToString();
  }

  /// The reader of an inbox does something to the row of post `number` and of that time.
  void Act(InboxAction::Kind kind, uint8_t number, int64_t time, std::string recipient = "1") {
    InboxAction action;
    action.kind = kind;
    action.recipient = std::move(recipient);
    action.identity = MakeIdentity(number);
    action.time_ms = kTestTimeMs + time;
    Apply(std::move(action));
  }
  void ReadAll(std::optional<uint64_t> up_to = {}, std::string recipient = "1") {
    Apply({InboxAction::Kind::kReadAll, std::move(recipient), {}, 0, up_to});
  }
  void SeeAll(std::optional<uint64_t> up_to = {}, std::string recipient = "1") {
    Apply({InboxAction::Kind::kSeenAll, std::move(recipient), {}, 0, up_to});
  }

  void Apply(InboxAction action) {
    const base::Status status = actions_.Process(
        {action.recipient, action, {"inbox-actions", {0}, {action_offset_++}, record_timestamp_ms}},
        context);
    ASSERT_TRUE(status.ok()) << status.ToString();
  }

  void Punctuate() {
    const base::Status status = stage_.Punctuate(context);
    ASSERT_TRUE(status.ok()) << status.ToString();
  }

  InboxHead Head(std::string_view recipient = "1") const {
    InboxHead head;
    const auto row = inbox.Get(InboxKeys(recipient).Head());
    if (row->has_value()) {
      EXPECT_TRUE(DecodeHead(**row, head));
    }
    return head;
  }

  InboxCounts Counts(std::string_view recipient = "1") const {
    return *ReadCounts(inbox, recipient);
  }

  base::Result<InboxPage> Page(size_t limit, std::string_view cursor = "",
                               const InboxFilter& filter = {},
                               std::string_view recipient = "1") const {
    return ReadPage(inbox, unread, recipient, filter, limit, cursor);
  }

  /// All rows as served, newest first, read in pages of `limit`.
  nlohmann::json Items(std::string_view recipient = "1", const InboxFilter& filter = {},
                       size_t limit = 1000) const {
    nlohmann::json items = nlohmann::json::array();
    std::optional<std::string> cursor = "";
    while (cursor) {
      const auto page = Page(limit, *cursor, filter, recipient);
      EXPECT_TRUE(page.ok()) << page.status().ToString();
      if (!page.ok()) break;
      for (auto& item : nlohmann::json::parse(page->items)) items.push_back(std::move(item));
      cursor = page->next;
    }
    return items;
  }

  /// "number@time" of each row, newest first.
  std::vector<std::string> Rows(std::string_view recipient = "1") const {
    std::vector<std::string> rows;
    for (const auto& item : Items(recipient)) {
      Identity identity;
      int64_t time_ms = 0;
      EXPECT_TRUE(ParseNotificationId(item["id"].get<std::string>(), identity, time_ms));
      rows.push_back(std::to_string(identity.bytes[15]) + "@" +
                     std::to_string(time_ms - kTestTimeMs));
    }
    return rows;
  }

  /// Makes a recipient's rows those of a Herald that had no top: the index covers everything.
  void MakeOld(std::string_view recipient = "1");

  /// Rebuilds what a restore rebuilds, for every recipient.
  void Repair();

  /// Fails unless every recipient's rows agree with each other, and the current part of the index
  /// with what is unread.
  void CheckRows() const;

  support::MemoryStore inbox;
  support::MemoryStore unread;
  CollectingContext<pipeline::Nothing> context;
  int64_t record_timestamp_ms = kTestTimeMs;

 private:
  int64_t offset_ = 0;
  int64_t action_offset_ = 0;
  WriteInbox stage_;
  ApplyAction actions_;
};

}  // namespace stages
