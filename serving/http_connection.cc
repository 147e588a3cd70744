#include "serving/http_connection.h"

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <boost/beast/http/string_body.hpp>
#include <ctime>
#include <exception>
#include <memory>
#include <optional>
#include <utility>

#include "base/log.h"
#include "serving/http_deadline.h"
#include "serving/problem.h"

namespace serving {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;
using std::chrono::milliseconds;

using Stream = beast::basic_stream<asio::ip::tcp, LoopExecutor>;
using Parser = http::request_parser<http::string_body>;

/// Errors come as values: one thrown per closed connection would cost more than the request did.
///
/// In this file every co_await is a statement or an initialiser of its own, and its operand's
/// arguments are variables: GCC 12 makes wrong code of co_await inside conditions.
constexpr asio::as_tuple_t<asio::use_awaitable_t<LoopExecutor>> kAwait{};

/// A connection's first read, and what its buffer shrinks back to between requests.
constexpr size_t kReadBytes = 4096;
/// Room beside the header for what of the body comes with it.
constexpr size_t kBufferSpareBytes = size_t{64} << 10;
/// After an early error the client may still be sending, and a close would then destroy the answer
/// on its way: so read on for a while and throw it away.
constexpr size_t kLingerBytesMax = size_t{16} << 20;
constexpr milliseconds kLingerTimeout{2000};
/// Connections that may be told at one time that there are too many; others are just closed.
constexpr size_t kRefusalsMax = 64;

/// Takes bytes of the budget for all bodies as they arrive (announced bytes would let a few clients
/// that send nothing take all of it), gives them back at the end.
class ByteBudget {
 public:
  /// `all` is what all connections have taken together.
  ByteBudget(std::atomic<size_t>& all, size_t all_max) : all_(all), all_max_(all_max) {}
  ~ByteBudget() { GiveBack(); }
  ByteBudget(const ByteBudget&) = delete;
  ByteBudget& operator=(const ByteBudget&) = delete;

  /// False when there is not enough left.
  bool Take(size_t bytes) {
    taken_ += bytes;
    return all_.fetch_add(bytes) + bytes <= all_max_;
  }

  void GiveBack() { all_.fetch_sub(std::exchange(taken_, 0)); }

 private:
  std::atomic<size_t>& all_;
  const size_t all_max_;
  size_t taken_ = 0;
};

/// The status that tells a client what was wrong with its request; 0: the connection is gone or
/// was too slow, there is nobody to tell.
int StatusOf(const error_code& error) {
  if (error == http::error::end_of_stream || error == http::error::partial_message) return 0;
  if (error == http::error::header_limit || error == http::error::buffer_overflow) return 431;
  if (error == http::error::body_limit) return 413;
  if (error == asio::error::no_memory) return 503;
  if (error.category() == make_error_code(http::error::bad_method).category()) return 400;
  return 0;
}

std::string DetailOf(int status, const HttpLimits& limits) {
  switch (status) {
    case 413:
      return "The body is larger than " + std::to_string(limits.body_bytes_max) + " bytes.";
    case 431:
      return "The header is larger than " + std::to_string(limits.header_bytes_max) + " bytes.";
    case 503:
      return "Too many large requests at once.";
    default:
      return "This is not a well-formed HTTP/1.1 request.";
  }
}

bool IsToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

/// No byte that could end the header line or hide from a log.
bool IsHeaderValue(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte >= 0x20 && byte != 0x7f) || c == '\t';
  });
}

bool HasSafeHeaders(const Response& response) {
  return IsHeaderValue(response.content_type) &&
         std::all_of(response.headers.begin(), response.headers.end(), [](const auto& header) {
           return IsToken(header.first) && IsHeaderValue(header.second);
         });
}

/// "Sat, 21 Nov 2026 05:00:00 GMT", made anew once a second.
const std::string& Date(Loop& loop, const base::Clock& clock) {
  const int64_t second = clock.NowMs() / 1000;
  if (second != loop.date_second) {
    const auto time = static_cast<std::time_t>(second);
    std::tm parts{};
    gmtime_r(&time, &parts);
    std::array<char, 64> text{};
    const size_t size =
        std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    loop.date.assign(text.data(), size);
    loop.date_second = second;
  }
  return loop.date;
}

std::string WriteHead(const Response& response, std::string_view date, bool http_1_0, bool close) {
  std::string head;
  head.reserve(256);
  head += "HTTP/1.1 ";
  head += std::to_string(response.status);
  head += ' ';
  head += ReasonPhrase(response.status);
  if (!response.content_type.empty()) {
    head += "\r\nContent-Type: ";
    head += response.content_type;
  }
  for (const auto& [name, value] : response.headers) {
    head += "\r\n";
    head += name;
    head += ": ";
    head += value;
  }
  if (response.status != 204 && response.status != 304) {
    head += "\r\nContent-Length: ";
    head += std::to_string(response.body.size());
  }
  head += "\r\nDate: ";
  head += date;
  head += "\r\nX-Content-Type-Options: nosniff";
  if (close) {
    head += "\r\nConnection: close";
  } else if (http_1_0) {
    head += "\r\nConnection: keep-alive";
  }
  head += "\r\n\r\n";
  return head;
}

/// "http://host/path" is as good as "/path" (RFC 9112, 3.2.2).
std::string OriginForm(std::string_view target) {
  if (target.starts_with("http://")) {
    const size_t slash = target.find('/', std::string_view("http://").size());
    return slash == std::string_view::npos ? "/" : std::string(target.substr(slash));
  }
  return std::string(target);
}

}  // namespace

/// Counts a request for as long as it is being handled, and its answer written.
class InFlight {
 public:
  explicit InFlight(const HttpMetrics& metrics) : metrics_(metrics) { metrics_.in_flight.Add(1); }
  ~InFlight() { metrics_.in_flight.Add(-1); }
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;

 private:
  const HttpMetrics& metrics_;
};

/// One client's connection; a coroutine on its loop's thread owns it.
class Connection {
 public:
  Connection(ServerShared& shared, Loop& loop, LoopSocket socket)
      : shared_(shared),
        loop_(loop),
        socket_(std::move(socket)),
        deadline_(loop, socket_),
        buffer_(shared.limits.header_bytes_max + kBufferSpareBytes),
        reply_timer_(loop.context) {
    place_ = loop_.connections.insert(loop_.connections.end(), this);
    shared_.metrics.connections.Add(1);
  }

  ~Connection() {
    Close();
    loop_.connections.erase(place_);
    shared_.metrics.connections.Add(-1);
    // Notified under the mutex: whoever waits for the last connection may destroy `shared_` next.
    const base::MutexLock lock(shared_.mutex);
    --shared_.connections;
    shared_.changed.NotifyAll();
  }

  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  static LoopAwaitable<void> Run(std::unique_ptr<Connection> self) {
    bool more = true;
    while (more) {
      more = co_await self->ServeRequest();
      // One that sends many requests at once shares the thread with the others.
      if (more && self->buffer_.size() > 0) {
        co_await asio::post(self->loop_.context, kAwait);
      }
    }
  }

  void Stop() {
    if (waiting_for_request_) Close();
  }

  void Abort() {
    aborted_ = true;
    Close();
    reply_timer_.cancel();
  }

 private:
  void Close() {
    error_code ignored;
    socket_.close(ignored);
  }

  /// Reads and answers one request; false: the connection is done.
  LoopAwaitable<bool> ServeRequest() {
    if (aborted_) co_return false;
    if (buffer_.size() == 0) {
      const bool arrived = co_await WaitForRequest();
      if (!arrived) co_return false;
    }

    Parser parser;
    parser.header_limit(static_cast<uint32_t>(shared_.limits.header_bytes_max));
    parser.body_limit(shared_.limits.body_bytes_max);
    const error_code header_error = co_await ReadHeader(parser);
    if (header_error) {
      co_await RefuseUnread(header_error);
      co_return false;
    }
    started_ = shared_.clock.Monotonic();
    http_1_0_ = parser.get().version() < 11;
    if (const auto problem = CheckHeader(parser)) {
      co_await Refuse(*problem);
      co_return false;
    }

    ByteBudget budget(shared_.body_bytes, shared_.limits.all_body_bytes_max);
    if (!parser.is_done()) {
      const error_code error = co_await ReadBody(parser, budget);
      if (error) {
        budget.GiveBack();
        co_await RefuseUnread(error);
        co_return false;
      }
    }

    deadline_.PutOff();
    const bool client_keeps = parser.get().keep_alive();
    const bool head_only = parser.get().method() == http::verb::head;
    const std::string method(parser.get().method_string());
    if (aborted_) co_return false;
    Request request = TakeRequest(parser);
    const InFlight in_flight(shared_.metrics);
    Response response = co_await Handle(std::move(request));
    budget.GiveBack();
    if (aborted_) co_return false;
    const bool close = !client_keeps || shared_.stopping;
    const bool written = co_await Write(std::move(response), method, head_only, close);
    co_return written && !close;
  }

  LoopAwaitable<bool> WaitForRequest() {
    if (shared_.stopping) co_return false;
    if (buffer_.capacity() > kReadBytes) buffer_.shrink_to_fit();
    deadline_.SetAfter(first_ ? shared_.limits.header_timeout : shared_.limits.idle_timeout);
    first_ = false;
    waiting_for_request_ = true;
    auto [error, bytes] = co_await socket_.async_read_some(buffer_.prepare(kReadBytes), kAwait);
    waiting_for_request_ = false;
    buffer_.commit(bytes);
    co_return !error;
  }

  /// Mostly the header has arrived in one piece, and takes no further read.
  LoopAwaitable<error_code> ReadHeader(Parser& parser) {
    error_code error;
    buffer_.consume(parser.put(buffer_.data(), error));
    if (error != http::error::need_more) co_return error;
    deadline_.SetAfter(shared_.limits.header_timeout);
    auto [read_error, bytes] = co_await http::async_read_header(socket_, buffer_, parser, kAwait);
    co_return read_error;
  }

  LoopAwaitable<error_code> ReadBody(Parser& parser, ByteBudget& budget) {
    deadline_.SetAfter(shared_.limits.body_timeout);
    if (beast::iequals(parser.get()[http::field::expect], "100-continue")) {
      static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
      auto [error, bytes] = co_await asio::async_write(
          socket_, asio::const_buffer(kContinue.data(), kContinue.size()), kAwait);
      if (error) co_return error;
    }
    while (!parser.is_done()) {
      auto [error, bytes] = co_await http::async_read_some(socket_, buffer_, parser, kAwait);
      if (error) co_return error;
      if (!budget.Take(bytes)) co_return error_code(asio::error::no_memory);
    }
    co_return error_code();
  }

  /// What the parser lets pass and we do not.
  static std::optional<Problem> CheckHeader(const Parser& parser) {
    const auto& request = parser.get();
    if (request.version() != 11 && request.version() != 10) {
      return Problem{.status = 505, .detail = "HTTP/1.1 is spoken here."};
    }
    const auto hosts = request.count(http::field::host);
    if (hosts > 1 || (hosts == 0 && request.version() == 11)) {
      return Problem{.status = 400, .detail = "A request has one Host header."};
    }
    const auto coding = request[http::field::transfer_encoding];
    if (!coding.empty() && !beast::iequals(coding, "chunked")) {
      return Problem{.status = 501, .detail = "The one transfer coding understood is chunked."};
    }
    return std::nullopt;
  }

  static Request TakeRequest(Parser& parser) {
    auto message = parser.release();
    Request request;
    request.method = std::string(message.method_string());
    request.target = OriginForm(std::string_view(message.target()));
    for (const auto& field : message) {
      request.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
    }
    request.body = std::move(message.body());
    return request;
  }

  /// Runs the handler and waits for its response, or for the end of its time.
  LoopAwaitable<Response> Handle(Request request) {
    auto reply = std::make_shared<PendingReply>();
    try {
      shared_.handler(std::move(request),
                      [reply](Response response) { reply->Deliver(std::move(response)); });
    } catch (const std::exception& exception) {
      base::LogError("http handler failed", {{"error", exception.what()}});
      reply->Deliver(ToResponse({.status = 500, .detail = "This is a fault of the server's."}));
    }
    if (auto response = reply->TakeOrWait(&reply_timer_)) co_return std::move(*response);
    reply_timer_.expires_after(shared_.limits.handler_timeout);
    co_await reply_timer_.async_wait(kAwait);
    if (auto response = reply->Take()) co_return std::move(*response);
    co_return ToResponse({.status = 503,
                          .detail = "No answer in time; the request may have been applied.",
                          .retry_after = std::chrono::seconds(1)});
  }

  /// Writes `response`, false when the client is gone.
  LoopAwaitable<bool> Write(Response response, std::string_view method, bool head_only,
                            bool close) {
    if (!HasSafeHeaders(response)) {
      base::LogError("http response with a header that cannot be sent",
                     {{"route", response.route}});
      const std::string_view route = response.route;
      response = ToResponse({.status = 500, .detail = "This is a fault of the server's."});
      response.route = route;
    }
    // A client that does not read keeps its answer in memory.
    ByteBudget budget(shared_.answer_bytes, shared_.limits.all_answer_bytes_max);
    if (!budget.Take(response.body.size())) {
      budget.GiveBack();
      const std::string_view route = response.route;
      response = ToResponse({.status = 503,
                             .detail = "Too many large answers are being sent.",
                             .retry_after = std::chrono::seconds(1)});
      response.route = route;
    }
    shared_.metrics.Answered(response.route, method, response.status,
                             shared_.clock.Monotonic() - started_);
    const std::string head = WriteHead(response, Date(loop_, shared_.clock), http_1_0_, close);
    std::array<asio::const_buffer, 2> buffers{asio::buffer(head), asio::const_buffer()};
    const bool has_body = !head_only && response.status != 204 && response.status != 304;
    if (has_body) buffers[1] = asio::buffer(response.body);
    // Mostly the socket takes all of it at once.
    error_code error;
    size_t left = asio::buffer_size(buffers);
    size_t sent = socket_.write_some(buffers, error);
    left -= sent;
    if (error && error != asio::error::would_block) co_return false;
    if (left == 0) co_return true;
    for (asio::const_buffer& buffer : buffers) {
      const size_t of_this = std::min(sent, buffer.size());
      buffer += of_this;
      sent -= of_this;
    }
    deadline_.SetAfter(shared_.limits.write_timeout);
    auto [write_error, bytes] = co_await asio::async_write(socket_, buffers, kAwait);
    deadline_.PutOff();
    co_return !write_error;
  }

  LoopAwaitable<void> RefuseUnread(error_code error) {
    const int status = StatusOf(error);
    if (status == 0) co_return;
    started_ = shared_.clock.Monotonic();
    Problem problem{.status = status, .detail = DetailOf(status, shared_.limits)};
    if (status == 503) problem.retry_after = std::chrono::seconds(1);
    co_await Refuse(problem);
  }

  /// Answers a request that was not read to its end; the connection closes after it.
  LoopAwaitable<void> Refuse(const Problem& problem) {
    Response response = ToResponse(problem);
    const bool written = co_await Write(std::move(response), "other", false, true);
    if (written) co_await Linger();
  }

  LoopAwaitable<void> Linger() {
    error_code ignored;
    socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    deadline_.SetAfter(kLingerTimeout);
    buffer_.clear();
    size_t total = 0;
    while (total < kLingerBytesMax) {
      auto [error, bytes] = co_await socket_.async_read_some(buffer_.prepare(kReadBytes), kAwait);
      if (error) break;
      total += bytes;
    }
  }

  ServerShared& shared_;
  Loop& loop_;
  LoopSocket socket_;
  Deadline deadline_;
  beast::flat_buffer buffer_;
  LoopTimer reply_timer_;
  std::list<Connection*>::iterator place_;
  std::chrono::nanoseconds started_{0};
  bool first_ = true;
  bool http_1_0_ = false;
  bool waiting_for_request_ = false;
  bool aborted_ = false;
};

namespace {

void LogEnd(const std::exception_ptr& thrown) {
  if (!thrown) return;
  try {
    std::rethrow_exception(thrown);
  } catch (const std::exception& exception) {
    base::LogError("http connection failed", {{"error", exception.what()}});
  }
}

/// Writes what fits the socket's buffer, which for so few bytes is all, and drains.
LoopAwaitable<void> ServeRefusal(Stream stream, std::string bytes) {
  stream.expires_after(kLingerTimeout);
  auto [error, written] = co_await asio::async_write(stream, asio::buffer(bytes), kAwait);
  if (error) co_return;
  error_code ignored;
  stream.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  std::array<char, kReadBytes> scratch;
  for (size_t total = 0; total < kLingerBytesMax;) {
    auto [read_error, count] = co_await stream.async_read_some(asio::buffer(scratch), kAwait);
    if (read_error) co_return;
    total += count;
  }
}

}  // namespace

void StartConnection(ServerShared& shared, Loop& loop, LoopSocket socket) {
  error_code ignored;
  socket.set_option(asio::ip::tcp::no_delay(true), ignored);
  socket.non_blocking(true, ignored);
  auto connection = std::make_unique<Connection>(shared, loop, std::move(socket));
  asio::co_spawn(loop.context, Connection::Run(std::move(connection)), LogEnd);
}

void RefuseConnection(ServerShared& shared, Loop& loop, LoopSocket socket) {
  shared.metrics.connections_refused.Increment();
  if (shared.stopping) return;
  if (shared.refusals.fetch_add(1) >= kRefusalsMax) {
    shared.refusals.fetch_sub(1);
    return;
  }
  const Response response = ToResponse(
      {.status = 503, .detail = "Too many connections.", .retry_after = std::chrono::seconds(1)});
  std::string bytes = WriteHead(response, Date(loop, shared.clock), false, true) + response.body;
  asio::co_spawn(loop.context, ServeRefusal(Stream(std::move(socket)), std::move(bytes)),
                 [&shared](const std::exception_ptr& thrown) {
                   shared.refusals.fetch_sub(1);
                   LogEnd(thrown);
                 });
}

void StopConnections(Loop& loop) {
  for (Connection* connection : loop.connections) connection->Stop();
}

void AbortConnections(Loop& loop) {
  for (Connection* connection : loop.connections) connection->Abort();
}

}  // namespace serving
