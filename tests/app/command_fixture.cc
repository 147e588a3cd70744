#include "tests/app/command_fixture.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <utility>

namespace app {
namespace {

class FakeConnection : public ServerConnection {
 public:
  explicit FakeConnection(FakeServer& server) : server_(server) {}
  base::Result<serving::Response> Call(const serving::Request& request) override {
    return server_.Handle(request);
  }

 private:
  FakeServer& server_;
};

serving::Response MakeResponse(int status, std::string body, serving::NamesAndValues headers) {
  serving::Response response;
  response.status = status;
  response.body = std::move(body);
  response.headers = std::move(headers);
  return response;
}

}  // namespace

void FakeServer::Answer(int status, std::string body, serving::NamesAndValues headers) {
  const base::MutexLock lock(mutex_);
  answers_.emplace_back(MakeResponse(status, std::move(body), std::move(headers)));
}

void FakeServer::AnswerWith(base::Status status) {
  const base::MutexLock lock(mutex_);
  answers_.emplace_back(std::move(status));
}

void FakeServer::AnswerAllWith(Handler handler) {
  const base::MutexLock lock(mutex_);
  handler_ = std::move(handler);
}

base::Result<serving::Response> FakeServer::Handle(const serving::Request& request) {
  const base::MutexLock lock(mutex_);
  requests_.push_back(request.method + " " + request.target +
                      (request.body.empty() ? "" : " " + request.body));
  if (!answers_.empty()) {
    auto answer = std::move(answers_.front());
    answers_.pop_front();
    return answer;
  }
  if (handler_) return handler_(request);
  return MakeResponse(500, R"({"detail":"The test has no answer."})", {});
}

std::vector<std::string> FakeServer::requests() const {
  const base::MutexLock lock(mutex_);
  return requests_;
}

CommandTest::CommandTest() { unsetenv("HERALD_SERVER"); }

CommandTest::~CommandTest() {
  for (const std::string& file : files_) std::filesystem::remove(file);
}

std::string CommandTest::File(const std::string& content) {
  const std::string path = testing::TempDir() + "herald-command-test-" + std::to_string(getpid()) +
                           "-" + std::to_string(files_.size());
  std::ofstream(path, std::ios::binary) << content;
  files_.push_back(path);
  return path;
}

Ran CommandTest::Run(const std::vector<std::string>& arguments) {
  std::ostringstream out;
  std::ostringstream err;
  FILE* const standard_input = std::tmpfile();
  std::fwrite(input.data(), 1, input.size(), standard_input);
  std::rewind(standard_input);
  Environment environment{
      .console = {out, err, terminal, colours},
      .input = fileno(standard_input),
      .connect = [this](const std::string& name) -> std::unique_ptr<ServerConnection> {
        server_name = name;
        return std::make_unique<FakeConnection>(server);
      },
      .pause =
          [this](std::chrono::milliseconds time) {
            pauses.push_back(time);
            return pause(time);
          },
      .end_on_interrupt = [] {},
      .clock = clock};
  CommandLine command_line("test version");
  AddCommands(command_line);
  std::vector<const char*> argv = {"herald"};
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  Ran ran;
  ran.exit_code = command_line.Main(static_cast<int>(argv.size()), argv.data(), environment);
  ran.out = out.str();
  ran.err = err.str();
  std::fclose(standard_input);
  return ran;
}

}  // namespace app
