#pragma once

#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace serving {

/// One response as it came over the wire.
struct Received {
  /// 0: the connection was closed, or nothing came in time.
  int status = 0;
  std::string reason;
  /// Names in lower case; a repeated one keeps its last value.
  std::map<std::string, std::string> headers;
  std::string body;
};

/// A blocking HTTP client on a plain socket, so that a test decides every byte and its moment.
class HttpClient {
 public:
  /// `address` as HttpServer::Start() returns it: "127.0.0.1:43121".
  explicit HttpClient(const std::string& address);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  bool connected() const { return socket_ >= 0; }

  /// Sends these bytes; false when the server has closed.
  bool Send(std::string_view bytes);

  /// Says that nothing more will be sent.
  void FinishSending();

  /// Reads one response. For a response to HEAD say so: it has no body.
  Received Receive(bool head = false,
                   std::chrono::milliseconds timeout = std::chrono::milliseconds(5000));

  /// Whether the server closes within `timeout`; bytes before that are thrown away.
  bool WaitForClose(std::chrono::milliseconds timeout = std::chrono::milliseconds(5000));

  /// Sends a request with Host and, when there is a body, Content-Length; reads the response.
  Received Call(std::string_view method, std::string_view target, std::string_view body = "",
                const std::vector<std::pair<std::string, std::string>>& headers = {});

 private:
  /// Reads what is there into `buffer_`; false at the end or when nothing comes until `deadline`.
  bool Fill(std::chrono::steady_clock::time_point deadline);

  int socket_ = -1;
  bool closed_ = false;
  std::string buffer_;
};

/// A request's bytes as HttpClient::Call() sends them.
std::string RequestText(std::string_view method, std::string_view target,
                        std::string_view body = "",
                        const std::vector<std::pair<std::string, std::string>>& headers = {});

}  // namespace serving
