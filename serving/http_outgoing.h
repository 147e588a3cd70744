#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/system/error_code.hpp>
#include <utility>
#include <vector>

#include "serving/http_message.h"
#include "serving/pending_reply.h"
#include "serving/server_address.h"

// Of the files that send HTTP requests; nobody else includes this.
namespace serving {

using OutgoingStream = boost::beast::basic_stream<boost::asio::ip::tcp, LoopExecutor>;
using OutgoingRequest = boost::beast::http::request<boost::beast::http::string_body>;
using IncomingResponse = boost::beast::http::response<boost::beast::http::string_body>;
template <typename T>
using OutgoingAwaitable = boost::asio::awaitable<T, LoopExecutor>;

/// Of an answer's status line and headers.
inline constexpr uint32_t kAnswerHeaderBytesMax = uint32_t{64} << 10;

/// The request as it goes to `host` (its Host header): method, target, headers and body are those
/// of `request`.
OutgoingRequest ToOutgoing(const Request& request, const std::string& host);

/// The answer with its end-to-end headers. What the connection or the server's own writing decides
/// (Connection and what it names, Content-Length, Date, ...) is left out.
Response FromIncoming(IncomingResponse&& incoming);

/// The addresses of a host; an IP address needs no look-up. A look-up of a name takes as long as
/// the system lets it.
OutgoingAwaitable<std::pair<boost::system::error_code, std::vector<boost::asio::ip::tcp::endpoint>>>
Resolve(boost::asio::io_context& context, const ServerAddress& address);

}  // namespace serving
