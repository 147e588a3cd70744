#include "serving/http_client.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <optional>
#include <utility>

#include "serving/http_outgoing.h"

namespace serving {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

/// As in http_connection.cc: errors as values, and each co_await a statement of its own.
constexpr asio::as_tuple_t<asio::use_awaitable_t<LoopExecutor>> kAwait{};

/// One call, from the look-up to the answer.
class Exchange {
 public:
  Exchange(const ServerAddress& address, const Request& request, std::chrono::milliseconds timeout)
      : address_(address), name_(address.ToText()), request_(request), timeout_(timeout) {}

  base::Result<Response> Run() {
    asio::co_spawn(context_, KeepResult(), asio::detached);
    context_.run();
    return std::move(*result_);
  }

 private:
  OutgoingAwaitable<void> KeepResult() {
    auto result = co_await Talk();
    result_.emplace(std::move(result));
  }

  OutgoingAwaitable<base::Result<Response>> Talk() {
    const auto [look_up_error, endpoints] = co_await Resolve(context_, address_);
    if (look_up_error) co_return CannotConnect(look_up_error);
    stream_.expires_after(timeout_);
    const auto [connect_error, endpoint] = co_await stream_.async_connect(endpoints, kAwait);
    if (connect_error) co_return CannotConnect(connect_error);

    OutgoingRequest outgoing = ToOutgoing(request_, name_);
    outgoing.keep_alive(false);
    // A server that refuses early answers before it has read all; so the answer counts, not
    // whether everything was sent.
    const auto [write_error, written] = co_await http::async_write(stream_, outgoing, kAwait);
    if (write_error == beast::error::timeout) co_return NoAnswer(write_error);
    http::response_parser<http::string_body> parser;
    parser.header_limit(kAnswerHeaderBytesMax);
    parser.body_limit(kCallBodyBytesMax);
    parser.skip(request_.method == "HEAD");
    const auto [read_error, read] = co_await http::async_read(stream_, buffer_, parser, kAwait);
    if (read_error) co_return NoAnswer(read_error);
    co_return FromIncoming(parser.release());
  }

  base::Status CannotConnect(const error_code& error) const {
    if (error == beast::error::timeout) return NoAnswer(error);
    return base::Status::Unavailable("cannot connect to " + name_ + ": " + error.message());
  }

  base::Status NoAnswer(const error_code& error) const {
    if (error == beast::error::timeout) {
      return base::Status::Unavailable(name_ + " does not answer within " +
                                       std::to_string(timeout_.count()) + " ms");
    }
    if (error == http::error::body_limit) {
      return base::Status::Fatal("the answer of " + name_ + " is larger than " +
                                 std::to_string(kCallBodyBytesMax) + " bytes");
    }
    if (error == http::error::end_of_stream || error == http::error::partial_message) {
      return base::Status::Unavailable(name_ +
                                       " closed the connection before its answer was whole");
    }
    if (error.category() == make_error_code(http::error::bad_method).category()) {
      return base::Status::Fatal("what " + name_ + " answers is not HTTP: " + error.message());
    }
    return base::Status::Unavailable("no answer from " + name_ + ": " + error.message());
  }

  const ServerAddress& address_;
  const std::string name_;
  const Request& request_;
  const std::chrono::milliseconds timeout_;
  asio::io_context context_{1};
  OutgoingStream stream_{context_};
  beast::flat_buffer buffer_;
  std::optional<base::Result<Response>> result_;
};

}  // namespace

base::Result<Response> Call(const std::string& server, const Request& request,
                            std::chrono::milliseconds timeout) {
  const auto address = ParseServerAddress(server);
  if (!address.ok()) return address.status();
  return Exchange(*address, request, timeout).Run();
}

}  // namespace serving
