#include "stages/inbox_query.h"

#include <algorithm>
#include <array>
#include <utility>

#include "stages/hex.h"
#include "stages/inbox_rows.h"
#include "stages/notification.h"
#include "state/key_encoding.h"

namespace stages {
namespace {

/// Before the bytes, so that another kind of cursor can be told from this one.
constexpr char kCursorFormat = 'a';
/// Time and arrival of an item, as its key has them.
constexpr size_t kPlaceBytes = 16;
/// Room for "read" and "seen" of an item.
constexpr size_t kServedMarksBytes = 40;
constexpr size_t kReserveItemsMax = 20;

base::Status UnreadableHead() {
  return base::Status::Corruption("store inbox: unreadable head row");
}

/// The head's row is the stamp: it has the version, which every visible change makes grow.
base::Result<InboxHead> ReadHead(const state::ReadableStore& inbox, const InboxKeys& keys,
                                 std::string* stamp = nullptr) {
  InboxHead head;
  auto row = inbox.Get(keys.Head());
  if (!row.ok()) return row.status();
  if (row->has_value() && !DecodeHead(**row, head)) return UnreadableHead();
  if (stamp != nullptr) *stamp = std::move(*row).value_or("");
  return head;
}

InboxCounts CountsOf(const InboxHead& head) {
  return {head.total, head.unread, head.unseen, head.version};
}

std::string MakeCursor(std::string_view item_key) {
  std::string cursor(1, kCursorFormat);
  AppendHex(cursor, item_key.substr(item_key.size() - kPlaceBytes));
  return cursor;
}

/// What follows the prefix in the first key behind the cursor's item.
base::Result<std::string> ParseCursor(std::string_view cursor) {
  if (cursor.empty()) return std::string();
  std::array<uint8_t, kPlaceBytes> place;
  if (cursor.front() != kCursorFormat || !FromHex(cursor.substr(1), place)) {
    return base::Status::InvalidArgument("cursor is not one that Herald gave out");
  }
  std::string key(reinterpret_cast<const char*>(place.data()), place.size());
  key += '\0';
  return key;
}

/// The kind's name in a notification's JSON. What stands before it, format version and id, has no
/// such text.
std::string_view TypeIn(std::string_view json) {
  constexpr std::string_view kField = "\"type\":\"";
  const size_t field = json.find(kField);
  if (field == std::string_view::npos) return "";
  json.remove_prefix(field + kField.size());
  return json.substr(0, json.find('"'));
}

bool Matches(const InboxFilter& filter, const InboxItem& item, const InboxHead& head) {
  if (filter.status == InboxFilter::Status::kUnread && item.IsRead(head)) return false;
  if (filter.status == InboxFilter::Status::kRead && !item.IsRead(head)) return false;
  if (filter.kinds.empty()) return true;
  const std::string_view type = TypeIn(item.json);
  return std::any_of(filter.kinds.begin(), filter.kinds.end(),
                     [type](const EventKind* kind) { return kind->name == type; });
}

void AppendServed(std::string& items, const InboxItem& item, const InboxHead& head) {
  if (items.size() > 1) items += ',';
  items += item.json.substr(0, item.json.size() - 1);
  items += item.IsRead(head) ? ",\"read\":true" : ",\"read\":false";
  items += item.IsSeen(head) ? ",\"seen\":true}" : ",\"seen\":false}";
}

/// Collects the items of a page, newest first.
class PageBuilder {
 public:
  PageBuilder(const InboxHead& head, const InboxFilter& filter, size_t limit)
      : head_(head), filter_(filter), limit_(limit) {
    page_.items = "[";
  }

  /// False when the page is done, or `status` says why it cannot be.
  bool Visit(std::string_view key, std::string_view value, base::Status& status) {
    if (page_.item_count == limit_ || looked_at_ == kPageRowsLookedAtMax) {
      page_.next = MakeCursor(last_key_);
      return false;
    }
    InboxItem item;
    if (!DecodeItem(value, item)) {
      status = base::Status::Corruption("store inbox: unreadable item row");
      return false;
    }
    ++looked_at_;
    if (Matches(filter_, item, head_)) {
      // Items are much alike: with room for the first, times the limit, few pages are moved.
      if (page_.item_count == 0) {
        page_.items.reserve((item.json.size() + kServedMarksBytes) *
                            std::min(limit_, kReserveItemsMax));
      }
      AppendServed(page_.items, item, head_);
      ++page_.item_count;
    }
    if (page_.item_count == limit_ || looked_at_ == kPageRowsLookedAtMax) last_key_ = key;
    return true;
  }

  InboxPage Finish(std::string stamp) {
    page_.items += ']';
    page_.stamp = std::move(stamp);
    page_.counts = CountsOf(head_);
    return std::move(page_);
  }

 private:
  const InboxHead& head_;
  const InboxFilter& filter_;
  const size_t limit_;
  InboxPage page_;
  size_t looked_at_ = 0;
  std::string last_key_;
};

}  // namespace

base::Result<InboxCounts> ReadCounts(const state::ReadableStore& inbox,
                                     std::string_view recipient) {
  const auto head = ReadHead(inbox, InboxKeys(recipient));
  if (!head.ok()) return head.status();
  return CountsOf(*head);
}

base::Result<std::string> ReadStamp(const state::ReadableStore& inbox, std::string_view recipient) {
  auto row = inbox.Get(InboxKeys(recipient).Head());
  if (!row.ok()) return row.status();
  return std::move(*row).value_or("");
}

base::Result<InboxPage> ReadPage(const state::ReadableStore& inbox,
                                 const state::ReadableStore& unread, std::string_view recipient,
                                 const InboxFilter& filter, size_t limit, std::string_view cursor) {
  const InboxKeys keys(recipient);
  const auto place = ParseCursor(cursor);
  if (!place.ok()) return place.status();
  const bool by_index = filter.status == InboxFilter::Status::kUnread;
  // The head lies right before the newest item, so a first page meets it on the way.
  const bool head_on_the_way = !by_index && place->empty();
  const std::string head_key = keys.Head();
  InboxHead head;
  std::string stamp;
  if (!head_on_the_way) {
    auto read = ReadHead(inbox, keys, &stamp);
    if (!read.ok()) return read.status();
    head = *read;
  }
  PageBuilder page(head, filter, limit);
  base::Status status;
  const auto visit_item = [&](std::string_view key, std::string_view value) {
    if (key == head_key) {
      if (!DecodeHead(value, head)) status = UnreadableHead();
      stamp = value;
      return status.ok();
    }
    return page.Visit(key, value, status);
  };
  if (!by_index) {
    const std::string begin = head_on_the_way ? head_key : keys.Begin(InboxRowKind::kItem) + *place;
    RETURN_IF_ERROR(inbox.Scan(begin, keys.End(InboxRowKind::kItem), visit_item));
  } else {
    // All of the top is unread; of what is older, the index has the unread items alone, in the same
    // order.
    const std::string top_end = keys.Item(head.indexed);
    const std::string item_prefix = keys.Begin(InboxRowKind::kItem);
    const std::string index_prefix = keys.UnreadBegin(head.read_mark);
    bool goes_on = true;
    if (const std::string begin = item_prefix + *place; begin < top_end) {
      RETURN_IF_ERROR(inbox.Scan(begin, top_end, [&](std::string_view key, std::string_view value) {
        goes_on = visit_item(key, value);
        return goes_on;
      }));
    }
    const auto visit_row = [&](std::string_view key, std::string_view) {
      const std::string item_key = item_prefix + std::string(key.substr(index_prefix.size()));
      const auto row = inbox.Get(item_key);
      if (!row.ok()) status = row.status();
      if (row.ok() && !row->has_value()) {
        status = base::Status::Corruption("store inbox-unread: an item that is not there");
      }
      return status.ok() && page.Visit(item_key, **row, status);
    };
    if (goes_on) {
      RETURN_IF_ERROR(
          unread.Scan(index_prefix + *place, state::PrefixEnd(index_prefix), visit_row));
    }
  }
  RETURN_IF_ERROR(status);
  return page.Finish(std::move(stamp));
}

base::Result<bool> HasNotification(const state::ReadableStore& inbox, std::string_view recipient,
                                   std::string_view id) {
  Identity identity;
  int64_t time_ms = 0;
  if (!ParseNotificationId(id, identity, time_ms)) return false;
  const auto row = inbox.Get(InboxKeys(recipient).IdentityRow(identity));
  if (!row.ok()) return row.status();
  if (!row->has_value()) return false;
  InboxIdentity known;
  if (!DecodeIdentity(**row, known)) {
    return base::Status::Corruption("store inbox: unreadable identity row");
  }
  return known.stands && known.item_ms == time_ms;
}

base::Status VisitOldestFirst(const state::ReadableStore& inbox, std::string_view recipient,
                              const std::function<bool(std::string_view json)>& visitor) {
  const InboxKeys keys(recipient);
  base::Status status;
  RETURN_IF_ERROR(inbox.ScanReverse(keys.Begin(InboxRowKind::kItem), keys.End(InboxRowKind::kItem),
                                    [&](std::string_view, std::string_view value) {
                                      InboxItem item;
                                      if (!DecodeItem(value, item)) {
                                        status = base::Status::Corruption(
                                            "store inbox: unreadable item row");
                                        return false;
                                      }
                                      return visitor(item.json);
                                    }));
  return status;
}

}  // namespace stages
