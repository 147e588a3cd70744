#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "app/command_line.h"
#include "base/clock.h"
#include "base/mutex.h"

namespace app {

/// How a command ended, and what it said.
struct Ran {
  int exit_code = -1;
  std::string out;
  std::string err;
};

/// Answers requests as a test says, and keeps them. Threads: any.
class FakeServer {
 public:
  using Handler = std::function<base::Result<serving::Response>(const serving::Request&)>;

  /// Answers one request, after those that were told before.
  void Answer(int status, std::string body, serving::NamesAndValues headers = {});
  void AnswerWith(base::Status status);
  /// Answers all requests that no Answer() is left for; without one they are refused with 500.
  void AnswerAllWith(Handler handler);

  base::Result<serving::Response> Handle(const serving::Request& request);

  /// "GET /v1/status": method, target and, when there is one, the body behind it.
  std::vector<std::string> requests() const;

 private:
  mutable base::Mutex mutex_;
  std::deque<base::Result<serving::Response>> answers_ GUARDED_BY(mutex_);
  Handler handler_ GUARDED_BY(mutex_);
  std::vector<std::string> requests_ GUARDED_BY(mutex_);
};

/// Runs commands of `herald` in this process.
class CommandTest : public testing::Test {
 protected:
  CommandTest();
  ~CommandTest() override;

  /// `arguments` without "herald".
  Ran Run(const std::vector<std::string>& arguments);

  /// A file with these bytes, as long as the test.
  std::string File(const std::string& content);

  FakeServer server;
  /// The --server of the last command.
  std::string server_name;
  /// What comes from standard input.
  std::string input;
  bool terminal = false;
  bool colours = false;
  /// Called when a command waits; false ends it.
  std::function<bool(std::chrono::milliseconds)> pause = [](std::chrono::milliseconds) {
    return true;
  };
  std::vector<std::chrono::milliseconds> pauses;
  /// 2026-11-21T05:00:00Z
  base::ManualClock clock{1'795'237'200'000};

 private:
  std::vector<std::string> files_;
};

}  // namespace app
