#include "serving/http_outgoing.h"

#include <algorithm>
#include <array>
#include <boost/asio/ip/basic_resolver.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <charconv>
#include <string>

namespace serving {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::beast::iequals;
using boost::system::error_code;
using Endpoints = std::vector<asio::ip::tcp::endpoint>;
using Resolver = asio::ip::basic_resolver<asio::ip::tcp, LoopExecutor>;

constexpr asio::as_tuple_t<asio::use_awaitable_t<LoopExecutor>> kAwait{};

/// RFC 9110, 7.6.1; and what our own server writes anew.
constexpr std::array<std::string_view, 12> kNotPassedOn = {"Connection",
                                                           "Keep-Alive",
                                                           "Proxy-Authenticate",
                                                           "Proxy-Authorization",
                                                           "Proxy-Connection",
                                                           "TE",
                                                           "Trailer",
                                                           "Transfer-Encoding",
                                                           "Upgrade",
                                                           "Date",
                                                           "Content-Length",
                                                           "X-Content-Type-Options"};

bool IsPassedOn(std::string_view name, std::string_view connection) {
  if (iequals(name, "Content-Type")) return false;  // has its own place in Response
  const bool dropped = std::any_of(kNotPassedOn.begin(), kNotPassedOn.end(),
                                   [name](std::string_view hop) { return iequals(name, hop); });
  return !dropped && !http::token_list(connection).exists(name);
}

}  // namespace

OutgoingRequest ToOutgoing(const Request& request, const std::string& host) {
  OutgoingRequest outgoing;
  outgoing.version(11);
  outgoing.method_string(request.method);
  outgoing.target(request.target);
  outgoing.set(http::field::host, host);
  for (const auto& [name, value] : request.headers) outgoing.insert(name, value);
  outgoing.body() = request.body;
  outgoing.prepare_payload();
  return outgoing;
}

Response FromIncoming(IncomingResponse&& incoming) {
  Response response;
  response.status = static_cast<int>(incoming.result_int());
  response.content_type = std::string(incoming[http::field::content_type]);
  std::string connection;
  for (const auto& field : incoming) {
    if (field.name() != http::field::connection) continue;
    connection += connection.empty() ? "" : ",";
    connection += std::string_view(field.value());
  }
  for (const auto& field : incoming) {
    if (!IsPassedOn(field.name_string(), connection)) continue;
    response.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
  }
  response.body = std::move(incoming.body());
  return response;
}

OutgoingAwaitable<std::pair<error_code, Endpoints>> Resolve(asio::io_context& context,
                                                            const ServerAddress& address) {
  uint16_t port = 0;
  std::from_chars(address.port.data(), address.port.data() + address.port.size(), port);
  error_code not_an_ip;
  const auto ip = asio::ip::make_address(address.host, not_an_ip);
  if (!not_an_ip) {
    co_return std::pair(error_code(), Endpoints{asio::ip::tcp::endpoint(ip, port)});
  }
  Resolver resolver(context);
  auto [error, results] = co_await resolver.async_resolve(address.host, address.port, kAwait);
  Endpoints endpoints;
  if (!error) {
    for (const auto& entry : results) endpoints.push_back(entry.endpoint());
  }
  co_return std::pair(error, std::move(endpoints));
}

}  // namespace serving
