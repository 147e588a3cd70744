#pragma once

#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"

namespace serving {

/// A server on a plain socket that answers with the bytes it was given, whatever they are.
class ScriptedServer {
 public:
  /// What it does with one connection after the other: answers each request with the next of these
  /// texts, and closes after the last. Connections beyond the script are closed at once.
  using Script = std::vector<std::vector<std::string>>;

  explicit ScriptedServer(Script script);
  ~ScriptedServer();
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  const std::string& address() const { return address_; }

  /// The requests read so far, header and body, each with the number of its connection before it.
  std::vector<std::string> requests() const;

 private:
  void Run(const Script& script);
  void Serve(size_t connection, int socket, const std::vector<std::string>& answers);

  std::string address_;
  int listener_ = -1;
  mutable base::Mutex mutex_;
  /// The connection being served, to be ended by the destructor.
  int serving_ GUARDED_BY(mutex_) = -1;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::vector<std::string> requests_ GUARDED_BY(mutex_);
  std::thread thread_;
};

/// An address of this machine on which nobody listens.
std::string DeadAddress();

/// A whole answer: "HTTP/1.1 200 OK", a length and the body.
std::string AnswerText(const std::string& body, const std::string& headers = "");

}  // namespace serving
