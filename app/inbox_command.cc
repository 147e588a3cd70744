#include "app/inbox_command.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "app/client.h"
#include "app/exit_code.h"

namespace app {
namespace {

/// What the server gives in one page.
constexpr uint64_t kPageMax = 100;
constexpr std::chrono::milliseconds kPollEvery{1000};

struct InboxOptions {
  ClientOptions client;
  std::string user;
  uint64_t limit = 20;
  bool all = false;
  std::string status = "all";
  std::string types;
  bool ids = false;
  bool follow = false;
};

/// "2026-11-21T05:00:00.000Z" as "2026-11-21 05:00:00"; another text as it is.
std::string ShortTime(const std::string& time) {
  constexpr size_t kSecondsEnd = 19;
  if (time.size() < kSecondsEnd || time[10] != 'T') return time;
  return time.substr(0, 10) + " " + time.substr(11, kSecondsEnd - 11);
}

/// One command: where it reads, and how it writes.
class InboxReader {
 public:
  InboxReader(Client& client, const InboxOptions& options) : client_(client), options_(options) {}

  int ShowPages() {
    const uint64_t wanted = options_.all ? std::numeric_limits<uint64_t>::max() : options_.limit;
    Reply reply = AskPage(std::min(wanted, kPageMax), "");
    if (!reply.ok()) return client_.Fail(reply);
    if (!client_.json()) PrintCounts(reply.json);
    // Several pages are one document: the first, with the items of all and the last one's `next`.
    Json whole = client_.json() ? reply.json : Json();
    uint64_t pages = 0;
    uint64_t shown = 0;
    while (true) {
      for (const Json& item : PartOf(reply.json, "items")) {
        if (!client_.json()) PrintItem(item);
        if (client_.json() && pages > 0) whole["items"].push_back(item);
        ++shown;
      }
      ++pages;
      // With a filter a page may have fewer than were asked for, and more behind it.
      const std::string next = TextOf(reply.json, "next");
      if (next.empty() || shown >= wanted) break;
      reply = AskPage(std::min(wanted - shown, kPageMax), next);
      if (!reply.ok()) return client_.Fail(reply);
    }
    if (client_.json()) {
      whole["next"] = PartOf(reply.json, "next");
      client_.PrintJson(pages == 1 ? reply.response.body : whole.dump());
    }
    return kExitDone;
  }

  int Follow() {
    client_.environment().end_on_interrupt();
    bool first = true;
    bool away = false;
    do {
      const Reply reply = AskPage(first ? options_.limit : kPageMax, "");
      if (reply.temporary()) {
        if (!std::exchange(away, true)) {
          client_.Complain(reply.error + "\nTrying on, every second. Ctrl-C ends it.");
        }
        continue;
      }
      if (!reply.ok()) return client_.Fail(reply);
      if (std::exchange(away, false)) client_.Complain("the server answers again.");
      if (first && !client_.json()) PrintCounts(reply.json);
      PrintNews(reply.json, first);
      first = false;
    } while (client_.environment().pause(kPollEvery));
    return kExitDone;
  }

 private:
  Reply AskPage(uint64_t limit, const std::string& cursor) {
    std::string target =
        "/v1/users/" + PercentEncode(options_.user) + "/inbox?limit=" + std::to_string(limit);
    if (options_.status != "all") target += "&status=" + options_.status;
    if (!options_.types.empty()) target += "&type=" + PercentEncode(options_.types);
    if (!cursor.empty()) target += "&cursor=" + PercentEncode(cursor);
    return client_.Ask("GET", target);
  }

  /// Prints what was not there before, oldest first. What is not newer than the end of the first
  /// page is no news: it came into view because something above it went.
  void PrintNews(const Json& page, bool first) {
    std::vector<const Json*> news;
    std::set<std::string> on_page;
    for (const Json& item : PartOf(page, "items")) {
      const std::string id = TextOf(item, "id");
      on_page.insert(id);
      if (!known_.contains(id) && TextOf(item, "time") > oldest_) news.push_back(&item);
    }
    if (first && !TextOf(page, "next").empty() && !news.empty()) {
      oldest_ = TextOf(*news.back(), "time");
    }
    // What fell off the page may come back when something above it goes, but was told already.
    if (known_.size() > kKnownMax) known_.clear();
    known_.merge(on_page);
    for (auto item = news.rbegin(); item != news.rend(); ++item) {
      if (client_.json()) {
        client_.PrintJson((*item)->dump());
      } else {
        PrintItem(**item);
      }
    }
    client_.console().out.flush();
  }

  void PrintCounts(const Json& page) const {
    const Json& counts = PartOf(page, "counts");
    const Console& console = client_.console();
    console.out << Dim(console, "Inbox of " + SafeText(options_.user) + ": " +
                                    std::to_string(NumberOf(counts, "total")) + " in all, " +
                                    std::to_string(NumberOf(counts, "unread")) + " unread")
                << '\n';
  }

  void PrintItem(const Json& item) const {
    const Console& console = client_.console();
    const Json& read = PartOf(item, "read");
    const bool unread = read.is_boolean() && !read.get<bool>();
    const std::string message = SafeText(TextOf(item, "message"));
    console.out << (unread ? "* " : "  ") << Dim(console, SafeText(ShortTime(TextOf(item, "time"))))
                << "  " << (unread ? Bold(console, message) : message);
    if (options_.ids) console.out << "  " << Dim(console, SafeText(TextOf(item, "id")));
    console.out << '\n';
  }

  /// Ids that Follow() keeps in mind at most; beyond, it begins anew with those on the page.
  static constexpr size_t kKnownMax = 100'000;

  Client& client_;
  const InboxOptions& options_;
  std::set<std::string> known_;
  /// Times of this form order as text.
  std::string oldest_;
};

int Inbox(Environment& environment, const CLI::App& command, const InboxOptions& options) {
  if (options.follow && options.all) {
    return UsageError(environment.console, command, "give either --follow or --all");
  }
  if (options.follow && options.limit > kPageMax) {
    return UsageError(environment.console, command,
                      "with --follow, --limit goes up to " + std::to_string(kPageMax));
  }
  Client client(environment, command, options.client);
  InboxReader reader(client, options);
  return options.follow ? reader.Follow() : reader.ShowPages();
}

}  // namespace

void AddInboxCommand(CommandLine& command_line) {
  auto options = std::make_shared<InboxOptions>();
  CLI::App& command =
      command_line.Add(command_line.herald(), "inbox", "Show a user's notifications, newest first",
                       [options](Environment& environment, const CLI::App& self) {
                         return Inbox(environment, self, *options);
                       });
  command.add_option("user", options->user, "Id of the user")->required();
  command.add_option("--limit", options->limit, "Notifications to show")
      ->check(CLI::Range(uint64_t{1}, uint64_t{1'000'000}))
      ->capture_default_str();
  command.add_flag("--all", options->all, "Show all of them");
  command.add_option("--status", options->status, "Only those that are unread, or read")
      ->check(CLI::IsMember({"unread", "read", "all"}))
      ->capture_default_str();
  command.add_option("--type", options->types, "Only of these types, e.g. follow,like");
  command.add_flag("--ids", options->ids, "With the ids, for herald mark");
  command.add_flag("--follow", options->follow,
                   "Stay, and show what comes: oldest first, until Ctrl-C");
  AddClientOptions(command, options->client);
  command.footer(
      "A * stands before what is unread; times are UTC. With --follow and --json each "
      "notification\n"
      "is a document of its own, one a line.\n\n"
      "Examples:\n"
      "  herald inbox 1\n"
      "  herald inbox 1 --status unread --type mention,message\n"
      "  herald inbox 1 --follow\n"
      "  herald inbox 1 --all --json | jq -r '.items[].message'");
}

}  // namespace app
