#include "tests/serving/http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace serving {
namespace {

std::string LowerCase(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

}  // namespace

HttpClient::HttpClient(const std::string& address) {
  const size_t colon = address.rfind(':');
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(colon + 1))));
  inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr);
  socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
    close(socket_);
    socket_ = -1;
  }
}

HttpClient::~HttpClient() {
  if (socket_ >= 0) close(socket_);
}

bool HttpClient::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

void HttpClient::FinishSending() { shutdown(socket_, SHUT_WR); }

bool HttpClient::Fill(std::chrono::steady_clock::time_point deadline) {
  if (closed_ || socket_ < 0) return false;
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      deadline - std::chrono::steady_clock::now());
  pollfd waiting{socket_, POLLIN, 0};
  if (poll(&waiting, 1, static_cast<int>(std::max<int64_t>(left.count(), 0))) <= 0) return false;
  std::array<char, 65536> chunk;
  const ssize_t count = recv(socket_, chunk.data(), chunk.size(), 0);
  if (count <= 0) {
    closed_ = true;
    return false;
  }
  buffer_.append(chunk.data(), static_cast<size_t>(count));
  return true;
}

Received HttpClient::Receive(bool head, std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  Received received;
  size_t end = 0;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    if (!Fill(deadline)) return received;
  }
  const std::string header = buffer_.substr(0, end + 2);
  buffer_.erase(0, end + 4);
  size_t line_start = header.find("\r\n") + 2;
  const std::string status_line = header.substr(0, line_start - 2);
  const int status = std::stoi(status_line.substr(status_line.find(' ') + 1));
  received.reason = status_line.substr(status_line.find(' ') + 5);
  while (line_start < header.size()) {
    const size_t line_end = header.find("\r\n", line_start);
    const std::string line = header.substr(line_start, line_end - line_start);
    const size_t colon = line.find(": ");
    received.headers[LowerCase(line.substr(0, colon))] = line.substr(colon + 2);
    line_start = line_end + 2;
  }
  const auto length = received.headers.find("content-length");
  const size_t size = head || length == received.headers.end()
                          ? 0
                          : static_cast<size_t>(std::stoull(length->second));
  while (buffer_.size() < size) {
    if (!Fill(deadline)) return received;
  }
  received.body = buffer_.substr(0, size);
  buffer_.erase(0, size);
  received.status = status;
  return received;
}

bool HttpClient::WaitForClose(std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (Fill(deadline)) buffer_.clear();
  return closed_;
}

Received HttpClient::Call(std::string_view method, std::string_view target, std::string_view body,
                          const std::vector<std::pair<std::string, std::string>>& headers) {
  if (!Send(RequestText(method, target, body, headers))) return Received();
  return Receive(method == "HEAD");
}

std::string RequestText(std::string_view method, std::string_view target, std::string_view body,
                        const std::vector<std::pair<std::string, std::string>>& headers) {
  std::string text =
      std::string(method) + " " + std::string(target) + " HTTP/1.1\r\nHost: test\r\n";
  for (const auto& [name, value] : headers) text += name + ": " + value + "\r\n";
  if (!body.empty()) text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  return text + "\r\n" + std::string(body);
}

}  // namespace serving
