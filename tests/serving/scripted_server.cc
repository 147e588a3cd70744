#include "tests/serving/scripted_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "base/check.h"

namespace serving {
namespace {

/// A socket bound to a free port of 127.0.0.1, and its address.
std::pair<int, std::string> Bind() {
  const int bound = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  CHECK(bind(bound, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0, "cannot bind");
  socklen_t size = sizeof at;
  CHECK(getsockname(bound, reinterpret_cast<sockaddr*>(&at), &size) == 0, "cannot bind");
  return {bound, "127.0.0.1:" + std::to_string(ntohs(at.sin_port))};
}

/// One request out of `buffer`, filled from `socket`; empty at the connection's end.
std::string ReadRequest(int socket, std::string& buffer) {
  static constexpr std::string_view kLength = "Content-Length: ";
  while (true) {
    const size_t end = buffer.find("\r\n\r\n");
    if (end != std::string::npos) {
      const size_t length = buffer.substr(0, end).find(kLength);
      const size_t body =
          length == std::string::npos ? 0 : std::stoul(buffer.substr(length + kLength.size()));
      if (buffer.size() >= end + 4 + body) {
        std::string request = buffer.substr(0, end + 4 + body);
        buffer.erase(0, request.size());
        return request;
      }
    }
    std::array<char, 4096> chunk;
    const ssize_t count = recv(socket, chunk.data(), chunk.size(), 0);
    if (count <= 0) return "";
    buffer.append(chunk.data(), static_cast<size_t>(count));
  }
}

}  // namespace

ScriptedServer::ScriptedServer(Script script) {
  std::tie(listener_, address_) = Bind();
  CHECK(listen(listener_, 64) == 0, "cannot listen");
  thread_ = std::thread([this, script = std::move(script)] { Run(script); });
}

ScriptedServer::~ScriptedServer() {
  {
    const base::MutexLock lock(mutex_);
    stopping_ = true;
    if (serving_ >= 0) shutdown(serving_, SHUT_RDWR);
  }
  shutdown(listener_, SHUT_RDWR);
  thread_.join();
  close(listener_);
}

std::vector<std::string> ScriptedServer::requests() const {
  const base::MutexLock lock(mutex_);
  return requests_;
}

void ScriptedServer::Run(const Script& script) {
  for (size_t connection = 0;; ++connection) {
    const int socket = accept(listener_, nullptr, nullptr);
    if (socket < 0) return;
    bool serve = false;
    {
      const base::MutexLock lock(mutex_);
      serve = !stopping_;
      serving_ = serve ? socket : -1;
    }
    if (serve && connection < script.size()) Serve(connection, socket, script[connection]);
    const base::MutexLock lock(mutex_);
    serving_ = -1;
    close(socket);
  }
}

void ScriptedServer::Serve(size_t connection, int socket, const std::vector<std::string>& answers) {
  std::string buffer;
  for (const std::string& answer : answers) {
    const std::string request = ReadRequest(socket, buffer);
    if (request.empty()) return;
    {
      const base::MutexLock lock(mutex_);
      requests_.push_back(std::to_string(connection) + " " + request);
    }
    send(socket, answer.data(), answer.size(), MSG_NOSIGNAL);
  }
}

std::string DeadAddress() {
  // Bound and closed again, and nobody else gets a port of the system's choice so soon.
  const auto [bound, address] = Bind();
  close(bound);
  return address;
}

std::string AnswerText(const std::string& body, const std::string& headers) {
  return "HTTP/1.1 200 OK\r\n" + headers + "Content-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

}  // namespace serving
