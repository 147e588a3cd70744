#pragma once

#include <string>

namespace stages {

/// The names of Herald's topics; docs/formats.md says what their records are.
struct Topics {
  std::string events = "events";
  std::string users = "users";
  std::string notifications = "notifications";
  std::string inbox_actions = "inbox-actions";
  std::string dead_letters = "dead-letters";
  /// Of an application that sends heartbeats, and then its own; else empty.
  std::string heartbeats;
  std::string heartbeat_echoes;

  bool has_heartbeats() const { return !heartbeats.empty(); }

  /// The same names with `prefix` before each; `notifications` may have another name.
  static Topics WithPrefix(const std::string& prefix,
                           const std::string& notifications = "notifications") {
    Topics topics;
    topics.notifications = notifications;
    for (std::string* name : {&topics.events, &topics.users, &topics.notifications,
                              &topics.inbox_actions, &topics.dead_letters}) {
      name->insert(0, prefix);
    }
    return topics;
  }

  /// From now on there are heartbeats.
  void AddHeartbeats(const std::string& prefix, const std::string& application_id) {
    heartbeats = prefix + application_id + "-heartbeats";
    heartbeat_echoes = prefix + application_id + "-heartbeat-echoes";
  }
};

}  // namespace stages
