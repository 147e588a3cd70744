#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

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

/// WriteInbox on two maps.
class InboxFixture {
 public:
  explicit InboxFixture(InboxLimits limits = {}) : stage_(inbox, unread, limits) {}

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
    notification.recipient = recipient;
    notification.actor.id = "2";
    notification.text = std::move(text);
    notification.time_ms = kTestTimeMs + time;
    notification.source = {"events", {0}, {offset_}};
    const base::Status status =
        stage_.Process({std::move(recipient),
                        std::move(notification),
                        {"notifications", {0}, {offset_++}, record_timestamp_ms}},
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

  /// All rows as served, newest first.
  nlohmann::json Items(std::string_view recipient = "1") const {
    const auto page = ReadPage(inbox, recipient, 1'000'000, "");
    EXPECT_TRUE(page.ok());
    return nlohmann::json::parse(page->items);
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

  /// Fails unless every recipient's rows agree with each other.
  void CheckRows() const;

  support::MemoryStore inbox;
  support::MemoryStore unread;
  CollectingContext<pipeline::Nothing> context;
  int64_t record_timestamp_ms = kTestTimeMs;

 private:
  int64_t offset_ = 0;
  WriteInbox stage_;
};

}  // namespace stages
