#include "stages/inbox_query.h"

#include <array>

#include "stages/hex.h"
#include "stages/inbox_rows.h"

namespace stages {
namespace {

/// Before the bytes, so that another kind of cursor can be told from this one.
constexpr char kCursorFormat = 'a';
/// Time and arrival of an item, as its key has them.
constexpr size_t kPlaceBytes = 16;

base::Result<InboxHead> ReadHead(const state::ReadableStore& inbox, const InboxKeys& keys) {
  InboxHead head;
  auto row = inbox.Get(keys.Head());
  if (!row.ok()) return row.status();
  if (row->has_value() && !DecodeHead(**row, head)) {
    return base::Status::Corruption("store inbox: unreadable head row");
  }
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

/// The first key behind the cursor's item.
base::Result<std::string> KeyBehind(const InboxKeys& keys, std::string_view cursor) {
  std::string key = keys.Begin(InboxRowKind::kItem);
  if (cursor.empty()) return key;
  std::array<uint8_t, kPlaceBytes> place;
  if (cursor.front() != kCursorFormat || !FromHex(cursor.substr(1), place)) {
    return base::Status::InvalidArgument("cursor is not one that Herald gave out");
  }
  key.append(reinterpret_cast<const char*>(place.data()), place.size());
  key += '\0';
  return key;
}

void AppendServed(std::string& items, const InboxItem& item, const InboxHead& head) {
  if (items.size() > 1) items += ',';
  items += item.json.substr(0, item.json.size() - 1);
  items += item.IsRead(head) ? ",\"read\":true" : ",\"read\":false";
  items += item.IsSeen(head) ? ",\"seen\":true}" : ",\"seen\":false}";
}

}  // namespace

base::Result<InboxCounts> ReadCounts(const state::ReadableStore& inbox,
                                     std::string_view recipient) {
  const auto head = ReadHead(inbox, InboxKeys(recipient));
  if (!head.ok()) return head.status();
  return CountsOf(*head);
}

base::Result<InboxPage> ReadPage(const state::ReadableStore& inbox, std::string_view recipient,
                                 size_t limit, std::string_view cursor) {
  const InboxKeys keys(recipient);
  const auto begin = KeyBehind(keys, cursor);
  if (!begin.ok()) return begin.status();
  const auto head = ReadHead(inbox, keys);
  if (!head.ok()) return head.status();
  InboxPage page;
  page.counts = CountsOf(*head);
  page.items = "[";
  std::string last_key;
  base::Status status;
  const auto visit = [&](std::string_view key, std::string_view value) {
    if (page.item_count == limit) {
      page.next = MakeCursor(last_key);
      return false;
    }
    InboxItem item;
    if (!DecodeItem(value, item)) {
      status = base::Status::Corruption("store inbox: unreadable item row");
      return false;
    }
    AppendServed(page.items, item, *head);
    if (++page.item_count == limit) last_key = key;
    return true;
  };
  RETURN_IF_ERROR(inbox.Scan(*begin, keys.End(InboxRowKind::kItem), visit));
  RETURN_IF_ERROR(status);
  page.items += ']';
  return page;
}

}  // namespace stages
